"""A tree made into the model's classes by cattrs, every value checked, every fault reported with its path."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from dregistry.config._duration import Seconds, from_nanoseconds, parse_duration
from dregistry.config._problem import Path, shorten
from dregistry.config._shape import Key, item_type, keys_of, value_type
from dregistry.config._tree import Parameters, Scalar, Tree, describe, is_null, plain

T = TypeVar("T")

_HEADERS = dict[str, list[str]]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\u0080-\uffff]*")


class Faults(Exception):
    """Values that do not fit, each with its path below the value being structured."""

    def __init__(self, *items: tuple[Path, str]) -> None:
        super().__init__(items)
        self.items: Sequence[tuple[Path, str]] = items


def structure(tree: dict[str, Tree], model: type[T]) -> T:
    """Make ``tree`` into an instance of ``model``; what it leaves out, or has as null, takes its default.

    :param model: an attrs class made of strings, numbers, booleans, :data:`Seconds`, choices (``Literal``),
        expressions (``re.Pattern``), tuples and mappings of these, and classes like itself; its annotations
        must be resolved. A validator of its own raises ValueError.
    :raises Faults: with every value that does not fit.
    """
    try:
        return _converter.structure(tree, model)
    except Exception as error:
        raise Faults(*_flatten(error, ())) from None


def _flatten(error: Exception, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(error, Faults):
        for below, message in error.items:
            yield (*path, *below), message
    elif isinstance(error, ClassValidationError):
        noted, others = error.group_exceptions()
        names = {key.attribute: key.name for key in keys_of(error.cl).values()}
        for inner, note in noted:
            yield from _flatten(inner, (*path, names.get(note.name, note.name)))
        for inner in others:
            if not isinstance(inner, ValueError):
                raise error
            yield path, str(inner.args[0] if inner.args else inner)  # attrs' validators add what they looked at
    elif isinstance(error, KeyError):
        yield path, "missing, and it has no default"
    else:
        raise error


def _wrong(expected: str, tree: Tree) -> Faults:
    return Faults(((), f"expected {expected}, not {describe(tree)}"))


def _text(tree: Tree, _: Any = None) -> str:
    if not isinstance(tree, Scalar) or tree.value is None:
        raise _wrong("a string", tree)
    return tree.text


def _integer(tree: Tree, _: Any) -> int:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong("an integer", tree)
    return value


def _number(tree: Tree, _: Any) -> float:
    value = tree.value if isinstance(tree, Scalar) else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong("a number", tree)
    try:
        return float(value)
    except OverflowError:
        raise _wrong("a number that a float can hold", tree) from None


def _boolean(tree: Tree, _: Any) -> bool:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, str) and value in ("y", "Y", "n", "N"):
        # Booleans of YAML 1.1 that PyYAML leaves as text.
        return value in "yY"
    if not isinstance(value, bool):
        raise _wrong("true or false", tree)
    return value


def _seconds(tree: Tree, _: Any) -> Seconds:
    value = tree.value if isinstance(tree, Scalar) else None
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            seconds = from_nanoseconds(value)
        elif isinstance(tree, Scalar) and isinstance(value, str):
            seconds = parse_duration(tree.text)
        else:
            raise ValueError("not a duration such as 10s, 1h30m or 168h")
    except ValueError as error:
        raise Faults(((), f"{describe(tree)} is {error}")) from None
    if seconds < 0:
        raise Faults(((), "must not be negative"))
    return seconds


def _choice(tree: Tree, type_: Any) -> str:
    text = _text(tree).lower()
    known = get_args(type_)
    if text not in known:
        named = ", ".join(word for word in known if word)
        raise Faults(((), f"must be one of {named}; not {describe(tree)}"))
    return text


def _pattern(tree: Tree, _: Any) -> re.Pattern[str]:
    text = _text(tree)
    try:
        with warnings.catch_warnings():
            # Python warns where it reads something else than Go would, such as [[:alpha:]].
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        said = " ".join(str(error).split())
        raise Faults(((), f"{describe(tree)} is not a regular expression: {shorten(said, 100)}")) from None


def _list(tree: Tree, type_: Any) -> tuple[Any, ...] | list[Any]:
    if is_null(tree):
        return ()
    if not isinstance(tree, list):
        raise _wrong("a list", tree)
    values, faults = [], list[tuple[Path, str]]()
    for index, child in enumerate(tree):
        try:
            values.append(_converter.structure(child, item_type(type_)))
        except Exception as error:
            faults.extend(_flatten(error, (index,)))
    if faults:
        raise Faults(*faults)
    return tuple(values)


def _mapping(tree: Tree, type_: Any) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise _wrong("a mapping", tree)
    if value_type(type_) is object:
        return Parameters(tree)
    values, faults = {}, list[tuple[Path, str]]()
    for name, child in tree.items():
        try:
            values[name] = _converter.structure(child, value_type(type_))
        except Exception as error:
            faults.extend(_flatten(error, (name,)))
    if faults:
        raise Faults(*faults)
    return values


def _headers(tree: Tree, _: Any) -> dict[str, list[str]]:
    """Read header fields; a value that is no list is the commonest mistake here and gets words of its own."""
    if not isinstance(tree, dict):
        raise _wrong("a mapping", tree)
    headers: dict[str, list[str]] = {}
    faults = list[tuple[Path, str]]()
    for name, child in tree.items():
        if not _HEADER_NAME.fullmatch(name):
            faults.append(((name,), "is not the name of a header field"))
        elif isinstance(child, Scalar) and child.value is not None:
            faults.append(((name,), f"must be a list of strings: write {name}: [value]"))
        else:
            try:
                headers[name] = list(_list(child, tuple[str, ...]))
            except Faults as error:
                faults.extend(_flatten(error, (name,)))
                continue
            faults.extend(
                ((name, index), "holds a character that no header field may hold")
                for index, value in enumerate(headers[name])
                if not _HEADER_VALUE.fullmatch(value)
            )
    if faults:
        raise Faults(*faults)
    return headers


def _section(cls: type) -> Any:
    """Build cattrs's function for one section."""
    keys = keys_of(cls)
    overrides = {key.attribute: override(rename=key.name, struct_hook=_checked(key)) for key in keys.values()}
    build: Any = make_dict_structure_fn(cls, _converter, **overrides)  # type: ignore[arg-type]

    def hook(tree: Tree, type_: Any) -> Any:
        if not isinstance(tree, dict):
            raise _wrong("a mapping", tree)
        given = {name: child for name, child in tree.items() if not _absent(child, keys.get(name))}
        return build(given, type_)

    return hook


