"""
A backend that the configuration names: found, given its options, and built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from zope.interface import Interface

from . import config as configuration
from .config import ConfigError, Problem
from .plugins import PluginError, build, find_factory

Warn = Callable[[Problem], None]
"""Takes what does not stop the start."""


@frozen
class Kind:
    """
    Plugins of one sort.

    :ivar title: what people call one.
    :ivar factory: the interface of their factories.
    :ivar api_version: of the contract that the core speaks.
    """

    title: str
    factory: type[Interface]
    api_version: int


@frozen
class Choice:
    """
    A backend that the configuration names.

    :ivar factory: as the interface of its kind says.
    :ivar options: an instance of its options class.
    :ivar path: of its options.
    :ivar source: the name of the file.
    """

    kind: Kind
    factory: Any
    options: Any
    path: str
    source: str

    def build(self, interface: type[Interface], *arguments: Any) -> Any:
        """
        What the factory builds of the options and ``arguments``.

        :raise ConfigError: if it cannot, or if that does not keep the contract of ``interface``.
        """
        try:
            return build(
                interface, self.kind.title, self.factory.name, lambda: self.factory.build(self.options, *arguments)
            )
        except PluginError as error:
            raise ConfigError([Problem(self.path, str(error))], source=self.source) from error


def choose(
    kind: Kind, name: str, parameters: Mapping[str, object], section: str, place: str, source: str, warn: Warn
) -> Choice:
    """
    The backend of that kind and name.

    :param parameters: its options, as the file has them.
    :param section: the path of the section that names it, for the report.
    :param place: the path of its options.
    :param source: the name of the file.
    :raise ConfigError: if there is none of that name, or if it does not take its options.
    """
    try:
        factory = find_factory(kind.factory, kind.title, name, kind.api_version)
    except PluginError as error:
        raise ConfigError([Problem(section, str(error))], source=source) from None
    options, warnings = configuration.read_options(parameters, factory.options, place, source)
    for warning in warnings:
        warn(warning)
    return Choice(kind, factory, options, place, source)
