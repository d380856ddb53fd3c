"""
Backends found as twistd plugins, by the interface of their factories and by name.

``twisted.plugin`` only logs a plugin that fails to import. A backend that the configuration names and that is not
found ends the start here, with the names that were found and the errors that were logged meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.plugin import IPlugin, getPlugins
from zope.interface import Interface, provider
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject


@define(str=False)
class PluginError(Exception):
    """Base: the configuration asks for a backend that cannot be had."""

    kind: str
    name: str


@define(str=False)
class PluginNotFound(PluginError):
    """
    :ivar found: the names that there are.
    :ivar failures: what went wrong while plugins were looked for, a line each.
    """

    found: Sequence[str]
    failures: Sequence[str]

    def __str__(self) -> str:
        text = f"no {self.kind} is named {self.name!r}; found: {', '.join(self.found) or 'none'}"
        return text + "".join(f"; a plugin failed to load: {failure}" for failure in self.failures)


@define(str=False)
class PluginAmbiguous(PluginError):
    """:ivar modules: where the plugins of that name come from."""

    modules: Sequence[str]

    def __str__(self) -> str:
        return f"more than one {self.kind} is named {self.name!r}: {', '.join(self.modules)}; uninstall all but one"


@define(str=False)
class PluginUnfit(PluginError):
    """:ivar reason: what of the contract it does not keep."""

    reason: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r} cannot be used: {self.reason}"


def find_factory(interface: type[Interface], kind: str, name: str, api_version: int) -> Any:
    """
    The one factory of that name.

    :param interface: of the factory; it has ``name`` and ``api_version``.
    :param kind: what people call it, as in "no storage driver is named ...".
    :param api_version: that the core speaks.
    :raise PluginNotFound:
    :raise PluginAmbiguous:
    :raise PluginUnfit: if it was written for another version, or does not provide what it says.
    """
    failures: list[str] = []
    factories = _load(interface, failures)
    named = [factory for factory in factories if factory.name == name]
    if not named:
        raise PluginNotFound(kind, name, sorted({factory.name for factory in factories}), failures)
    if len(named) > 1:
        raise PluginAmbiguous(kind, name, sorted(type(factory).__module__ for factory in named))
    [factory] = named
    if factory.api_version != api_version:
        raise PluginUnfit(kind, name, f"it is for version {factory.api_version} of the contract, this is {api_version}")
    try:
        verifyObject(interface, factory)
    except Invalid as error:
        raise PluginUnfit(kind, name, str(error)) from None
    return factory


def _load(interface: type[Interface], failures: list[str]) -> Sequence[Any]:
    @provider(ILogObserver)
    def listen(event: LogEvent) -> None:
        failure = event.get("log_failure") or event.get("failure")  # twisted.plugin uses the older log
        if failure is not None:
            failures.append(f"{failure.type.__name__}: {failure.getErrorMessage()}")

    globalLogPublisher.addObserver(listen)
    try:
        found: Iterable[IPlugin] = getPlugins(interface)  # type: ignore[arg-type]
        loaded = list(found)
    finally:
        globalLogPublisher.removeObserver(listen)
    nameless = [plugin for plugin in loaded if not isinstance(getattr(plugin, "name", None), str)]
    failures += [f"{type(plugin).__module__}.{type(plugin).__qualname__} has no name" for plugin in nameless]
    return [plugin for plugin in loaded if plugin not in nameless]
