"""YAML text as a tree of plain containers and scalars that remember how they were written.

A string key takes a scalar's text and a number key its value, so that ``password: 0123`` stays ``0123``;
and what the environment sets is put into the same tree before any of it is given a type. The tree is built
from YAML's events with a stack of its own: hostile nesting and aliases meet a bound, never the
interpreter's recursion limit.
"""

import datetime
import re
from typing import Any, TypeAlias

import yaml
from attrs import Factory, define, frozen
from yaml.reader import Reader

from dregistry.config._problem import Path, Problem, format_path, shorten

DEEPEST = 32
"""Levels of nesting, aliases followed."""

MOST_VALUES = 100_000
"""Scalars and containers of one text, aliases followed."""

MOST_CHARACTERS = 4 * 1024 * 1024

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_TYPED = {_TAG + name for name in ("bool", "int", "float", "timestamp")}
_TEXT = {_TAG + name for name in ("str", "value", "merge")}
_CONTAINERS = {None, "!", _TAG + "map", _TAG + "seq"}


@frozen
class Scalar:
    """A single value.

    :ivar text: as written, quotes and escapes resolved.
    :ivar value: what YAML 1.1 makes of it; None for null.
    """

    text: str
    value: None | bool | int | float | str | datetime.date


Tree: TypeAlias = Scalar | dict[str, "Tree"] | list["Tree"]

NULL = Scalar("", None)


def is_null(tree: Tree | None) -> bool:
    """Whether there is nothing here, or YAML's null."""
    return tree is None or (isinstance(tree, Scalar) and tree.value is None)


def plain(tree: Tree) -> object:
    """Turn a tree into what YAML's loader would have returned."""
    if isinstance(tree, dict):
        return {name: plain(child) for name, child in tree.items()}
    if isinstance(tree, list):
        return [plain(child) for child in tree]
    return tree.value


class Parameters(dict[str, object]):
    """A mapping that is handed on raw: what YAML's loader would have returned.

    :ivar written: the same as a tree, so that a reader who wants a string gets ``0123`` as it stands in the file.
    """

    def __init__(self, written: dict[str, Tree]) -> None:
        super().__init__((name, plain(child)) for name, child in written.items())
        self.written = written


def describe(tree: Tree) -> str:
    """Name what stands in a wrong place, for a message of one line."""
    if isinstance(tree, dict):
        return "a mapping"
    if isinstance(tree, list):
        return "a list"
    if tree.value is None:
        return "nothing"
    return repr(shorten(tree.text))


class _Stop(Exception):
    """The text cannot be read any further."""

    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(_place(mark), message)


def _place(mark: Any) -> str:
    return "line 1" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


@define
class _Open:
    """A container whose end has not come yet."""

    tree: dict[str, Tree] | list[Tree]
    anchor: str | None
    name: str | None = None
    lines: dict[str, int] = Factory(dict)
    merged: list[Tree] = Factory(list)

    def step(self) -> tuple[str | int, ...]:
        if isinstance(self.tree, list):
            return (len(self.tree),)
        return () if self.name is None else (self.name,)


