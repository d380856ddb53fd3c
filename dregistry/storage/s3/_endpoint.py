"""
Where a bucket is: the URL of a key.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from attrs import frozen

from .options import S3Options

_DEFAULT_REGION = "us-east-1"
_DNS_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")
_DOMAINS = {"cn-": "amazonaws.com.cn", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov"}


@frozen
class Endpoint:
    """
    :ivar base: scheme and host, and the path of the bucket if the host does not name it; no slash at its end.
    :ivar region: by which requests are signed.
    :ivar names_bucket: whether the path of the base does.
    """

    base: str
    region: str
    names_bucket: bool

    @property
    def secure(self) -> bool:
        return self.base.startswith("https:")

    def url(self, key: str = "") -> str:
        """Of the bucket itself if ``key`` is empty."""
        return f"{self.base}/{quote(key, safe='/~')}"


def endpoint_of(options: S3Options, regionendpoint: str | None = None) -> Endpoint:
    """
    The endpoint of the bucket.

    :param regionendpoint: instead of that of ``options``.
    """
    region = options.region or _DEFAULT_REGION
    given = options.regionendpoint if regionendpoint is None else regionendpoint
    if given:
        parts = urlsplit(given if "://" in given else f"{_scheme(options)}://{given}")
        scheme, host, path = parts.scheme, parts.netloc, parts.path.rstrip("/")
        named = parts.hostname or ""
    else:
        scheme, host, path = _scheme(options), _amazon(options, region), ""
        named = host
    if options.forcepathstyle or not _may_be_in_host(options.bucket, named, scheme):
        return Endpoint(f"{scheme}://{host}{path}/{options.bucket}", region, True)
    return Endpoint(f"{scheme}://{options.bucket}.{host}{path}", region, False)


def _scheme(options: S3Options) -> str:
    return "https" if options.secure else "http"


def _amazon(options: S3Options, region: str) -> str:
    domain = next((domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix)), "amazonaws.com")
    if options.accelerate:
        return f"s3-accelerate{'.dualstack' if options.usedualstack else ''}.{domain}"
    service = "s3-fips" if options.usefipsendpoint else "s3"
    return f"{service}{'.dualstack' if options.usedualstack else ''}.{region}.{domain}"


def _may_be_in_host(bucket: str, host: str, scheme: str) -> bool:
    """A name with dots fits no certificate of ``*.host``; an address, and most likely localhost, has no names below."""
    if _DNS_BUCKET.fullmatch(bucket) is None or (scheme == "https" and "." in bucket) or "." not in host:
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False
