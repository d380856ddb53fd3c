"""
The figures as a table in Markdown, and as JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from figures import OURS, THEIRS, Figure
from plot import draw


def write(directory: Path, machine: dict[str, str], settings: dict[str, int], figures: list[Figure]) -> str:
    """
    Write latest.md, latest.json and latest.svg.

    :return: the table.
    """
    table = markdown(machine, settings, figures)
    directory.mkdir(exist_ok=True)
    _replace(directory / "latest.md", table)
    _replace(directory / "latest.json", as_json(machine, settings, figures))
    _replace(directory / "latest.svg", draw(figures, f"{machine['CPU']}, {machine['cores']} cores; {machine['date']}"))
    return table


def markdown(machine: dict[str, str], settings: dict[str, int], figures: list[Figure]) -> str:
    lines = [
        f"| figure | unit | {OURS} | {THEIRS} | {OURS} / {THEIRS} |",
        "| --- | --- | ---: | ---: | ---: |",
        *(_row(figure) for figure in figures),
        "",
        f"| limit | unit | measured | {OURS} / limit |",
        "| --- | --- | ---: | ---: |",
        *(row for figure in figures for row in _limits(figure)),
        "",
        _explanation(**settings),
        *(figure.note for figure in figures if figure.note),
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
    ]
    return "\n".join(lines) + "\n"


def as_json(machine: dict[str, str], settings: dict[str, int], figures: list[Figure]) -> str:
    """All values of all rounds."""
    content = {
        "machine": machine,
        "settings": settings,
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "less_is_better": figure.less_is_better,
                "values": figure.values,
                "cpu_seconds": figure.cpu,
                "medians": {name: figure.median(name) for name in figure.values},
                "ratios": {name: figure.ratio(OURS, name) for name in figure.values if name != OURS},
            }
            for figure in figures
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _explanation(rounds: int, seconds: int) -> str:
    """How to read the table."""
    return (
        f"Each figure is the median of {rounds} round{'s' if rounds > 1 else ''}, of {seconds} s where the load lasts; "
        "each ratio is the median of those within a round. cN: N connections. Of ms and MiB less is better, of all "
        "else more. Memory is summed over processes, and measured once. The limit of a push is one thing after the "
        "other; a server may do both at once."
    )


def _row(figure: Figure) -> str:
    values = f"{_number(figure.median(OURS))} | {_number(figure.median(THEIRS))}"
    return f"| {figure.name} | {figure.unit} | {values} | {_number(figure.ratio(OURS, THEIRS))} |"


def _limits(figure: Figure) -> list[str]:
    return [
        f"| {figure.name}: {name} | {figure.unit} | {_number(figure.median(name))} "
        f"| {_number(figure.ratio(OURS, name))} |"
        for name in figure.values
        if name not in {OURS, THEIRS}
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "failed"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is never seen half written."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)
