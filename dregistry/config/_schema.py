"""The configuration's shape as a JSON Schema, read off the model's classes.

It takes what the reader takes: strings may be written as numbers, durations are Go's or integers of
nanoseconds, a key without a value has its default. Two things are stricter: a key that nothing reads is an
error instead of a warning, and what looks like a string to YAML 1.2 (``yes``) is no boolean. Values that are
wrong beyond their shape, and the environment, are the start's to check.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

import attrs
from attrs import frozen

from dregistry.config._describe import Option, describe_options
from dregistry.config._duration import Seconds
from dregistry.config._field import AtLeast, external_url, url_prefix
from dregistry.config._load import OLD_NAMES, VERSION
from dregistry.config._model import Configuration
from dregistry.config._model_auth import Auth
from dregistry.config._model_notifications import Endpoint, Notifications
from dregistry.config._model_services import Middleware, Middlewares
from dregistry.config._model_storage import Storage
from dregistry.config._shape import Key, item_type, keys_of, section_class, value_type

Schema = dict[str, Any]
Factories = Mapping[str, type]
"""Options classes of one kind of backend, by the backends' names."""

_UNIT = "(ns|us|\u00b5s|\u03bcs|ms|s|m|h)"
_DEFINITIONS: Schema = {
    "string": {"type": ["string", "number", "boolean"]},
    "duration": {
        "description": "10s, 1h30m or 168h; an integer is nanoseconds.",
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
            {"type": "string", "maxLength": 200, "pattern": rf"^\+?(0|([0-9]+\.?[0-9]*{_UNIT}|\.[0-9]+{_UNIT})+)$"},
        ],
    },
    "boolean": {"anyOf": [{"type": "boolean"}, {"enum": ["y", "Y", "n", "N"]}]},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "headers": {
        "type": "object",
        "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},
        "additionalProperties": {
            "type": ["array", "null"],
            "items": {"$ref": "#/$defs/string", "pattern": "^[\\t -~\u0080-\uffff]*$"},
        },
    },
}
_SCALARS = {str: "string", Seconds: "duration", bool: "boolean", int: "integer", float: "number"}
_HEADERS = dict[str, list[str]]
_CHECKS: Mapping[Any, Schema] = {
    url_prefix: {"pattern": "^(/[!-~]*)?$"},
    external_url: {"pattern": "^([Hh][Tt][Tt][Pp][Ss]?://.+)?$"},
}
_TITLE = re.compile(r"^\s*``[^`]+``[.:;,]?\s*")
"""The place of a section, at the beginning of its class's docstring."""
_IVAR = re.compile(r":ivar (\w+): (.*?)(?=\n\s*:|\n\s*\n|\Z)", re.DOTALL)


@frozen
class Backends:
    """The options of the backends that are installed."""

    storage: Factories
    middleware: Factories
    auth: Factories
    sinks: Factories


def json_schema(backends: Backends) -> Schema:
    """The schema, of JSON Schema's draft 2020-12."""
    for factories in attrs.astuple(backends, recurse=False):
        for options in factories.values():
            attrs.resolve_types(options)
    schema = _Writer(backends).section(Configuration)
    schema["properties"]["version"] = {"enum": [float(VERSION), VERSION], "description": "Of the file's format."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of dregistry",
        **schema,
        "required": ["version", "storage"],
        "$defs": _DEFINITIONS,
    }


