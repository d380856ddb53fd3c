"""
``dregistry schema``: the shape of the configuration file, as a JSON Schema.
"""

from __future__ import annotations

import argparse
import json
import sys

from .. import backends
from ..config import Backends, json_schema
from ..plugins import PluginError, check_factory, find_plugins


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "It has the options of the plugins that are installed here, and those only."


def run(arguments: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(json_schema(installed()), indent=2, default=str) + "\n")
    return 0


def installed() -> Backends:
    """The backends that a configuration may name here."""
    storage, middleware, auth, sinks = (_options(kind) for kind in backends.KINDS)
    return Backends(storage, middleware, auth, sinks)


def _options(kind: backends.Kind) -> dict[str, type]:
    """Of the plugins that can be used; ``dregistry plugins`` says what is wrong with others."""
    found = {}
    for plugin in find_plugins(kind.factory)[0]:
        try:
            check_factory(kind.factory, kind.title, plugin.factory, kind.api_version)
        except PluginError as error:
            sys.stderr.write(f"warning: {error}\n")
            continue
        found[plugin.name] = plugin.factory.options
    return found
