"""
Plugins: factories of backends, found by the interface that they provide and by their name.

They stand where all plugins of Twisted do, in modules of ``twisted.plugins``, to which any package may add one, but
are not looked for by ``twisted.plugin.getPlugins``. That goes by a file, ``dropin.cache``: what a module has since an
upgrade stays hidden if the module came with an older date, and where the file cannot be written each look-up logs it.
And a module that fails to import is only logged. Here every module is imported but Twisted's own, nothing is written,
and what fails is kept for the report.
"""

from __future__ import annotations

import difflib
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import define, frozen, has, resolve_types
from twisted.plugin import IPlugin
from zope.interface import Interface, providedBy
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

if TYPE_CHECKING:
    from ._packages import Package

_PLUGINS = "twisted.plugins"
_TWISTED = frozenset({
    "cred_anonymous", "cred_file", "cred_memory", "cred_sshkeys", "cred_unix", "twisted_conch", "twisted_core",
    "twisted_ftp", "twisted_inet", "twisted_mail", "twisted_names", "twisted_portforward", "twisted_reactors",
    "twisted_runner", "twisted_socks", "twisted_trial", "twisted_web", "twisted_words",
})  # fmt: skip
"""Twisted's own, which have nothing for us, and of which some load OpenSSL: that is 15 MiB for each process."""


@frozen
class Plugin:
    """
    :ivar factory: of a backend.
    :ivar module: the module of ``twisted.plugins`` that has it.
    """

    factory: Any
    name: str
    module: str

    @property
    def package(self) -> Package | None:
        """Whose it is; None if no installed package says so."""
        from ._packages import package_of_file  # noqa: PLC0415 -- few processes ask, and importlib.metadata is large

        return package_of_file(getattr(sys.modules[self.module], "__file__", None))

    def __str__(self) -> str:
        return f"{self.package or 'no package'} ({self.module})"


@frozen
class Broken:
    """A module of ``twisted.plugins``, or something in one, that cannot be used."""

    module: str
    error: str

    def __str__(self) -> str:
        return f"{self.module}: {self.error}"


@define(str=False)
class PluginError(Exception):
    """Base: the configuration asks for a backend that cannot be had."""

    kind: str
    name: str


@define(str=False)
class PluginNotFound(PluginError):
    """
    :ivar found: the names that there are.
    :ivar failures: what went wrong while plugins were looked for.
    """

    found: Sequence[str]
    failures: Sequence[Broken]

    def __str__(self) -> str:
        text = f"no {self.kind} is named {self.name!r}; found: {', '.join(self.found) or 'none'}"
        near = difflib.get_close_matches(self.name, self.found, 1)
        text += f"; did you mean {near[0]}?" if near else ""
        return text + "".join(f"; a plugin failed to load: {failure}" for failure in self.failures)


@define(str=False)
class PluginAmbiguous(PluginError):
    """:ivar plugins: those of that name."""

    plugins: Sequence[Plugin]

    def __str__(self) -> str:
        owners = ", ".join(sorted(str(plugin) for plugin in self.plugins))
        return f"more than one {self.kind} is named {self.name!r}: {owners}; uninstall all but one"


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
    plugins, broken = find_plugins(interface)
    named = [plugin for plugin in plugins if plugin.name == name]
    if not named:
        raise PluginNotFound(kind, name, sorted({plugin.name for plugin in plugins}), broken)
    if len(named) > 1:
        raise PluginAmbiguous(kind, name, named)
    [plugin] = named
    check_factory(interface, kind, plugin.factory, api_version)
    return plugin.factory


def find_plugins(interface: type[Interface]) -> tuple[list[Plugin], list[Broken]]:
    """All factories of that interface, unchecked, in the order of their names; and what could not be loaded."""
    found: dict[int, Plugin] = {}
    broken: list[Broken] = []
    for module in _modules(broken):
        for attribute, value in list(vars(module).items()):
            try:
                if IPlugin.providedBy(value) and interface.providedBy(value):
                    found.setdefault(id(value), Plugin(value, _name(value), module.__name__))
            except Exception as error:
                broken.append(Broken(f"{module.__name__}.{attribute}", describe_error(error)))
    return sorted(found.values(), key=lambda plugin: (plugin.name, plugin.module)), broken


def check_factory(interface: type[Interface], kind: str, factory: Any, api_version: int) -> None:
    """:raise PluginUnfit: if it was written for another version, or does not provide what it says."""
    if factory.api_version != api_version:
        reason = f"it is for version {factory.api_version} of the contract, this is {api_version}"
        raise PluginUnfit(kind, factory.name, reason)
    _verify(interface, kind, factory.name, factory)
    try:
        fit = has(factory.options) and resolve_types(factory.options)
    except Exception as error:
        raise PluginUnfit(kind, factory.name, f"the types of its options: {describe_error(error)}") from error
    if not fit:
        raise PluginUnfit(kind, factory.name, "its options are no attrs class")


def build(interface: type[Interface], kind: str, name: str, call: Callable[[], Any]) -> Any:
    """
    What a factory builds, checked: it keeps the contract of ``interface``, and of whatever else it says it provides.

    :param call: that builds it.
    :raise PluginUnfit: also if it cannot be built with these options, or something that it needs is not there.
    """
    try:
        built = call()
    except (ImportError, OSError, ValueError) as error:
        raise PluginUnfit(kind, name, describe_error(error)) from error
    _verify(interface, kind, name, built)
    for ability in providedBy(built):
        _verify(ability, kind, name, built)
    return built


def plugin_of(factory: Any) -> Plugin:
    """Where a factory comes from that :func:`find_factory` gave."""
    for module in _modules([]):
        if any(value is factory for value in vars(module).values()):
            return Plugin(factory, factory.name, module.__name__)
    return Plugin(factory, factory.name, type(factory).__module__)


def describe_error(error: BaseException) -> str:
    """In one line, for people."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _modules(broken: list[Broken]) -> Iterator[ModuleType]:
    found = pkgutil.iter_modules(import_module(_PLUGINS).__path__)
    for name in sorted({module.name for module in found} - _TWISTED):
        try:
            yield import_module(f"{_PLUGINS}.{name}")
        except (Exception, SystemExit) as error:
            broken.append(Broken(f"{_PLUGINS}.{name}", describe_error(error)))


def _name(factory: Any) -> str:
    name = factory.name
    if not isinstance(name, str):
        raise TypeError(f"its name is no string but {name!r}")
    return name


def _verify(interface: type[Interface], kind: str, name: str, candidate: Any) -> None:
    try:
        verifyObject(interface, candidate)
    except Invalid as error:
        raise PluginUnfit(kind, name, " ".join(str(error).split())) from None
    except Exception as error:  # an attribute that is a property, which may import what is not installed
        raise PluginUnfit(kind, name, describe_error(error)) from error
