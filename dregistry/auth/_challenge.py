"""
What is said to clients that bring no credential, or none that is good: ``WWW-Authenticate`` as distribution has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ._interfaces import Access


def basic_challenge(realm: str) -> str:
    """RFC 7617."""
    return f"Basic realm={quoted(realm)}"


def bearer_challenge(realm: str, service: str, scope: str, error: str = "") -> str:
    """RFC 6750, section 3; ``realm`` is the URL of the token server."""
    parts = [f"Bearer realm={quoted(realm)}", f"service={quoted(service)}"]
    if scope:
        parts.append(f"scope={quoted(scope)}")
    if error:
        parts.append(f"error={quoted(error)}")
    return ",".join(parts)


def scope_of(accesses: Sequence[Access]) -> str:
    """All resources, each with its actions: ``repository:a/b:pull,push repository:c:pull``."""
    actions: dict[tuple[str, str], list[str]] = {}
    for access in accesses:
        actions.setdefault((access.type, access.name), []).append(access.action)
    return " ".join(f"{type_}:{name}:{','.join(found)}" for (type_, name), found in actions.items())


def quoted(text: str) -> str:
    """A quoted-string (RFC 9110, section 5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unfit_for_header(text: str) -> str | None:
    """What keeps a text from being quoted in a header; None if nothing does."""
    return None if text.isprintable() else "must be of printable characters"
