"""
Faults that a registry has when a test asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from attrs import define, field, frozen

Predicate: TypeAlias = Callable[[str, str], bool]
"""Whether it is about a request: of its method, and its path without the query."""

_CODES = {
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "NAME_UNKNOWN",
    405: "UNSUPPORTED",
    429: "TOOMANYREQUESTS",
    503: "UNAVAILABLE",
}


@frozen
class Fault:
    """
    What goes wrong with a request. Several may be set: a slow answer that breaks off.

    :ivar delay: seconds before anything is done.
    :ivar status: answer this at once, with a body in the API's form; None to serve the request.
    :ivar headers: of that answer.
    :ivar code: of the API, in that answer's body; empty for the one that goes with the status.
    :ivar after_request_bytes: close the connection when more bytes than these have come of the request's body. Those go
        where they would go.
    :ivar after_answer_bytes: close the connection instead of sending more bytes than these of the answer's body.
    """

    delay: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    code: str = ""
    after_request_bytes: int | None = None
    after_answer_bytes: int | None = None

    @property
    def document(self) -> dict[str, object]:
        """The body of an answer with that status."""
        code = self.code or _CODES.get(self.status or 0, "UNKNOWN")
        return {"errors": [{"code": code, "message": "a fault that a test asked for"}]}


def on(methods: str, path: str) -> Predicate:
    """
    Requests with one of some methods, and with a path.

    :param methods: with spaces between them; ``GET`` is not ``HEAD``. Empty for all.
    :param path: a regular expression of all of the path.
    """
    wanted = methods.split()
    compiled = re.compile(path)
    return lambda method, found: (not wanted or method in wanted) and compiled.fullmatch(found) is not None


class Rule(Protocol):
    def take(self, method: str, path: str, now: float) -> Fault | None:
        """The fault of a request that comes now, in seconds of any clock; None if it has none."""


@define(eq=False)
class Injection:
    """
    A fault that some requests have.

    :ivar skip: requests that are served before the first one that has it.
    :ivar times: requests that have it; None for all.
    """

    fault: Fault
    when: Predicate
    skip: int = 0
    times: int | None = None

    def take(self, method: str, path: str, now: float) -> Fault | None:
        if self.times == 0 or not self.when(method, path):
            return None
        if self.skip:
            self.skip -= 1
            return None
        if self.times is not None:
            self.times -= 1
        return self.fault


@define(eq=False)
class RateLimit:
    """
    So many requests in so many seconds, which begin with the first; the others are answered 429, with the whole seconds
    that are left in ``Retry-After``.
    """

    requests: int
    seconds: float
    when: Predicate
    _begun: float | None = None
    _used: int = 0

    def take(self, method: str, path: str, now: float) -> Fault | None:
        if not self.when(method, path):
            return None
        if self._begun is None or now - self._begun >= self.seconds:
            self._begun, self._used = now, 0
        if self._used < self.requests:
            self._used += 1
            return None
        left = self._begun + self.seconds - now
        return Fault(status=429, headers={"Retry-After": str(max(1, -int(-left // 1)))})
