"""
What is measured, and how the rounds are run.

A round measures every figure once on each of its subjects, one after the other; so the values of a round are of the
same moment, and what is compared is their ratio within each round.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from content import MIB, PUSH_BYTES, REPOSITORIES, TAGS, TAGS_REPOSITORY, Payloads, Seeds
from servers import Server
from tools import Clients, Failed, names, page_milliseconds, requests_per_second

OURS = "dregistry"
THEIRS = "docker-registry"
_NAMES = {"repositories": REPOSITORIES, "tags": TAGS}
NGINX = "nginx, sendfile"
DISK = "write and fsync, then sha256"


@dataclass(frozen=True)
class Subject:
    """One of those that a figure is measured on; without a server it is something that this program does itself."""

    measure: Callable[[], float]
    server: Server | None = None


@dataclass
class Figure:
    """
    :ivar subjects: by name. Those beside the two registries are limits: what there is to reach.
    :ivar values: one for each round, by the name of the subject; None is a failure.
    :ivar cpu: the seconds of processor time that the server used meanwhile, likewise.
    :ivar note: what a reader of the figure must know, or nothing.
    """

    name: str
    unit: str
    subjects: dict[str, Subject] = field(default_factory=dict)
    less_is_better: bool = False
    values: dict[str, list[float | None]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, name: str, value: float | None) -> None:
        self.values.setdefault(name, []).append(value)

    def median(self, name: str) -> float | None:
        return _median(value for value in self.values.get(name, []))

    def ratio(self, name: str, base: str) -> float | None:
        """The median of the ratios of each round."""
        pairs = zip(self.values.get(name, []), self.values.get(base, []), strict=True)
        return _median(ours / other if ours is not None and other else None for ours, other in pairs)


@dataclass(frozen=True)
class Bench:
    """All that is measured with.

    :ivar registries: with the seeds that each has got.
    :ivar listed: the same registries on the generated directory.
    :ivar nginx: with the path of its file.
    :ivar scratch: a directory on the file system that the registries use.
    """

    registries: list[tuple[Server, Seeds]]
    listed: list[Server]
    nginx: tuple[Server, str]
    clients: Clients
    payloads: Payloads
    scratch: Path
    seconds: int


def all_figures(bench: Bench) -> list[Figure]:
    return [*_requests(bench), _pull(bench), *_pushes(bench), *_images(bench), *_lists(bench)]


def memory_figures(idle: dict[str, float], after: dict[str, float]) -> list[Figure]:
    """From the MiB of each server before and after all rounds."""
    figures = []
    for name, measured in (("resident memory, idle", idle), ("resident memory, after the rounds", after)):
        figure = Figure(name, "MiB", less_is_better=True)
        for server, value in measured.items():
            figure.add(server, value)
        figures.append(figure)
    return figures


def run_rounds(figures: list[Figure], rounds: int, limit: float) -> int:
    """
    Measure until all rounds are done, or another one would end after `limit` seconds.

    :return: how many rounds were run.
    """
    start = time.monotonic()
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}")
        for figure in figures:
            _measure(figure, backwards=number % 2 == 1)
        elapsed = time.monotonic() - start
        if number + 1 < rounds and elapsed * (number + 2) / (number + 1) > limit:
            _say(f"{elapsed:.0f} seconds for {number + 1} rounds: no time for more")
            return number + 1
    return rounds


def _measure(figure: Figure, backwards: bool) -> None:
    names = list(figure.subjects)
    for name in reversed(names) if backwards else names:
        subject = figure.subjects[name]
        before = subject.server.usage().cpu if subject.server else 0.0
        try:
            value = subject.measure()
        except Failed as error:
            _say(f"{figure.name}, {name}: failed: {error}")
            value = None
        else:
            _say(f"  {figure.name}, {name}: {value:.2f} {figure.unit}")
        figure.add(name, value)
        if subject.server:
            figure.cpu.setdefault(name, []).append(round(subject.server.usage().cpu - before, 2))


def _requests(bench: Bench) -> list[Figure]:
    paths: list[tuple[str, Callable[[Seeds], str]]] = [
        ("ping (GET /v2/), c32", lambda _: "/v2/"),
        ("manifest GET by tag, c32", lambda seeds: seeds.by_tag),
        ("manifest GET by digest, c32", lambda seeds: seeds.by_digest),
        ("blob 4 KiB GET, c32", lambda seeds: seeds.small),
    ]
    figures = []
    for name, path in paths:
        figure = Figure(name, "requests/s")
        for server, seeds in bench.registries:
            figure.subjects[server.name] = _request(server, path(seeds), bench.seconds)
        figures.append(figure)
    return figures


def _request(server: Server, path: str, seconds: int) -> Subject:
    return Subject(lambda: requests_per_second(server, path, 32, seconds), server)


def _pull(bench: Bench) -> Figure:
    def subject(server: Server, path: str) -> Subject:
        return Subject(lambda: bench.clients.run("pull", server.port, path, 4, bench.seconds), server)

    figure = Figure("blob 256 MiB GET, c4", "GB/s")
    for server, seeds in bench.registries:
        figure.subjects[server.name] = subject(server, seeds.big)
    figure.subjects[NGINX] = subject(*bench.nginx)
    return figure


def _pushes(bench: Bench) -> list[Figure]:
    def subject(server: Server, count: int) -> Subject:
        def measure() -> float:
            files = [part for pair in bench.payloads.fresh(count) for part in pair]
            return bench.clients.run("push", server.port, f"push/r{time.time_ns()}", *files)

        return Subject(measure, server)

    figures = []
    for count in (1, 4):
        figure = Figure(f"blob 128 MiB push, c{count}", "GB/s")
        for server, _ in bench.registries:
            figure.subjects[server.name] = subject(server, count)
        figures.append(figure)
    figures[0].subjects[DISK] = Subject(lambda: _disk(bench.payloads, bench.scratch / "written"))
    return figures


def _disk(payloads: Payloads, path: Path) -> float:
    """What no push can do without, one after the other: write 128 MiB and sync them, and one SHA-256 of them."""
    [(source, _)] = payloads.fresh(1)
    data = source.read_bytes()
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for offset in range(0, len(data), MIB):
            file.write(data[offset : offset + MIB])
        os.fsync(file.fileno())
    hashlib.sha256(data).digest()
    taken = time.perf_counter() - start
    path.unlink()
    return PUSH_BYTES / taken / 1e9


def _images(bench: Bench) -> list[Figure]:
    def subject(server: Server, connections: int) -> Subject:
        return Subject(lambda: bench.clients.run("images", server.port, bench.seconds, connections), server)

    figures = []
    for connections in (1, 8):
        figure = Figure(f"small image pushes, c{connections}", "images/s")
        for server, _ in bench.registries:
            figure.subjects[server.name] = subject(server, connections)
        figures.append(figure)
    return figures


def _lists(bench: Bench) -> list[Figure]:
    def list_figure(name: str, path: str, key: str, count: int) -> Figure:
        figure = Figure(f"{name}, a page of {count} of {_NAMES[key]}", "ms", less_is_better=True)
        for server in bench.listed:
            figure.subjects[server.name] = _page(server, f"{path}?n={count}", key, count, bench.seconds)
            answered = names(server, f"{path}?n={count}", key)
            if answered != count:
                figure.note = f"{name}: {server.name} answers {answered} names where {count} are asked for."
        return figure

    return [
        list_figure("catalog", "/v2/_catalog", "repositories", 1000),
        list_figure("tags", f"/v2/{TAGS_REPOSITORY}/tags/list", "tags", 100),
    ]


def _page(server: Server, path: str, key: str, least: int, seconds: int) -> Subject:
    return Subject(lambda: page_milliseconds(server, path, key, least, seconds), server)


def _median(values: Iterable[float | None]) -> float | None:
    """None if any of them is: a figure that failed once is not a figure."""
    known = list(values)
    if not known or None in known:
        return None
    return statistics.median(value for value in known if value is not None)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