class _Builder:
    """Builds the tree of the first document from its events."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._stack: list[_Open] = []
        self._anchors: dict[str, Tree | None] = {}
        self._values = 0
        self._root: Tree | None = None
        self.faults: list[Problem] = []

    def build(self) -> Tree:
        documents = 0
        while self._loader.check_event():
            event = self._loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Stop(event.start_mark, "a second document; the configuration is one document")
            elif isinstance(event, yaml.AliasEvent):
                self._place(self._alias(event), event)
            elif isinstance(event, yaml.ScalarEvent):
                self._count(event.start_mark, len(self._stack))
                self._anchored(event.anchor, self._place(self._scalar(event), event))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
        return NULL if self._root is None else self._root

    def _anchored(self, anchor: str | None, tree: Tree) -> None:
        if anchor is not None:
            self._anchors[anchor] = tree

    def _count(self, mark: Any, depth: int) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Stop(mark, f"more than {MOST_VALUES} values, aliases counted")
        if depth > DEEPEST:
            raise _Stop(mark, f"nested more than {DEEPEST} levels deep")

    def _open(self, event: Any) -> None:
        self._count(event.start_mark, len(self._stack) + 1)
        if event.tag not in _CONTAINERS:
            raise _Stop(event.start_mark, f"the tag {shorten(event.tag)!r} is not supported")
        above = self._stack[-1] if self._stack else None
        if above is not None and isinstance(above.tree, dict) and above.name is None:
            raise _Stop(event.start_mark, "a key must be a single value")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        tree: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(tree, event.anchor))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        if isinstance(done.tree, dict):
            for merged in done.merged:
                for source in merged if isinstance(merged, list) else [merged]:
                    if not isinstance(source, dict):
                        raise _Stop(event.start_mark, "<< takes a mapping or a list of mappings")
                    for name, child in source.items():
                        done.tree.setdefault(name, child)
        self._anchored(done.anchor, self._place(done.tree, event))

    def _place(self, tree: Tree, event: Any) -> Tree:
        """Put a finished value in its place: the document, a list's item, a key, or a key's value."""
        if not self._stack:
            self._root = tree
            return tree
        above = self._stack[-1]
        if isinstance(above.tree, list):
            above.tree.append(tree)
        elif above.name is None:
            if not isinstance(tree, Scalar):
                raise _Stop(event.start_mark, "a key must be a single value")
            above.name = tree.text
        else:
            self._value(above, above.tree, above.name, tree, event)
            above.name = None
        return tree

    def _value(self, above: _Open, mapping: dict[str, Tree], name: str, tree: Tree, event: Any) -> None:
        if name == "<<":
            above.merged.append(tree)
            return
        line = event.start_mark.line + 1
        if name in mapping:
            path: Path = tuple(part for outer in self._stack for part in outer.step())
            first = above.lines[name]
            self.faults.append(Problem(format_path(path), f"given twice, at line {first} and at line {line}"))
        above.lines.setdefault(name, line)
        mapping[name] = tree

    def _alias(self, event: Any) -> Tree:
        if event.anchor not in self._anchors:
            raise _Stop(event.start_mark, f"no anchor &{shorten(event.anchor)} stands before this alias")
        tree = self._anchors[event.anchor]
        if tree is None:
            raise _Stop(event.start_mark, f"the alias *{shorten(event.anchor)} contains itself")
        return self._copy(tree, event.start_mark, len(self._stack))

    def _copy(self, tree: Tree, mark: Any, depth: int) -> Tree:
        """Copy what an alias stands for: setting a key by the environment must not change it elsewhere."""
        if isinstance(tree, Scalar):
            self._count(mark, depth)
            return tree
        self._count(mark, depth + 1)
        if isinstance(tree, list):
            return [self._copy(child, mark, depth + 1) for child in tree]
        return {name: self._copy(child, mark, depth + 1) for name, child in tree.items()}

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, text, event.implicit)
        if tag == _TAG + "null":
            return Scalar(text, None)
        if tag in _TEXT:
            return Scalar(text, text)
        if tag not in _TYPED:
            raise _Stop(event.start_mark, f"the tag {shorten(tag)!r} is not supported")
        if ":" in text and not tag.endswith("timestamp"):
            # YAML 1.1 reads 1:30 as ninety; distribution's parser does not.
            return Scalar(text, text)
        try:
            node = yaml.ScalarNode(tag, text, event.start_mark, event.end_mark)
            return Scalar(text, self._loader.yaml_constructors[tag](self._loader, node))
        except (ValueError, OverflowError, KeyError, AttributeError):
            # It looked like a number or a date and is none (0b_, 2001-99-99): then it is text.
            return Scalar(text, text)


def _is_tab(text: str, mark: Any) -> bool:
    """Whether a tab stands where YAML could not go on."""
    line = [] if mark is None else text.splitlines()[mark.line : mark.line + 1]
    return bool(line) and line[0][mark.column : mark.column + 1] == "\t"


def parse(text: str) -> tuple[Tree, list[Problem]]:
    """Read the one YAML document of ``text``.

    :return: the tree (null for an empty text, or after a syntax error) and the faults: a syntax error with
        its line and column, keys given twice with their path and lines, or a bound that was exceeded.
    """
    if len(text) > MOST_CHARACTERS:
        return NULL, [Problem("line 1", f"longer than {MOST_CHARACTERS} characters")]
    odd = re.search(r"[\ud800-\udfff]", text) or Reader.NON_PRINTABLE.search(text)
    if odd is not None:
        before = text[: odd.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the character U+{ord(odd.group()):04X} is not allowed in YAML"
        return NULL, [Problem(f"line {line}, column {column}", message)]
    loader = _Loader(text)
    builder = _Builder(loader)
    try:
        tree = builder.build()
    except _Stop as stop:
        return NULL, [*builder.faults, stop.problem]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.problem, error.context) if part)
        if _is_tab(text, mark):
            said = "a tab; YAML is indented by spaces"
        place = _place(mark)
        return NULL, [*builder.faults, Problem(place, shorten(said, 200))]
    except yaml.YAMLError as error:
        return NULL, [*builder.faults, Problem("line 1", shorten(" ".join(str(error).split()), 200))]
    finally:
        loader.dispose()
    return tree, builder.faults
