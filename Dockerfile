# dregistry as an image that takes the place of registry:2 and registry:3: docs/operations.md.
#
#   docker build -t dregistry .
#   docker run -d -p 5000:5000 -v registry:/var/lib/registry dregistry
#
# Any base will do that has Python 3.11 or later, with venv, as python3.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# For those who do not have their packages from PyPI.
ARG PIP_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX
WORKDIR /src
RUN python3 -m venv /tmp/pip
COPY pyproject.toml README.md LICENSE ./
COPY twisted twisted
COPY dregistry dregistry
RUN /tmp/pip/bin/pip wheel --no-cache-dir --wheel-dir /tmp/wheels '.[redis]' \
 && python3 -m venv --without-pip /opt/dregistry \
 && PIP_FIND_LINKS=/tmp/wheels /tmp/pip/bin/pip --python /opt/dregistry/bin/python3 install --no-cache-dir --no-index \
    'dregistry[redis]' \
 && /opt/dregistry/bin/dregistry plugins

FROM ${BASE}
RUN groupadd --gid 5000 registry \
 && useradd --no-create-home --uid 5000 --gid 5000 --home-dir /var/lib/registry --shell /usr/sbin/nologin registry \
 && mkdir -p /etc/docker/registry /var/lib/registry \
 && ln -s /etc/distribution/config.yml /etc/docker/registry/config.yml \
 && chown registry:registry /var/lib/registry
COPY --from=build /opt/dregistry /opt/dregistry
COPY image/config.yml /etc/distribution/config.yml
COPY --chmod=0755 image/registry /bin/registry
ENV PATH=/opt/dregistry/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER registry
VOLUME /var/lib/registry
EXPOSE 5000
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s CMD ["/bin/registry", "health"]
ENTRYPOINT ["/bin/registry"]
CMD ["/etc/distribution/config.yml"]