def _absent(tree: Tree, key: Key | None) -> bool:
    """Whether the default applies: for null, and for an empty string where a choice of words is expected."""
    if isinstance(tree, Scalar) and key is not None and get_origin(key.type) is Literal and not tree.text:
        return True
    return is_null(tree)


def _checked(key: Key) -> Any:
    def hook(tree: Tree, _: Any) -> Any:
        value = _converter.structure(tree, key.type)
        fault = None if key.check is None else key.check(value)
        if fault is not None:
            raise Faults(((), fault))
        return value

    return hook


def _origin(origin: Any) -> Callable[[Any], bool]:
    return lambda type_: bool(get_origin(type_) == origin)


def _type(expected: Any) -> Callable[[Any], bool]:
    return lambda type_: bool(type_ == expected)


# Tried from the last to the first.
_HOOKS: tuple[tuple[Callable[[Any], bool], Any], ...] = (
    (lambda type_: item_type(type_) is not None, _list),
    (lambda type_: value_type(type_) is not None, _mapping),
    (_type(_HEADERS), _headers),
    (_origin(Literal), _choice),
    (_origin(re.Pattern), _pattern),
    (_type(Seconds), _seconds),
    (_type(object), lambda tree, _: plain(tree)),
)


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook_factory(attrs.has, _section)
    for applies, hook in _HOOKS:
        converter.register_structure_hook_func(applies, hook)
    for type_, hook in ((str, _text), (int, _integer), (float, _number), (bool, _boolean)):
        converter.register_structure_hook(type_, hook)
    return converter


_converter = _make_converter()
