"""
The ``dregistry`` command. A command of it is a module of this package, with two functions, and a line in
:data:`COMMANDS`:

.. code-block:: python

    def configure(parser: argparse.ArgumentParser) -> None: ...
    def run(arguments: argparse.Namespace) -> int: ...

``run`` returns the exit status. By convention 0 is well, 1 means that the command found something to be wrong, and 2
that it does not understand its arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from attrs import frozen

from .. import __version__


@frozen
class Command:
    """:ivar module: of this package; imported only when the command is given."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("check-config", "check_config", "say all that is wrong with a configuration, as the start would"),
    Command("events", "events", "show what happens in a registry"),
    Command("garbage-collect", "garbage_collect", "remove what no manifest needs"),
    Command("notifications", "notifications", "show how delivery to endpoints stands, or deliver events again"),
    Command("plugins", "plugins", "list the plugins that are installed, and their options"),
    Command("policy", "policy", "say whether the access policy allows something, and by which rule"),
    Command("purge-uploads", "purge_uploads", "remove uploads that nobody has finished"),
    Command("schema", "schema", "print the JSON Schema of the configuration file, for editors and other tools"),
    Command("scrub", "scrub", "read every blob, and see whether it has its digest"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param argv: without the program's name; None for the process's own.
    :return: the exit status.
    :raise SystemExit: by argparse, when there is nothing to run.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="dregistry",
        description="What there is to do around a registry. The registry itself is started by twistd dregistry.",
    )
    parser.add_argument("--version", action="version", version=f"dregistry {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=_sentence(command.help))
        if words[:1] == [command.name]:
            module = import_module(f"{__name__}.{command.module}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
