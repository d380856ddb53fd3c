"""The ``notifications`` section: who is told what happens."""

from typing import Literal

from attrs import Factory, field, frozen

from dregistry.config._duration import Seconds
from dregistry.config._field import about, at_least

_SECOND = Seconds(1.0)
_FIVE_MINUTES = Seconds(300.0)
_DAY = Seconds(86_400.0)
_WEEK = Seconds(7 * 86_400.0)


def _time(seconds: Seconds) -> Seconds:
    """Read zero and below as one second, as distribution does."""
    return seconds if seconds > 0 else _SECOND


def _failures(count: int) -> int:
    """Read zero and below as ten, as distribution does."""
    return count if count > 0 else 10


@frozen
class Events:
    """``notifications.events``.

    :ivar record: (dregistry's own) keep every event for ``/v2/_dregistry/events``, not only those that an endpoint is
        to have.
    :ivar pullon: (dregistry's own) which requests are pulls: ``any`` as in distribution, also HEAD and those that are
        answered 304 or 416; ``get`` for those that are sent content, or are sent elsewhere for it.
    """

    includereferences: bool = False
    record: bool = False
    pullon: Literal["any", "get"] = "any"


@frozen
class Ignore:
    """``notifications.endpoints[].ignore``: events that are not sent.

    :ivar targets: (dregistry's own) what they happened to; ``tag`` is the deletion of a tag alone.
    """

    mediatypes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    targets: tuple[Literal["manifest", "blob", "tag"], ...] = ()


@frozen
class Endpoint:
    """``notifications.endpoints[]``: one listener of events. All from ``backoffmax`` on are dregistry's own.

    :ivar headers: sent with every request, name to values.
    :ivar timeout: seconds a request may take.
    :ivar threshold: failures in a row before backing off.
    :ivar backoff: seconds to wait then, doubled by each further failure.
    :ivar backoffmax: seconds that are waited at most, unless ``backoff`` is more.
    :ivar secret: key of the signature that requests carry; none without it.
    :ivar mediatype: of distribution's envelope: ``v2`` as registry:3 sends it, ``v1`` as registry:2 does.
    :ivar sink: what kind of endpoint it is.
    :ivar options: the sink's own, raw.
    """

    name: str = ""
    disabled: bool = False
    url: str = ""
    headers: dict[str, list[str]] = Factory(dict)
    timeout: Seconds = field(default=_SECOND, converter=_time)
    threshold: int = field(default=10, converter=_failures)
    backoff: Seconds = field(default=_SECOND, converter=_time)
    ignoredmediatypes: tuple[str, ...] = ()
    ignore: Ignore = Factory(Ignore)
    backoffmax: Seconds = _FIVE_MINUTES
    secret: str = field(default="", repr=False)
    mediatype: Literal["v2", "v1"] = "v2"
    format: Literal["distribution", "cloudevents"] = "distribution"
    sink: str = "webhook"
    options: dict[str, object] = Factory(dict)


@frozen
class Notifications:
    """``notifications``. All but ``events`` and ``endpoints`` is dregistry's own.

    :ivar spool: the folder of the outbox; ``""`` for one below the storage's directory.
    :ivar maxpending: events that the outbox holds at most.
    :ivar maxage: seconds after which an event that an endpoint did not take is given up.
    :ivar keep: seconds for which an event is kept although every endpoint has it.
    """

    events: Events = field(factory=Events, metadata=about(go="EventConfig"))
    endpoints: tuple[Endpoint, ...] = ()
    spool: str = ""
    maxpending: int = field(default=1_000_000, metadata=about(check=at_least(1)))
    maxage: Seconds = _WEEK
    keep: Seconds = _DAY
