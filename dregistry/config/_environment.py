"""The rule by which ``REGISTRY_*`` variables change the file's tree, before it is given types.

The rule is distribution's: the variables are taken in the byte order of their names, a name is split at
``_``, each part walks one level, and the value is YAML which replaces what stood there. It is wider in
three places, where distribution drops or rejects what its documentation promises: an index of a list of
scalars takes the value, a path goes on into nested mappings of the file, and the YAML name of a key is as
good as the Go name.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define

from dregistry.config._problem import Path, Problem, format_path
from dregistry.config._shape import (
    PARAMETERS,
    environment_names,
    is_driver_section,
    item_type,
    nearest,
    section_class,
    value_type,
)
from dregistry.config._tree import DEEPEST, Scalar, Tree, is_null, parse

PREFIX = "REGISTRY_"

CONFIGURATION_PATH = "REGISTRY_CONFIGURATION_PATH"
"""Names the file itself, so it is no key of the file."""

_INDEX = re.compile(r"[0-9]{1,9}")


class _Ignored(Exception):
    """The variable leads nowhere; the message says why."""


class _Rejected(Exception):
    """The variable leads to what it cannot set."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@define
class Overrides:
    """What the environment did to a tree.

    :ivar tree: the changed tree; the given one is left as it was.
    :ivar origins: which variable set the value at a path.
    """

    tree: Tree
    warnings: list[Problem]
    faults: list[Problem]
    origins: dict[Path, str]


def blame(name: str, message: str) -> str:
    """Say that a fault stands in a variable, in distribution's words."""
    return f"parsing environment variable {name}: {message}"


def override(tree: Tree, model: type, environ: Mapping[str, str]) -> Overrides:
    """Apply the variables of ``environ`` to ``tree``, guided by the class ``model``.

    A variable that leads nowhere is a warning; a value that is not YAML, or an index beyond the end of a
    list, is a fault. Whether a value has the right type is found out later, with the rest of the tree.
    """
    result = Overrides(tree, [], [], {})
    for name in sorted(_relevant(environ), key=_bytes):
        payload, problems = parse(environ[name])
        walk = _Walk(name.removeprefix(PREFIX).split("_"), payload)
        try:
            changed = walk.assign(result.tree, model, 0, ())
        except _Ignored as ignored:
            result.warnings.append(Problem(name, str(ignored)))
            continue
        except _Rejected as rejected:
            path = format_path(rejected.path)
            result.faults.append(Problem(path, blame(name, rejected.message)))
            continue
        if problems:
            path = format_path(walk.path)
            result.faults.extend(Problem(path, blame(name, str(problem))) for problem in problems)
            continue
        result.tree = changed
        result.origins[walk.path] = name
    return result


def _relevant(environ: Mapping[str, str]) -> Iterator[str]:
    return (name for name in environ if name.startswith(PREFIX) and name != CONFIGURATION_PATH)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


class _Walk:
    """One variable on its way down the tree.

    :ivar path: where the value was put, once it was.
    """

    def __init__(self, parts: list[str], payload: Tree) -> None:
        self._parts = parts
        self._payload = payload
        self.path: Path = ()

    def assign(self, tree: Tree | None, type_: Any, level: int, path: Path) -> Tree:
        """Return ``tree`` with the value put in, going on at the part ``level``."""
        if level == len(self._parts):
            self.path = path
            return self._payload
        if level == DEEPEST:
            raise _Ignored(f"ignored: it leads more than {DEEPEST} levels deep")
        section = section_class(type_)
        if section is not None:
            return self._in_section(tree, section, level, path)
        if item_type(type_) is not None:
            return self._in_list(tree, item_type(type_), level, path)
        if value_type(type_) is not None:
            return self._in_map(self._mapping(tree, level), value_type(type_), level, path)
        if type_ is not object:
            raise self._unrecognized(level, ())
        if isinstance(tree, list):
            return self._in_list(tree, object, level, path)
        return self._in_map(self._mapping(tree, level), object, level, path)

    def _in_section(self, tree: Tree | None, section: type, level: int, path: Path) -> Tree:
        """Take the part as a field's name, Go's or YAML's, or as a backend's name where one may stand."""
        names = environment_names(section)
        named = is_driver_section(section)
        if named and isinstance(tree, Scalar) and tree.value is not None:
            tree = {tree.text: {}}
        mapping = self._mapping(tree, level)
        key = names.get(self._parts[level])
        if key is None and named:
            return self._in_map(mapping, PARAMETERS, level, path)
        if key is None:
            raise self._unrecognized(level, names)
        if key.fixed:
            raise _Ignored(f"ignored: {key.name} cannot be set by the environment")
        child = self.assign(mapping.get(key.name), key.type, level + 1, (*path, key.name))
        return {**mapping, key.name: child}

    def _in_map(self, mapping: dict[str, Tree], below: Any, level: int, path: Path) -> Tree:
        """Take the part as a free key: an existing one in any case on the way, lower-cased at the end."""
        part = self._parts[level]
        if not part:
            raise self._unrecognized(level, ())
        name, child = part.lower(), None
        if level + 1 < len(self._parts):
            for existing, value in mapping.items():
                if existing.upper() == part and not is_null(value):
                    name, child = existing, value
                    break
        return {**mapping, name: self.assign(child, below, level + 1, (*path, name))}

    def _in_list(self, tree: Tree | None, below: Any, level: int, path: Path) -> Tree:
        """Take the part as an index; the one past the end appends."""
        part = self._parts[level]
        items = [] if is_null(tree) else tree
        if not isinstance(items, list):
            raise self._unrecognized(level, ())
        if not part.isascii() or not part.isdigit():
            raise _Rejected(path, f"non-numeric index: {part}")
        if not _INDEX.fullmatch(part) or int(part) > len(items):
            raise _Rejected(path, f"undefined index: {part}")
        index = int(part)
        child = self.assign(items[index] if index < len(items) else None, below, level + 1, (*path, index))
        return [*items[:index], child, *items[index + 1 :]]

    def _mapping(self, tree: Tree | None, level: int) -> dict[str, Tree]:
        if isinstance(tree, dict):
            return tree
        if is_null(tree):
            return {}
        raise self._unrecognized(level, ())

    def _unrecognized(self, level: int, known: Mapping[str, object] | tuple[()]) -> _Ignored:
        near = nearest(self._parts[level], known, cutoff=0.65)
        message = "unrecognized environment variable, ignored"
        if near is not None:
            meant = "_".join([*self._parts[:level], near, *self._parts[level + 1 :]])
            message += f"; did you mean {PREFIX}{meant}?"
        return _Ignored(message)
