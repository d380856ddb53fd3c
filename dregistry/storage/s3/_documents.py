"""
The service's XML, and the forms of single values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from .. import StorageUnavailable
from ._client import Answer

_NAMESPACE = re.compile(rb'\sxmlns="[^"]*"')


def query_of(**fields: object) -> str:
    return urlencode({name: str(value) for name, value in fields.items()}, quote_via=quote)


def md5_of(pieces: Sequence[bytes]) -> str:
    hashed = md5(usedforsecurity=False)
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()


def seconds_of(date: str) -> float | None:
    """Of a header field."""
    return parsedate_to_datetime(date).timestamp() if date else None


def bare(etag: str) -> str:
    return etag.strip('"')


def document_of(answer: Answer) -> Any:
    """The root of an answer's XML. Some services give it a namespace, some none: it is taken off."""
    try:
        return ElementTree.fromstring(_NAMESPACE.sub(b"", answer.body, count=1))  # noqa: S314 -- of the service that is configured
    except ElementTree.ParseError as error:
        raise StorageUnavailable(f"the service answered {answer.status} with what is no XML: {error}") from None


def text_of(element: Any, name: str) -> str:
    return str(element.findtext(name) or "")


def continues_at(root: Any, name: str) -> str:
    """Where a listing goes on; empty if it does not."""
    return text_of(root, name) if text_of(root, "IsTruncated").lower() == "true" else ""