class _Writer:
    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    def section(self, cls: type) -> Schema:
        """An object with the keys of a class, in the order in which they stand there."""
        said = _described(cls)
        defaults = {option.name: option for option in describe_options(cls)}
        properties, required = {}, []
        for name, key in keys_of(cls).items():
            option = defaults.get(name)
            properties[name] = self._key(cls, key, option, said.get(key.attribute))
            if option is not None and option.required:
                required.append(name)
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if "" in said:
            schema["description"] = said[""]
        return schema | ({"required": required} if required else {})

    def _key(self, cls: type, key: Key, option: Option | None, said: str | None) -> Schema:
        schema = self._special(cls, key) or self._value(key.type)
        needed = key.type is Storage if option is None else option.required
        if not needed:
            schema = _or_nothing(schema, key.type)
        bounds = {"minimum": key.check.least} if isinstance(key.check, AtLeast) else _CHECKS.get(key.check, {})
        more = {"description": said, "default": None if option is None else option.default}
        schema = {**schema, **bounds, **{name: value for name, value in more.items() if value is not None}}
        old = any(cls is owner and key.name == name for owner, name in _OLD_KEYS)
        return schema | ({"deprecated": True} if old else {})

    def _special(self, cls: type, key: Key) -> Schema | None:
        """What is not to be read off the type of a key."""
        found = self._backends
        special: Mapping[tuple[type, str], Callable[[], Schema]] = {
            (Configuration, "storage"): lambda: self._driver(Storage, found.storage, required=True),
            (Configuration, "auth"): lambda: self._driver(Auth, {**found.auth, "none": _NoOptions}, required=False),
            (Auth, "controllers"): lambda: _array(self._one_of(found.auth)),
            (Auth, "tokenserver"): lambda: self._options(found.auth["tokenserver"]),
            (Middlewares, "storage"): lambda: _array(self._entry(Middleware, "name", found.middleware)),
            (Notifications, "endpoints"): lambda: _array(self._entry(Endpoint, "sink", found.sinks, "webhook")),
        }
        write = special.get((cls, key.name))
        return None if write is None else write()

    def _one_of(self, factories: Factories) -> Schema:
        named = {name: self._options(each) for name, each in factories.items()}
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": named,
            "additionalProperties": False,
        }

    def _driver(self, cls: type, factories: Factories, required: bool) -> Schema:
        """A section that names a backend: by a string, or by the key of its options."""
        whole = self.section(cls)
        own = set(whole["properties"])
        drivers = {name: self._options(options) for name, options in factories.items() if name not in own}
        whole["properties"] = {**drivers, **whole["properties"]}
        names = sorted(drivers)
        exactly_one: list[Schema] = [{"required": [name]} for name in names]
        if not required:
            exactly_one.append({"not": {"anyOf": [{"required": [name]} for name in names]}})
        whole["oneOf"] = exactly_one
        alone = [name for name in names if "null" in drivers[name]["type"]]
        return {"anyOf": [{"enum": alone if required else [*alone, ""]}, whole]}

    def _options(self, options: type) -> Schema:
        """Of a backend; nothing at all will do, too, if it needs none."""
        schema = self.section(options)
        return schema if "required" in schema else {**schema, "type": ["object", "null"]}

    def _entry(self, cls: type, key: str, factories: Factories, default: str | None = None) -> Schema:
        """A list's item that names a backend by ``key``, and has its ``options``, unless it is disabled."""
        schema = self.section(cls)
        schema["properties"][key] = {**schema["properties"][key], "examples": sorted(factories)}
        active: Schema = {"properties": {key: {"enum": sorted(factories)}}, "allOf": []}
        if default is None:
            active["required"] = [key]
        for name, options in sorted(factories.items()):
            meant = {"properties": {key: {"const": name}}, "required": [key] if name != default else []}
            taken = self._options(options)
            then: Schema = {"properties": {"options": taken}}
            if "required" in taken:
                then["required"] = ["options"]
            active["allOf"].append({"if": meant, "then": then})
        disabled = {"properties": {"disabled": {"enum": [True, "y", "Y"]}}, "required": ["disabled"]}
        return {**schema, "if": disabled, "else": active}

    def _value(self, type_: Any) -> Schema:
        section = section_class(type_)
        if section is not None:
            return self.section(section)
        if item_type(type_) is not None:
            return _array(self._value(item_type(type_)))
        if type_ != _HEADERS and value_type(type_) is not None:
            return {"type": "object", "additionalProperties": self._value(value_type(type_))}
        return _simple(type_)


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _simple(type_: Any) -> Schema:
    if get_origin(type_) is Literal:
        return _choice([word for word in get_args(type_) if word])
    if re.Pattern in (type_, get_origin(type_)):
        return {"$ref": "#/$defs/string", "format": "regex"}
    named = "headers" if type_ == _HEADERS else _SCALARS.get(type_)
    return {} if named is None else {"$ref": f"#/$defs/{named}"}


@frozen
class _NoOptions:
    """Nobody is asked who they are."""


_OLD_KEYS = {(Configuration, "loglevel"), (keys_of(Storage)["cache"].type, "layerinfo")}
assert {old[-1] for old, _ in OLD_NAMES} == {name for _, name in _OLD_KEYS}


def _choice(words: list[str]) -> Schema:
    """One of some words, in whatever case."""
    cased = ["".join(_in_any_case(mark) for mark in word) for word in words]
    return {"anyOf": [{"enum": words}, {"type": "string", "pattern": f"^({'|'.join(cased)})$"}]}


def _in_any_case(mark: str) -> str:
    return f"[{mark}{mark.upper()}]" if mark.isalpha() else f"[{mark}]"


def _or_nothing(schema: Schema, type_: Any) -> Schema:
    """A key may stand without a value; a choice, with an empty one."""
    if not schema:
        return schema
    nothing: list[Any] = [None, ""] if get_origin(type_) is Literal else [None]
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"enum": nothing}]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"enum": nothing}]}


def _described(cls: type) -> Mapping[str, str]:
    """What the docstring of a class says of its attributes, and of itself under the name ``""``."""
    text = cls.__dict__.get("__doc__") or ""
    found = {name: _sentence(said) for name, said in _IVAR.findall(text)}
    summary = _sentence(_TITLE.sub("", re.split(r"\n\s*(?:\n|:)|:ivar", text, maxsplit=1)[0]))
    if summary and not summary.startswith("Method generated by attrs"):
        found[""] = summary
    return found


def _sentence(text: str) -> str:
    """Without reST's marks, as a sentence."""
    plain = " ".join(text.replace("``", "").split()).rstrip(".")
    return f"{plain[0].upper()}{plain[1:]}." if plain else ""
