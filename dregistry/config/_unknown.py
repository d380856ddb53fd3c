"""Keys that nothing reads."""

from collections.abc import Iterator
from typing import Any

from dregistry.config._problem import Path, Problem, format_path
from dregistry.config._shape import is_driver_section, item_type, keys_of, nearest, section_class, value_type
from dregistry.config._tree import Tree

MOST = 100
"""Unknown keys that are listed; a file with more is no configuration, and would make a log of its own."""

_FEW = 8


def unknown_keys(tree: Tree, model: type) -> Iterator[Problem]:
    """Find the keys of ``tree`` that the class ``model`` does not know, with the nearest known name.

    Options of a backend, and other mappings of free keys, are not looked into.
    """
    for count, (path, name, known) in enumerate(_search(tree, model, ())):
        if count == MOST:
            yield Problem(format_path(()), f"more unknown keys than the {MOST} listed")
            return
        yield Problem(format_path((*path, name)), "unknown key, ignored" + _hint(name, known))


def _search(tree: Tree, type_: Any, path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    section = section_class(type_)
    if isinstance(tree, list):
        for index, child in enumerate(tree):
            yield from _search(child, item_type(type_), (*path, index))
    elif isinstance(tree, dict) and section is not None:
        yield from _in_section(tree, section, path)
    elif isinstance(tree, dict):
        for name, child in tree.items():
            yield from _search(child, value_type(type_), (*path, name))


def _in_section(tree: dict[str, Tree], section: type, path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    keys = keys_of(section)
    for name, child in tree.items():
        if name in keys:
            yield from _search(child, keys[name].type, (*path, name))
        elif not is_driver_section(section):
            yield path, name, list(keys)


def _hint(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    if near is not None:
        return f"; did you mean {near}?"
    return f"; known here: {', '.join(known)}" if 0 < len(known) <= _FEW else ""
