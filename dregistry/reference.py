"""
Repository names, tags and references.

The grammar is distribution-spec's ("Pulling manifests"); the limit of 255 characters for a name is distribution's.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from .digest import Digest
from .errors import NameInvalid, TagInvalid

NAME_LIMIT = 255
"""Characters of a repository name, slashes included."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

Reference: TypeAlias = "str | Digest"
"""What a manifest is asked for by: a tag (a checked string) or a digest."""


def parse_name(text: str) -> str:
    """
    Check a repository name and give it back.

    :raise NameInvalid: saying whether the length or the grammar is at fault.
    """
    if len(text) > NAME_LIMIT:
        raise NameInvalid(f"a repository name has at most {NAME_LIMIT} characters, this one has {len(text)}")
    if _NAME.fullmatch(text) is None:
        raise NameInvalid(
            "path components are lower-case letters and digits, separated by one of . _ __ or dashes: "
            f"{text!r} is not of that form"
        )
    return text


def parse_tag(text: str) -> str:
    """
    Check a tag and give it back.

    :raise TagInvalid: if it does not match the grammar.
    """
    if _TAG.fullmatch(text) is None:
        raise TagInvalid(
            "a tag is a letter, digit or _ followed by at most 127 of letters, digits, . _ -: "
            f"{text[:160]!r} is not of that form"
        )
    return text


def parse_reference(text: str) -> Reference:
    """
    A tag or, if there is a colon, a digest.

    :raise TagInvalid:
    :raise DigestInvalid:
    """
    return Digest.parse(text) if ":" in text else parse_tag(text)
