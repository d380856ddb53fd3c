"""
The audit log: who changed what, and who was not let.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import BadRequest, ClientDisconnected, Denied, RegistryError
from ..logs import masked
from ._api import Call
from ._origin import request_id

_ACTIONS = {"PUT": "push", "POST": "push", "PATCH": "push", "DELETE": "delete"}


class AuditLog:
    """
    A line of JSON for each request that changed something, when it has, and for each that was to and could not. What
    changes nothing yet (the beginning of an upload, a chunk of it) has none unless it fails.

    :param write: takes a line without its end.
    :param seconds: the time, in seconds since the epoch.
    :param constant: members of every line.
    """

    def __init__(
        self, write: Callable[[str], None], seconds: Callable[[], float], constant: Mapping[str, Any] | None = None
    ) -> None:
        self._write = write
        self._seconds = seconds
        self._constant = dict(constant or {})

    def done(self, call: Call, segments: Mapping[str, str]) -> None:
        """The handler has returned, whether or not its client is still there to hear of it."""
        status = call.request.code
        what = _what(call, segments)
        if what["kind"] == "upload" and not (call.request.method == b"DELETE" or status == 201):
            return
        self._tell(call, what, {"outcome": "done", "status": status})

    def failed(self, call: Call, segments: Mapping[str, str], error: Exception, status: int) -> None:
        """
        The handler has raised.

        :param status: of the answer.
        """
        if isinstance(error, ClientDisconnected):
            return  # an upload that its client may go on with
        outcome = {"outcome": "failed" if status >= 500 else "refused", "status": status}
        if isinstance(error, RegistryError):
            outcome["error"] = error.code
            if isinstance(error.detail, str):
                outcome["detail"] = masked(error.detail)
        actor = error.actor if isinstance(error, Denied) else ""
        self._tell(call, _what(call, segments), outcome, actor)

    def _tell(self, call: Call, what: dict[str, Any], outcome: dict[str, Any], actor: str = "") -> None:
        moment = datetime.fromtimestamp(self._seconds(), UTC)
        line = {
            **self._constant,
            "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            **what,
            **outcome,
            "actor": actor or call.grant.identity.name,
            "client": call.client_address,
            "request": request_id(call.request),
            "useragent": (call.header(b"user-agent") or "").encode("latin-1").decode("utf-8", "backslashreplace"),
        }
        line["useragent"] = masked(line["useragent"])
        self._write(json.dumps({name: value for name, value in line.items() if value != ""}, separators=(",", ":")))


def _what(call: Call, segments: Mapping[str, str]) -> dict[str, Any]:
    """Action, kind, repository, and what it is about there."""
    method = call.request.method.decode("ascii")
    found: dict[str, Any] = {"action": _ACTIONS.get(method, method), "kind": "blob", "repository": call.name}
    digest = _query(call, "digest") or segments.get("digest", "")
    if "reference" in segments:
        reference = segments["reference"]
        found["kind"] = "manifest"
        if ":" in reference:
            digest = reference
        else:
            found["kind"] = "tag" if method == "DELETE" else "manifest"
            found["tag"] = reference
        if _query(call, "tag"):
            found["tags"] = call.queries("tag")
    elif "digest" not in segments:
        mounted = _query(call, "mount")
        if mounted and call.request.code == 201:
            return {**found, "action": "mount", "digest": mounted, "from": _query(call, "from")}
        found["kind"] = "blob" if call.request.code == 201 else "upload"
        found["upload"] = segments.get("uuid", "")
        if method == "DELETE":
            found["action"] = "cancel"
    given = call.request.responseHeaders.getRawHeaders(b"docker-content-digest")
    found["digest"] = given[-1].decode("ascii") if given else digest
    return found


def _query(call: Call, name: str) -> str:
    """Empty if it is absent, or no text."""
    try:
        return call.query(name) or ""
    except BadRequest:
        return ""
