"""
What endpoints are sent: events in distribution's envelope, of registry:3 or of registry:2, or as CloudEvents.

The bytes are those that Go's encoder makes of distribution's envelope, three spaces to a level.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

V2 = "application/vnd.docker.distribution.events.v2+json"
V1 = "application/vnd.docker.distribution.events.v1+json"
CLOUDEVENTS = "application/cloudevents+json"

_V1_DESCRIPTOR = ("mediaType", "size", "digest", "urls", "annotations", "platform")
_DESCRIPTOR = frozenset((*_V1_DESCRIPTOR, "data", "artifactType"))
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    | {chr(half): "\ufffd" for half in range(0xD800, 0xE000)}
)


@frozen
class Encoded:
    content: bytes
    media_type: str


def encode(event: Mapping[str, Any], media_type: str) -> Encoded:
    """
    One event in an envelope.

    :param event: as :class:`.event.Recorder` makes them.
    :param media_type: V2, V1 or CLOUDEVENTS.
    """
    if media_type == CLOUDEVENTS:
        return Encoded(_go_json(_cloud_event(event)), media_type)
    members = _v1(event) if media_type == V1 else event
    return Encoded(_go_json({"events": [members]}), media_type)


def _go_json(value: Any) -> bytes:
    """As ``json.MarshalIndent`` of Go writes it."""
    return json.dumps(value, ensure_ascii=False, indent="   ").translate(_ESCAPES).encode("utf-8")


def _v1(event: Mapping[str, Any]) -> dict[str, Any]:
    """registry:2 leaves out members of a descriptor that are empty, has the size first, and knows no artifact types."""
    target = event["target"]
    members = _v1_descriptor(target) | {name: value for name, value in target.items() if name not in _DESCRIPTOR}
    if "references" in target:
        members["references"] = [_v1_descriptor(each) for each in target["references"]]
    return {**event, "target": members}


def _v1_descriptor(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    return {name: descriptor[name] for name in _V1_DESCRIPTOR if descriptor.get(name)}


def _cloud_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """CloudEvents 1.0, JSON format, structured mode."""
    target = event["target"]
    subject = target["repository"]
    if target.get("tag"):
        subject += f":{target['tag']}"
    elif target["digest"]:
        subject += f"@{target['digest']}"
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": f"//{event['source']['addr']}",
        "type": f"dregistry.{event['action']}",
        "subject": subject,
        "time": event["timestamp"],
        "datacontenttype": "application/json",
        "data": dict(event),
    }
