"""
What is counted of requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from time import perf_counter
from typing import Any

from .families import (
    AUTH_FAILURES,
    HTTP_DURATION,
    HTTP_IN_FLIGHT,
    HTTP_REQUEST_SIZE,
    HTTP_REQUESTS,
    HTTP_RESPONSE_SIZE,
    UPLOADS,
)
from .recorder import Counter, Recorder

_SECONDS = HTTP_DURATION.bounds
_BYTES = HTTP_REQUEST_SIZE.bounds
_SMALL = _BYTES[0]
_SUM_OF_SECONDS = len(_SECONDS) + 1
_SUM_OF_BYTES = len(_BYTES) + 1


class HttpMetrics:
    """:param clock: seconds, from any moment."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = perf_counter) -> None:
        self.recorder = recorder
        self._clock = clock
        self._refused: dict[str, Counter] = {}

    def route(self, handler: str, brings_blob: bool = False) -> RouteMetrics:
        """
        Of a route.

        :param handler: distribution's name for it.
        :param brings_blob: whether its requests have bytes of a blob as their body.
        """
        return RouteMetrics(self.recorder, handler, brings_blob, self._clock)

    def refused(self, reason: str) -> None:
        """Access was refused to a request."""
        counter = self._refused.get(reason)
        if counter is None:
            counter = self._refused[reason] = self.recorder.counter(AUTH_FAILURES, reason)
        counter.add()


class RouteMetrics:
    """
    See :meth:`HttpMetrics.route`. It adds to cells itself: each request pays for what this does.
    """

    def __init__(self, recorder: Recorder, handler: str, brings_blob: bool, clock: Callable[[], float]) -> None:
        self._recorder = recorder
        self._handler = handler
        self._clock = clock
        self._cells = recorder.cells
        self._in_flight = recorder.place(HTTP_IN_FLIGHT, handler)
        self._uploads = recorder.counter(UPLOADS) if brings_blob else None
        self._request_size = recorder.place(HTTP_REQUEST_SIZE, handler)
        self._response_size = recorder.place(HTTP_RESPONSE_SIZE, handler)
        self._places: dict[tuple[bytes, int], tuple[int, int]] = {}

    def begin(self, request: Any) -> None:
        """A handler is about to be called. The request has :meth:`end` called when it has ended, in whatever way."""
        self._cells[self._in_flight] += 1.0
        if self._uploads is not None:
            self._uploads.add()
        request.route_metrics = self
        request.began = self._clock()

    def end(self, request: Any, code: int) -> None:
        """The request has its answer, or nobody to have one."""
        seconds = self._clock() - request.began
        request.route_metrics = None
        if self._uploads is not None:
            self._uploads.add(-1.0)
        key = (request.method, code)
        requests, duration = self._places.get(key) or self._first(key)
        cells = self._cells
        cells[self._in_flight] -= 1.0
        cells[requests] += 1.0
        cells[duration + bisect_left(_SECONDS, seconds)] += 1.0
        cells[duration + _SUM_OF_SECONDS] += seconds
        place, size = self._request_size, request.head_size + (request.body.length or 0)
        cells[place if size <= _SMALL else place + bisect_left(_BYTES, size)] += 1.0
        cells[place + _SUM_OF_BYTES] += size
        place, size = self._response_size, request.sentLength
        cells[place if size <= _SMALL else place + bisect_left(_BYTES, size)] += 1.0
        cells[place + _SUM_OF_BYTES] += size

    def _first(self, key: tuple[bytes, int]) -> tuple[int, int]:
        method = key[0].decode("ascii", "replace").lower()
        found = self._places[key] = (
            self._recorder.place(HTTP_REQUESTS, self._handler, method, str(key[1])),
            self._recorder.place(HTTP_DURATION, self._handler, method),
        )
        return found
