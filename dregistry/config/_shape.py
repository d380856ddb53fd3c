"""The model's classes as the levels of a YAML tree: which keys stand where, and what stands below them."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import frozen

from dregistry.config._field import CHECK, FIXED, GO_NAME, NAME, Check, DriverSection

PARAMETERS = dict[str, object]
"""The type of options that are handed on raw."""


@frozen
class Key:
    """One key of a section.

    :ivar attribute: its name in the model.
    :ivar name: its name in YAML.
    :ivar go: the name of distribution's field.
    :ivar type: what stands below, None taken out of a union.
    :ivar check: what a value must satisfy, or None.
    :ivar fixed: the environment may not set it.
    """

    attribute: str
    name: str
    go: str
    type: Any
    check: Check | None
    fixed: bool


def keys_of(section: type) -> Mapping[str, Key]:
    """The keys of a section by YAML name, those of a backend's options left out."""
    hidden = {field.name for field in attrs.fields(DriverSection)} if is_driver_section(section) else set()
    found = {}
    for field in attrs.fields(section):
        if field.name not in hidden:
            name = field.metadata.get(NAME) or field.name
            go = field.metadata.get(GO_NAME) or name
            check, fixed = field.metadata.get(CHECK), bool(field.metadata.get(FIXED))
            found[name] = Key(field.name, name, go, _without_none(field.type), check, fixed)
    return found


def environment_names(section: type) -> Mapping[str, Key]:
    """The keys of a section by what the environment calls them: Go's name and YAML's, in upper case."""
    keys = keys_of(section).values()
    return {key.name.upper(): key for key in keys} | {key.go.upper(): key for key in keys}


def section_class(type_: Any) -> type | None:
    """The model class that stands here, if one does."""
    return type_ if isinstance(type_, type) and attrs.has(type_) else None


def is_driver_section(section: type) -> bool:
    """Whether a backend's name may stand among the section's keys."""
    return issubclass(section, DriverSection)


def item_type(type_: Any) -> Any:
    """What a list here consists of, None when it is no list."""
    return get_args(type_)[0] if get_origin(type_) in (tuple, list) else None


def value_type(type_: Any) -> Any:
    """What a mapping of free keys has as values here, None when it is no such mapping."""
    return get_args(type_)[1] if get_origin(type_) is dict else None


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that ``word`` was probably meant to be."""
    by_case = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:100], by_case, 1, cutoff)
    return by_case[found[0]] if found else None


def _without_none(type_: Any) -> Any:
    if get_origin(type_) in (Union, types.UnionType):
        rest = [part for part in get_args(type_) if part is not type(None)]
        return rest[0] if len(rest) == 1 else type_
    return type_
