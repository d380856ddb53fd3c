"""A backend's own section, read into the class that its factory states."""

from collections.abc import Mapping
from typing import TypeVar

import yaml
from attrs import resolve_types

from dregistry.config._problem import ConfigError, Problem, format_path
from dregistry.config._structure import Faults, structure
from dregistry.config._tree import Parameters, Tree, parse
from dregistry.config._unknown import unknown_keys

T = TypeVar("T")


def read_options(
    parameters: Mapping[str, object], options: type[T], path: str, source: str
) -> tuple[T, tuple[Problem, ...]]:
    """Read ``parameters`` as the configuration itself is read.

    :param parameters: of a loaded configuration: strings keep the text of the file or the environment. Of any other
        mapping they have what YAML makes of their values.
    :param options: an attrs class whose attributes are strings, numbers, booleans, times, or classes like it. A
        validator raises ValueError with a sentence.
    :param path: of the section, for the report.
    :param source: the name of the file, for the report.
    :return: the options, and warnings of keys that they do not have.
    :raises ConfigError: with every fault.
    """
    resolve_types(options)  # type: ignore[type-var]
    tree = _tree_of(parameters)
    warnings = tuple(Problem(f"{path}.{found.path}", found.message) for found in unknown_keys(tree, options))
    try:
        return structure(tree, options), warnings
    except Faults as error:
        problems = [
            Problem(f"{path}.{format_path(place)}" if place else path, message) for place, message in error.items
        ]
        raise ConfigError(problems, source=source) from None


def _tree_of(parameters: Mapping[str, object]) -> dict[str, Tree]:
    if isinstance(parameters, Parameters):
        return parameters.written
    tree, _ = parse(yaml.safe_dump(dict(parameters)))
    assert isinstance(tree, dict)
    return tree
