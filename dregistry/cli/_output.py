"""
What the maintenance commands print.
"""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from attrs import asdict

from ..maintenance import Fault, Item, Watcher
from ._progress import Progress


class Output(Watcher):
    """
    Prints nothing but faults, to ``errors``. Progress is shown there, too, unless lines of ``stream`` would mix in.

    :param stream: for subclasses.
    """

    prints = False

    def __init__(self, stream: TextIO | None = None, errors: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._errors = errors or sys.stderr
        for each in (self._stream, self._errors):
            if reconfigure := getattr(each, "reconfigure", None):
                reconfigure(errors="backslashreplace")  # file names are of any bytes
        self._progress = None if self.prints and self._stream.isatty() else Progress(self._errors)

    def phase(self, name: str, total: int | None = None) -> None:
        if self._progress is not None:
            self._progress.phase(name, total)

    def step(self) -> None:
        if self._progress is not None:
            self._progress.step()

    def read(self, size: int) -> None:
        if self._progress is not None:
            self._progress.read(size)

    def fault(self, fault: Fault) -> None:
        if self._progress is not None:
            self._progress.clear()
        where = f"{fault.repository}: " if fault.repository else ""
        self._errors.write(f"{where}{fault.name}: {fault.reason}\n")

    def line(self, text: str) -> None:
        self._stream.write(text + "\n")

    def summary(self, outcome: Any, text: str) -> None:
        """
        The end.

        :param outcome: an attrs object.
        :param text: the same for people.
        """
        if self._progress is not None:
            self._progress.clear()
        self._stream.flush()


class Json(Output):
    """
    One JSON object a line: items, faults and, at the end, a summary.

    A consumer can read them as they come, and so can a person whose collection was interrupted.
    """

    prints = True

    def item(self, item: Item) -> None:
        self._write({"kind": item.kind, "name": item.name, "repository": item.repository, "bytes": item.size},
                    removed=item.removed, reason=item.reason)  # fmt: skip

    def kept(self, repository: str, digest: str, reason: str) -> None:
        self._write({"kind": "kept", "name": digest, "repository": repository}, reason=reason)

    def fault(self, fault: Fault) -> None:
        self._write({"kind": "fault", "name": fault.name, "repository": fault.repository}, reason=fault.reason)

    def summary(self, outcome: Any, text: str) -> None:
        self._write({"kind": "summary"}, **asdict(outcome))
        super().summary(outcome, text)

    def _write(self, members: dict[str, Any], **more: Any) -> None:
        self.line(json.dumps({**members, **more}))


class Text(Output):
    """A line for what was done, or would be."""

    prints = True

    def item(self, item: Item) -> None:
        where = f"{item.repository}: " if item.repository else ""
        self.line(f"{where}{item.kind} {item.name}: {item.reason}")

    def summary(self, outcome: Any, text: str) -> None:
        self.line(text)
        super().summary(outcome, text)
