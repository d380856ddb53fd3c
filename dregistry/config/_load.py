"""From text and environment to a configuration, or to one report of all that is wrong."""

import os
from collections.abc import Iterable, Mapping

from attrs import frozen

from dregistry.config._drivers import name_drivers
from dregistry.config._environment import blame, override
from dregistry.config._model import Configuration
from dregistry.config._problem import ConfigError, Path, Problem, format_path
from dregistry.config._refuse import REFUSED, WARNED, apply_rules
from dregistry.config._structure import Faults, structure
from dregistry.config._tree import MOST_CHARACTERS, Scalar, Tree, describe, is_null, parse
from dregistry.config._unknown import unknown_keys

VERSION = "0.1"

OLD_NAMES = (
    (("loglevel",), ("log", "level")),
    (("storage", "cache", "layerinfo"), ("storage", "cache", "blobdescriptor")),
)


@frozen
class Loaded:
    """A configuration and what its author should know about it.

    :ivar warnings: none of them stops the start.
    """

    config: Configuration
    warnings: tuple[Problem, ...]


def load_file(path: str, environ: Mapping[str, str]) -> Loaded:
    """Load the file at ``path``; see :func:`load`.

    :raises ConfigError: also when it cannot be read, is not UTF-8, or is far too large.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(4 * MOST_CHARACTERS + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _cannot_read(path, f"not UTF-8 at line {line} (byte {error.start})") from None
    except OSError as error:
        raise _cannot_read(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _cannot_read(path, f"cannot be read: {error}") from None
    return load(text, source=os.fsdecode(path), environ=environ)


def _cannot_read(path: str, message: str) -> ConfigError:
    return ConfigError([Problem("file", message)], source=ascii(path)[1:-1])


def load(text: str, *, source: str, environ: Mapping[str, str]) -> Loaded:
    """Read a configuration.

    :param text: YAML of distribution's format 0.1.
    :param source: the name of the file, for the report.
    :param environ: the process's environment; only ``REGISTRY_*`` is looked at.
    :raises ConfigError: with every fault of the text and of the environment; nothing else is raised, whatever
        they hold.
    """
    tree, faults = parse(text)
    if not isinstance(tree, dict):
        if not faults:
            faults.append(Problem("line 1", f"expected a mapping of sections, not {describe(tree)}"))
        raise ConfigError(faults, source=source)
    changed = override(tree, Configuration, environ)
    assert isinstance(changed.tree, dict)  # a walk puts its value below the top, never in its place
    tree, warnings = _rename(changed.tree, changed.origins)
    warnings = [*changed.warnings, *warnings, *unknown_keys(tree, Configuration)]
    warnings += [Problem(format_path(path), message) for path, message in apply_rules(tree, WARNED)]
    refusals = [
        Problem(format_path(path), message + _partly(path, changed.origins))
        for path, message in apply_rules(tree, REFUSED)
    ]
    named, found = name_drivers(tree, Configuration)
    found = [*_version(named), *found]
    try:
        config = structure({**named, "version": Scalar(VERSION, VERSION)}, Configuration)
    except Faults as error:
        found.extend(error.items)
    faults += [*changed.faults, *_attribute(found, changed.origins), *refusals]
    if faults:
        raise ConfigError(faults, source=source)
    return Loaded(config, tuple(warnings))


def _version(tree: dict[str, Tree]) -> list[tuple[Path, str]]:
    version = tree.get("version")
    if version is None or is_null(version):
        return [(("version",), f"missing; the first line should be version: {VERSION}")]
    if isinstance(version, Scalar) and version.text == VERSION:
        return []
    return [(("version",), f"unsupported version {describe(version)}; this registry reads version {VERSION}")]


def _attribute(found: Iterable[tuple[Path, str]], origins: Mapping[Path, str]) -> list[Problem]:
    """Name the variable that a faulty value came from, if the environment set it or what it stands in."""
    problems = []
    for path, message in found:
        names = [origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in origins]
        said = blame(names[0], message) if names else message + _partly(path, origins)
        problems.append(Problem(format_path(path), said))
    return problems


def _partly(path: Path, origins: Mapping[Path, str]) -> str:
    """Name the variables which set something at or below a path that is at fault as a whole."""
    names = [name for place, name in origins.items() if place[: len(path)] == path]
    return f" (set in part by {', '.join(names)})" if names else ""


def _rename(tree: dict[str, Tree], origins: dict[Path, str]) -> tuple[dict[str, Tree], list[Problem]]:
    """Move values from deprecated keys to the present ones, which win where both are given."""
    warnings = []
    for old, new in OLD_NAMES:
        value = _get(tree, old)
        if value is None or is_null(value):
            continue
        warnings.append(Problem(format_path(old), f"deprecated; the name is now {format_path(new)}"))
        if is_null(_get(tree, new)):
            tree = _put(tree, new, value)
            if old in origins:
                origins[new] = origins[old]
        tree = _put(tree, old, None)
    return tree, warnings


def _get(tree: Tree, path: tuple[str, ...]) -> Tree | None:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def _put(tree: dict[str, Tree], path: tuple[str, ...], value: Tree | None) -> dict[str, Tree]:
    """Copy ``tree`` with a value put in, or taken out by None; nothing is put below what is no mapping."""
    name, *rest = path
    if not rest:
        without = {other: child for other, child in tree.items() if other != name}
        return without if value is None else {**without, name: value}
    child = tree.get(name)
    if child is None or is_null(child):
        child = {}
    return {**tree, name: _put(child, tuple(rest), value)} if isinstance(child, dict) else tree
