"""
``dregistry plugins``: what is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import asdict, frozen

from ..backends import KINDS, Kind
from ..config import Option, describe_options
from ..plugins import Broken, Plugin, PluginAmbiguous, PluginError, check_factory, describe_error, find_plugins


@frozen
class Listed:
    """
    :ivar error: why it cannot be used; None if it can.
    """

    kind: str
    name: str
    package: str | None
    version: str | None
    module: str
    help: str
    options: tuple[Option, ...]
    error: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "The exit status is 1 if there are plugins that cannot be used."


def run(arguments: argparse.Namespace) -> int:
    plugins: list[Listed] = []
    broken: list[Broken] = []
    for kind in KINDS:
        found, failed = find_plugins(kind.factory)
        plugins += [_listed(kind, plugin, found) for plugin in found]
        broken += [each for each in failed if each not in broken]
    sys.stdout.write(_json(plugins, broken) if arguments.json else "".join(_text(plugins, broken)))
    return 1 if broken or any(plugin.error for plugin in plugins) else 0


def _listed(kind: Kind, plugin: Plugin, found: Iterable[Plugin]) -> Listed:
    options: tuple[Option, ...] = ()
    error = None
    named = [each for each in found if each.name == plugin.name]
    try:
        if len(named) > 1:
            raise PluginAmbiguous(kind.title, plugin.name, named)
        check_factory(kind.factory, kind.title, plugin.factory, kind.api_version)
        options = describe_options(plugin.factory.options)
    except PluginError as unusable:
        error = str(unusable)
    except Exception as unexpected:
        error = describe_error(unexpected)
    package = plugin.package
    return Listed(
        kind.title,
        plugin.name,
        package.name if package else None,
        package.version if package else None,
        plugin.module,
        str(getattr(plugin.factory, "help", "")),
        options,
        error,
    )


def _json(plugins: list[Listed], broken: list[Broken]) -> str:
    document: dict[str, Any] = {"plugins": plugins, "broken": broken}
    document = {name: [asdict(each) for each in values] for name, values in document.items()}
    return json.dumps(document, indent=2, default=str) + "\n"


def _text(plugins: list[Listed], broken: list[Broken]) -> Iterator[str]:
    for plugin in plugins:
        package = f"{plugin.package} {plugin.version}" if plugin.package else f"no package ({plugin.module})"
        yield f"{plugin.kind} {plugin.name}, {package}: {plugin.help}\n"
        if plugin.error:
            yield f"    ERROR: {plugin.error}\n"
        width = max((len(option.name) for option in plugin.options), default=0)
        for option in plugin.options:
            default = "required" if option.required else f"default {json.dumps(option.default, default=str)}"
            yield f"    {option.name:{width}}  {option.type}, {default}\n"
    for each in broken:
        yield f"ERROR: {each}\n"
