"""
The backends that a configuration names: found, given their options, and built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import field, frozen
from twisted.logger import Logger

from . import auth
from . import config as configuration
from ._choices import Choice, Kind, Warn, choose
from ._sinks import NOTIFICATION_SINK, SinkChoice, choose_sinks
from .auth import AccessControl, AuthContext, IAccessController, IAccessControllerFactory, Policy
from .auth.section import NamedController, make_policy, named_controllers
from .config import ConfigError, Configuration, Problem
from .descriptors import check_descriptors, loads_tls
from .health import section as health
from .plugins import plugin_of
from .sockets import check_endpoint, is_shareable
from .storage import (
    API_VERSION,
    DriverContext,
    ISpeakingTls,
    IStorageDriver,
    IStorageDriverFactory,
    IStorageMiddleware,
    IStorageMiddlewareFactory,
    paths,
)
from .tls import check_tls

__all__ = [
    "KINDS",
    "AuthChoice",
    "Choice",
    "Kind",
    "Setup",
    "SinkChoice",
    "StorageChoice",
    "Warn",
    "choose",
    "choose_auth",
    "choose_sinks",
    "choose_storage",
    "log_warning",
    "read_setup",
]

_log = Logger()

_NO_CLIENT_CERTIFICATES = (
    "nobody is known by a certificate: http.tls needs clientcas and a clientauth that verifies those that are given"
)

STORAGE_DRIVER = Kind("storage driver", IStorageDriverFactory, API_VERSION)
STORAGE_MIDDLEWARE = Kind("storage middleware", IStorageMiddlewareFactory, API_VERSION)
ACCESS_CONTROLLER = Kind("access controller", IAccessControllerFactory, auth.API_VERSION)
KINDS = (STORAGE_DRIVER, STORAGE_MIDDLEWARE, ACCESS_CONTROLLER, NOTIFICATION_SINK)


@frozen
class StorageChoice(Choice):
    """
    A storage driver.

    :ivar middleware: what stands before it, the innermost first.
    """

    middleware: tuple[Choice, ...] = ()

    @property
    def needs_tls(self) -> bool:
        """Whether a process with this driver speaks TLS."""
        return ISpeakingTls.providedBy(self.factory) and bool(self.factory.needs_tls(self.options))

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
class AuthChoice:
    """
    :ivar controllers: in the order in which they are asked.
    :ivar policy: None for no limits to those who are signed in.
    :ivar groups: names of users by the names of groups.
    """

    controllers: tuple[Choice, ...] = ()
    policy: Policy | None = None
    groups: Mapping[str, tuple[str, ...]] = field(factory=dict)

    @property
    def needs_tls(self) -> bool:
        """Whether a process with these controllers speaks TLS."""
        return any(choice.factory.needs_tls(choice.options) for choice in self.controllers)

    def build_control(self, context: AuthContext) -> AccessControl | None:
        """
        None if everybody may do everything.

        :raise ConfigError:
        """
        if not self.controllers and self.policy is None:
            return None
        controllers = [choice.build(IAccessController, context) for choice in self.controllers]
        return AccessControl(controllers, self.policy, self.groups)


@frozen
class Setup:
    """
    All that a process needs to know to serve. It is handed to workers by :mod:`pickle`.

    :ivar config: as read from the file and the environment.
    :ivar sinks: of the endpoints of notifications.
    """

    config: Configuration
    storage: StorageChoice
    auth: AuthChoice = field(factory=AuthChoice)
    sinks: tuple[SinkChoice, ...] = ()

    @property
    def needs_tls(self) -> bool:
        """Whether a process that serves so loads OpenSSL, to speak TLS or not. Delivery of events is not meant."""
        config = self.config
        others = self.auth.needs_tls or self.storage.needs_tls or loads_tls(config) or health.needs_tls(config)
        return others or config.http.tls.enabled or not is_shareable(config.http.endpoint)

    @property
    def needs_tls_alone(self) -> bool:
        """The same of a process that delivers notifications, too."""
        return self.needs_tls or bool(self.sinks)

    @property
    def exposes_metrics(self) -> bool:
        """Whether there is a debug server that shows metrics."""
        debug = self.config.http.debug
        return bool(debug.addr) and debug.prometheus.enabled

    @property
    def records_events(self) -> bool:
        """Whether anybody is to know what happens."""
        return bool(self.sinks) or self.config.notifications.events.record

    @property
    def outbox_folder(self) -> str | None:
        """
        Where events are kept; None if they end with the process, as the storage does.

        :raise ConfigError: if there is no place for them.
        """
        section = self.config.notifications
        if section.spool or not self.storage.factory.shared:
            return section.spool or None
        if self.config.storage.driver == "filesystem":
            return os.path.join(self.storage.options.rootdirectory, paths.NOTIFICATIONS.lstrip("/"))
        problem = f"missing: the storage driver {self.config.storage.driver} has no folder for events"
        raise ConfigError([Problem("notifications.spool", problem)], source=self.storage.source)

    def describe_enabled(self) -> str:
        """For the log: what is enabled, and whose it is."""
        choices = (self.storage, *self.storage.middleware, *self.auth.controllers, *self.sinks)
        found = [f"{choice.kind.title} {choice.factory.name} ({_owner(choice.factory)})" for choice in choices]
        enabled = list(dict.fromkeys(found))
        if self.auth.policy is not None:
            enabled.append(f"access policy of {len(self.auth.policy.rules)} rules")
        return ", ".join(enabled)


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
    found = (check_descriptors, health.check_health, check_tls, check_endpoint)
    checks = [partial(check, loaded.config, path) for check in found]
    choices = (partial(choose, loaded.config, path, warn) for choose in (choose_storage, choose_auth, choose_sinks))
    chosen = _all(path, *checks, *choices)[len(checks) :]
    setup = Setup(loaded.config, *chosen)
    if not loaded.config.http.tls.verifies_clients:
        for choice in setup.auth.controllers:
            if choice.factory.name == "mtls":
                warn(Problem(choice.path, _NO_CLIENT_CERTIFICATES))
    if setup.records_events:
        _ = setup.outbox_folder  # there must be one
    return setup


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
    driver, *middleware = _all(source, *(partial(choose, *call, source, warn) for call in calls))
    return StorageChoice(driver.kind, driver.factory, driver.options, driver.path, source, tuple(middleware))


def choose_auth(config: Configuration, source: str, warn: Warn) -> AuthChoice:
    """
    The access controllers that the configuration names, and its policy.

    :raise ConfigError: with all faults; also if a controller says that it could not be built so.
    """
    calls: list[Callable[[], Any]] = [
        partial(_choose_controller, named, source, warn) for named in named_controllers(config.auth, source)
    ]
    *controllers, policy = _all(source, *calls, partial(make_policy, config.auth.policy, source))
    return AuthChoice(tuple(controllers), policy, config.auth.groups)


def _choose_controller(named: NamedController, source: str, warn: Warn) -> Choice:
    choice = choose(ACCESS_CONTROLLER, named.name, named.parameters, named.path, named.path, source, warn)
    try:
        choice.factory.check(choice.options)
    except auth.OptionsInvalid as error:
        raise ConfigError([Problem(f"{named.path}.{error.key}", error.message)], source=source) from None
    return choice


def _all(source: str, *calls: Callable[[], Any]) -> list[Any]:
    """
    What each returns.

    :raise ConfigError: with the faults of all.
    """
    problems: list[Problem] = []
    found = []
    for call in calls:
        try:
            found.append(call())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, source=source)
    return found


def _owner(factory: Any) -> str:
    plugin = plugin_of(factory)
    return str(plugin.package or plugin.module)
