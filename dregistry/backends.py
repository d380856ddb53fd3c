"""
The backends that a configuration names: found, given their options, and built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.logger import Logger
from zope.interface import Interface

from . import config as configuration
from .config import ConfigError, Configuration, Problem
from .plugins import PluginError, build, find_factory, plugin_of
from .storage import (
    API_VERSION,
    DriverContext,
    IStorageDriver,
    IStorageDriverFactory,
    IStorageMiddleware,
    IStorageMiddlewareFactory,
)

_log = Logger()

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


STORAGE_DRIVER = Kind("storage driver", IStorageDriverFactory, API_VERSION)
STORAGE_MIDDLEWARE = Kind("storage middleware", IStorageMiddlewareFactory, API_VERSION)
KINDS = (STORAGE_DRIVER, STORAGE_MIDDLEWARE)


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


@frozen
class StorageChoice(Choice):
    """
    A storage driver.

    :ivar middleware: what stands before it, the innermost first.
    """

    middleware: tuple[Choice, ...] = ()

    def build_driver(self, context: DriverContext) -> IStorageDriver:
        """
        The driver with its middleware.

        :raise ConfigError:
        """
        driver: IStorageDriver = self.build(IStorageDriver, context)
        for choice in self.middleware:
            driver = choice.build(IStorageMiddleware, driver, context)
        return driver


@frozen
class Setup:
    """
    All that a process needs to know to serve. It is handed to workers by :mod:`pickle`.

    :ivar config: as read from the file and the environment.
    """

    config: Configuration
    storage: StorageChoice

    def describe_enabled(self) -> str:
        """For the log: what is enabled, and whose it is."""
        choices = (self.storage, *self.storage.middleware)
        return ", ".join(f"{choice.kind.title} {choice.factory.name} ({_owner(choice.factory)})" for choice in choices)


def log_warning(warning: Problem) -> None:
    _log.warn("{path}: {message}", path=warning.path, message=warning.message)


def read_setup(path: str, warn: Warn = log_warning) -> Setup:
    """
    What a configuration file and the environment say.

    :param warn: is told what does not stop the start.
    :raise ConfigError: if the file has faults, or names backends that cannot be had.
    """
    loaded = configuration.load_file(path, os.environ)
    for warning in loaded.warnings:
        warn(warning)
    return Setup(loaded.config, choose_storage(loaded.config, path, warn))


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


def choose_storage(config: Configuration, source: str, warn: Warn) -> StorageChoice:
    """
    The storage driver and the middleware that the configuration names.

    :param source: the name of the file, for the report.
    :raise ConfigError: with all faults of the two sections.
    """
    name = config.storage.driver
    calls = [(STORAGE_DRIVER, name, config.storage.parameters, "storage", f"storage.{name}")]
    for index, entry in enumerate(config.middleware.storage):
        if not entry.disabled:
            place = f"middleware.storage[{index}]"
            calls.append((STORAGE_MIDDLEWARE, entry.name, entry.options, place, f"{place}.options"))
    problems: list[Problem] = []
    choices: list[Choice] = []
    for call in calls:
        try:
            choices.append(choose(*call, source, warn))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, source=source)
    driver, *middleware = choices
    return StorageChoice(driver.kind, driver.factory, driver.options, driver.path, source, tuple(middleware))


def _owner(factory: Any) -> str:
    plugin = plugin_of(factory)
    return str(plugin.package or plugin.module)
