"""
Events as they are kept: the members of distribution's event, without spaces.

What is always there, what is left out when it is empty, and the order is that of distribution's v3 event; see
:mod:`.envelope` for what is sent. The first two members, ``id`` and ``timestamp``, are made when an event is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from attrs import frozen

from ..manifest import OCTET_STREAM, Descriptor
from ..registry.listener import DELETE, Origin, RegistryEvent

_NANOSECONDS = 10**9
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")

_quoted = json.encoder.encode_basestring
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen
class Source:
    """
    Which registry an event comes from.

    :ivar address: host name and port.
    :ivar instance: of all processes of one start.
    """

    address: str
    instance: str


class Record(NamedTuple):
    """An event as it is kept: a row of the outbox."""

    time: int
    """When it took place, in nanoseconds since the epoch."""
    action: str
    media_type: str
    kind: str
    """What it happened to, see :class:`.RegistryEvent`."""
    content: str
    """The event's JSON, but for ``id`` and ``timestamp``."""


class Recorder:
    """
    Makes records of one registry's events.

    It writes their JSON piece by piece: of what a pull costs, a general encoder would take a third.
    """

    def __init__(self, source: Source) -> None:
        self._source = to_json({"addr": source.address, "instanceID": source.instance})

    def record(self, event: RegistryEvent, now: int) -> Record:
        """
        :param now: nanoseconds since the epoch.
        """
        actor = f'{{"name":{_quoted(event.origin.actor)}}}' if event.origin.actor else "{}"
        content = (
            f'{{"action":{_quoted(event.action)},"target":{_target(event)},"request":{_request(event.origin)},'
            f'"actor":{actor},"source":{self._source}}}'
        )
        return Record(now, event.action, event.media_type, event.kind, content)


def _target(event: RegistryEvent) -> str:
    digest = str(event.digest) if event.digest is not None else ""
    members = f'"mediaType":{_quoted(event.media_type)},"digest":"{digest}","size":{event.size}'
    if event.size:
        members += f',"length":{event.size}'
    members += f',"repository":"{event.repository}"'
    if event.from_repository:
        members += f',"fromRepository":"{event.from_repository}"'
    if digest and event.action != DELETE:
        kind = "blobs" if event.media_type == OCTET_STREAM else "manifests"
        members += f',"url":{_quoted(f"{event.origin.base_url}/v2/{event.repository}/{kind}/{digest}")}'
    if event.tag:
        members += f',"tag":"{event.tag}"'
    if event.references:
        members += f',"references":{to_json([_descriptor(each) for each in event.references])}'
    return f"{{{members}}}"


def _request(origin: Origin) -> str:
    address = f',"addr":{_quoted(origin.address)}' if origin.address else ""
    host = f',"host":{_quoted(origin.host)}' if origin.host else ""
    return (
        f'{{"id":"{origin.request_id}"{address}{host},"method":{_quoted(origin.method)},'
        f'"useragent":{_quoted(origin.user_agent)}}}'
    )


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.urls:
        found["urls"] = list(descriptor.urls)
    if descriptor.annotations:
        found["annotations"] = dict(sorted(descriptor.annotations.items()))
    if descriptor.platform:
        found["platform"] = _platform(descriptor.platform)
    if descriptor.artifact_type:
        found["artifactType"] = descriptor.artifact_type
    return found


def _platform(platform: Mapping[str, Any]) -> dict[str, Any]:
    """The two that always stand there, and others that are not empty."""
    return {
        member: platform.get(member, "")
        for member in _PLATFORM
        if platform.get(member) or member in ("architecture", "os")
    }


def complete(number: int, time: int, content: str) -> str:
    """
    The whole JSON of an event, always the same.

    :param number: its place in the outbox.
    :param time: see :class:`Record`, also for ``content``.
    """
    noise = blake2b(f"{number} {content}".encode("utf-8", "surrogatepass"), digest_size=10)
    return f'{{"id":"{uuid7(time, noise.hexdigest())}","timestamp":"{timestamp(time)}",{content[1:]}'


def uuid7(time: int, noise: str) -> str:
    """
    A version 7 UUID (RFC 9562, 5.7).

    :param time: nanoseconds since the epoch.
    :param noise: twenty hexadecimal digits.
    """
    digits, variant = f"{time // 10**6:012x}", "89ab"[int(noise[3], 16) & 3]
    return f"{digits[:8]}-{digits[8:]}-7{noise[:3]}-{variant}{noise[4:7]}-{noise[7:19]}"


def timestamp(now: int) -> str:
    """RFC 3339 with the local offset and as many digits of the nanosecond as there are, as Go writes it."""
    seconds, fraction = divmod(now, _NANOSECONDS)
    whole, offset = _second(seconds)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{whole}{digits}{offset}"


@lru_cache(maxsize=4)
def _second(seconds: int) -> tuple[str, str]:
    local = time.localtime(seconds)
    if not local.tm_gmtoff:
        return time.strftime("%Y-%m-%dT%H:%M:%S", local), "Z"
    minutes = abs(local.tm_gmtoff) // 60
    sign = "-" if local.tm_gmtoff < 0 else "+"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
