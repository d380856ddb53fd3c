"""
The families of metrics: distribution's, by its names, labels and buckets, so that dashboards drawn for it draw here;
and this registry's own, which begin with ``dregistry_``.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REQUEST_SECONDS = (*_SECONDS, 25.0, 60.0)
_BYTES = tuple(1024.0 * 2**power for power in range(22))
_WAIT_SECONDS = (0.0005, 0.001, 0.0025, *_SECONDS)


@frozen
class Family:
    """
    :ivar name: of a counter without the ``_total`` that it is shown with.
    :ivar labels: the names of its labels.
    :ivar bounds: the upper bounds of a histogram's buckets, but for the infinite one.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def cells(self) -> int:
        """Numbers that a time series takes: a histogram's are its buckets, not yet added up, and the sum."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


HTTP_REQUESTS = Family(
    "registry_http_requests", "counter", "Total number of HTTP requests made.", ("handler", "method", "code")
)
HTTP_DURATION = Family(
    "registry_http_request_duration_seconds",
    "histogram",
    "The HTTP request latencies in seconds.",
    ("handler", "method"),
    _REQUEST_SECONDS,
)
HTTP_REQUEST_SIZE = Family(
    "registry_http_request_size_bytes", "histogram", "The HTTP request sizes in bytes.", ("handler",), _BYTES
)
HTTP_RESPONSE_SIZE = Family(
    "registry_http_response_size_bytes", "histogram", "The HTTP response sizes in bytes.", ("handler",), _BYTES
)
HTTP_IN_FLIGHT = Family("registry_http_in_flight_requests", "gauge", "The in-flight HTTP requests", ("handler",))
STORAGE_ACTION = Family(
    "registry_storage_action_seconds",
    "histogram",
    "The number of seconds that the storage action takes",
    ("driver", "action"),
    _SECONDS,
)
STORAGE_CACHE = Family("registry_storage_cache", "counter", "The number of cache request received", ("type",))
REACTOR_LAG = Family(
    "dregistry_reactor_lag_seconds",
    "histogram",
    "How late the event loop of a worker is, looked at each second",
    (),
    _WAIT_SECONDS,
)
POOL_QUEUE = Family("dregistry_thread_pool_queue_length", "gauge", "Calls that wait for a thread", ("pool",))
POOL_BUSY = Family("dregistry_thread_pool_busy_threads", "gauge", "Threads at work", ("pool",))
POOL_WAIT = Family(
    "dregistry_thread_pool_wait_seconds",
    "histogram",
    "How long calls waited for a thread",
    ("pool",),
    _WAIT_SECONDS,
)
CONNECTIONS = Family("dregistry_open_connections", "gauge", "Connections of clients")
UPLOADS = Family("dregistry_uploads_in_progress", "gauge", "Requests that bring the bytes of a blob, under way")
AUTH_FAILURES = Family(
    "dregistry_auth_failures",
    "counter",
    "Requests that were refused: without credentials (anonymous), with others than it takes (credentials), "
    "or for what the user may not do (denied)",
    ("reason",),
)
CPU = Family("process_cpu_seconds", "counter", "Total user and system CPU time spent in seconds, by all workers.")
WORKER_EXITS = Family("dregistry_worker_exits", "counter", "Processes that ended without being told to")
MAINTENANCE_RUNS = Family(
    "dregistry_maintenance_runs", "counter", "Rounds of a task beside the registry", ("task", "outcome")
)
MAINTENANCE_LAST = Family(
    "dregistry_maintenance_last_success_timestamp_seconds", "gauge", "When a task last went well", ("task",)
)

COUNTED = (
    HTTP_REQUESTS,
    HTTP_DURATION,
    HTTP_REQUEST_SIZE,
    HTTP_RESPONSE_SIZE,
    HTTP_IN_FLIGHT,
    STORAGE_ACTION,
    STORAGE_CACHE,
    REACTOR_LAG,
    POOL_QUEUE,
    POOL_BUSY,
    POOL_WAIT,
    CONNECTIONS,
    UPLOADS,
    AUTH_FAILURES,
    CPU,
    WORKER_EXITS,
    MAINTENANCE_RUNS,
    MAINTENANCE_LAST,
)
"""Those that processes count as they go."""

CACHE_REQUESTS = Family("registry_storage_cache_requests", "counter", "The number of cache requests received")
CACHE_HITS = Family("registry_storage_cache_hits", "counter", "The number of cache requests that were answered")
CACHE_ERRORS = Family("registry_storage_cache_errors", "counter", "The number of cache requests that failed")
EVENTS = Family("registry_notifications_events", "counter", "The number of total events", ("type", "endpoint"))
PENDING = Family("registry_notifications_pending_total", "gauge", "The gauge of pending events in queue", ("endpoint",))
STATUSES = Family("registry_notifications_status", "counter", "The number of status code", ("code", "endpoint"))
DEAD_LETTERS = Family("dregistry_notifications_dead_letters", "counter", "Events that were given up", ("endpoint",))
OLDEST_PENDING = Family(
    "dregistry_notifications_oldest_pending_seconds",
    "gauge",
    "The age of the event that an endpoint is to have next, 0 if it has all",
    ("endpoint",),
)
OUTBOX_EVENTS = Family("dregistry_notifications_outbox_events", "gauge", "Events that the outbox holds")
WORKERS = Family("dregistry_workers", "gauge", "Processes that take requests")
CHECK_FAILING = Family(
    "dregistry_health_check_failing", "gauge", "Whether a health check fails, in any worker", ("check",)
)
BUILD = Family("dregistry_build_info", "gauge", "What runs", ("version",))
RESIDENT = Family(
    "process_resident_memory_bytes", "gauge", "Resident memory size in bytes, of all processes of the registry."
)
OPEN_FDS = Family("process_open_fds", "gauge", "Number of open file descriptors, of all processes of the registry.")
START_TIME = Family("process_start_time_seconds", "gauge", "Start time of the registry since unix epoch in seconds.")

ASKED = (
    CACHE_REQUESTS,
    CACHE_HITS,
    CACHE_ERRORS,
    EVENTS,
    PENDING,
    STATUSES,
    DEAD_LETTERS,
    OLDEST_PENDING,
    OUTBOX_EVENTS,
    WORKERS,
    CHECK_FAILING,
    BUILD,
    RESIDENT,
    OPEN_FDS,
    START_TIME,
)
"""Those that are found out when somebody asks."""
