"""
The backends that a configuration names, found and given their options.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from . import config as configuration
from .config import ConfigError, Configuration, Problem
from .plugins import PluginError, find_factory
from .storage import API_VERSION, IStorageDriverFactory

_log = Logger()


@frozen
class StorageChoice:
    """
    :ivar factory: provides :class:`IStorageDriverFactory`.
    :ivar options: an instance of its options class.
    """

    factory: Any
    options: Any


@frozen
class Choice:
    """
    All that a process needs to know to serve. It is handed to workers by :mod:`pickle`.

    :ivar config: as read from the file and the environment.
    """

    config: Configuration
    storage: StorageChoice


def choose(path: str) -> Choice:
    """
    What a configuration file and the environment say; warnings are logged.

    :raise ConfigError:
    """
    loaded = configuration.load_file(path, os.environ)
    for warning in loaded.warnings:
        _log.warn("{path}: {message}", path=warning.path, message=warning.message)
    return Choice(loaded.config, choose_storage(loaded.config, path))


def choose_storage(config: Configuration, source: str) -> StorageChoice:
    """
    The storage driver that the configuration names.

    :param source: the name of the file, for the report.
    :raise ConfigError: if there is none of that name, or if it does not take its options.
    """
    name = config.storage.driver
    try:
        factory = find_factory(IStorageDriverFactory, "storage driver", name, API_VERSION)
    except PluginError as error:
        raise ConfigError([Problem("storage", str(error))], source=source) from None
    options, warnings = configuration.read_options(
        config.storage.parameters, factory.options, f"storage.{name}", source
    )
    for warning in warnings:
        _log.warn("{path}: {message}", path=warning.path, message=warning.message)
    return StorageChoice(factory, options)
