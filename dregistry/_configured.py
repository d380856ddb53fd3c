"""
What the configuration says to the domain and to the web.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .auth import AccessControl, TokenDesk
from .config import Configuration
from .registry import Registry, Settings
from .registry.validation import ManifestPolicy
from .web import Api, AuditLog, Cors, Links, RateLimits, TrustedProxies

if TYPE_CHECKING:
    from .notifications.stream import EventFeed


def make_settings(config: Configuration) -> Settings:
    """Of the domain."""
    rules = config.validation
    classes = frozenset(config.policy.repository.classes)
    policy = ManifestPolicy(classes=classes)
    if not rules.disabled:
        policy = ManifestPolicy(
            tuple(rules.manifests.urls.allow),
            tuple(rules.manifests.urls.deny),
            rules.manifests.indexes.platforms,
            frozenset((each.architecture, each.os) for each in rules.manifests.indexes.platformlist),
            classes,
        )
    return Settings(
        config.storage.delete.enabled,
        config.limits.manifestbytes,
        policy,
        not config.storage.redirect.disable,
        config.notifications.events.includereferences,
    )


def make_api(
    config: Configuration,
    registry: Registry,
    access: AccessControl | None = None,
    events: EventFeed | None = None,
    audit: AuditLog | None = None,
    limits: RateLimits | None = None,
) -> Api:
    """Of the web."""
    http = config.http
    headers = [
        (name.encode("ascii"), value.encode("utf-8")) for name, values in http.headers.items() for value in values
    ]
    issuer = None if access is None else access.issuer
    return Api(
        registry,
        access=access,
        tokens=None if access is None or issuer is None else TokenDesk(access, issuer),
        client_certificates=http.tls.verifies_clients,
        links=Links(http.prefix.rstrip("/"), http.host.rstrip("/"), http.relativeurls),
        headers=headers,
        read_only=config.storage.maintenance.readonly.enabled,
        catalog_limit=config.catalog.maxentries,
        tags_limit=config.tags.maxtags,
        manifest_limit=config.limits.manifestbytes,
        tags_per_put=config.limits.tagsperput,
        strict_accept=config.compat.strictaccept,
        proxies=TrustedProxies.parse(http.trustedproxies),
        only_get_pulls=config.notifications.events.pullon == "get",
        events=events,
        audit=audit,
        limits=limits,
        cors=Cors(http.cors.origins, http.cors.credentials) if http.cors.origins else None,
    )
