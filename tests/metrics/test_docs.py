"""What the dashboard and docs/monitoring.md ask for exists, and what exists is documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from dregistry.backends import read_setup
from dregistry.health.section import has_checks
from dregistry.metrics.families import ASKED, COUNTED, Family

from ..storage.support import temporary_directory

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "monitoring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
DASHBOARD = json.loads((DOCS / "grafana" / "dregistry.json").read_text(encoding="utf-8"))
_SELECTOR = re.compile(r"\b((?:d?registry|process)_\w+)(\{[^}]*\})?")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")
_OF_THE_SCRAPE = {"job", "instance"}


def series(family: Family) -> set[str]:
    """The names under which a family is shown."""
    if family.kind == "histogram":
        return {f"{family.name}_{end}" for end in ("bucket", "count", "sum")}
    return {f"{family.name}_total" if family.kind == "counter" else family.name}


NAMES = {name: family for family in (*COUNTED, *ASKED) for name in series(family)}


def panels() -> Iterator[dict[str, Any]]:
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


class Queries(SynchronousTestCase):
    def assert_asks_for_what_exists(self, query: str) -> None:
        found = _SELECTOR.findall(query)
        self.assertTrue(found, query)
        self.assertEqual(query.count("("), query.count(")"), query)
        labels = set(_OF_THE_SCRAPE)
        for name, selector in found:
            self.assertIn(name, NAMES, query)
            family = NAMES[name]
            has = {*family.labels, *_OF_THE_SCRAPE, *(["le"] if name.endswith("_bucket") else [])}
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
                self.assertIn(label, has, query)
            labels |= has
        for group in _GROUPING.findall(query):
            self.assertLessEqual({each.strip() for each in group.split(",")}, labels, query)


class DashboardTests(Queries):
    def test_queries(self) -> None:
        queries = [target["expr"] for panel in panels() for target in panel["targets"]]
        self.assertGreater(len(queries), 30)
        for query in queries:
            self.assert_asks_for_what_exists(query)
        for variable in DASHBOARD["templating"]["list"]:
            if variable["type"] == "query":
                self.assert_asks_for_what_exists(variable["definition"])

    def test_legends(self) -> None:
        """They are of labels that the query keeps."""
        for panel in panels():
            for target in panel["targets"]:
                kept = {each.strip() for group in _GROUPING.findall(target["expr"]) for each in group.split(",")}
                self.assertLessEqual(set(re.findall(r"{{(\w+)}}", target["legendFormat"])), kept, target["expr"])

    def test_whole(self) -> None:
        """Each panel is once, in a place of its own, with a data source that can be chosen."""
        every = DASHBOARD["panels"]
        self.assertEqual(len({panel["id"] for panel in every}), len(every))
        taken: set[tuple[int, int]] = set()
        for panel in every:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
        for panel in panels():
            self.assertEqual(panel["datasource"]["uid"], "${datasource}")
            self.assertTrue(panel["title"])

    def test_finder(self) -> None:
        """These tests would see a name or a label that does not exist."""
        for query in (
            "sum(dregistry_nothing)",
            "registry_http_requests_total{repository='a'}",
            "sum by (pool) (dregistry_workers)",
            "registry_http_request_duration_seconds",
        ):
            with self.assertRaises(AssertionError):
                self.assert_asks_for_what_exists(query)


class PageTests(Queries):
    def test_alerts(self) -> None:
        [group] = yaml.safe_load(BLOCKS[1])["groups"]
        self.assertGreater(len(group["rules"]), 5)
        for rule in group["rules"]:
            self.assert_asks_for_what_exists(rule["expr"])

    def test_every_metric_is_listed(self) -> None:
        listed = set(re.findall(r"`((?:d?registry|process)_\w+)`", TEXT))
        shown = {f"{each.name}_total" if each.kind == "counter" else each.name for each in (*COUNTED, *ASKED)}
        self.assertEqual(listed, shown)

    def test_labels_are_listed(self) -> None:
        rows = re.findall(r"^\| (`(?:d?registry|process)_.*?) \| (.*?) \|", TEXT, re.MULTILINE)
        for names, labels in rows:
            for name in re.findall(r"`(\w+)`", names):
                family = NAMES.get(name) or NAMES[f"{name}_count"]
                self.assertEqual(re.findall(r"`(\w+)`", labels), list(family.labels), name)

    def test_configuration(self) -> None:
        path = Path(temporary_directory(self)) / "r.yml"
        path.write_text(f"version: 0.1\nstorage: inmemory\n{BLOCKS[0]}")
        warnings: list[Any] = []
        setup = read_setup(str(path), warnings.append)
        self.assertEqual(warnings, [])
        self.assertTrue(setup.exposes_metrics)
        self.assertTrue(has_checks(setup.config))
