"""Tests of :mod:`dregistry.metrics.exposition`, read back by Prometheus' own parser."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.trial.unittest import SynchronousTestCase

from dregistry.metrics._memory import Reading, Series
from dregistry.metrics.exposition import expose
from dregistry.metrics.families import (
    ASKED,
    COUNTED,
    HTTP_DURATION,
    HTTP_IN_FLIGHT,
    HTTP_REQUESTS,
    PENDING,
    STORAGE_CACHE,
    Family,
)


def reading(family: Family, labels: tuple[str, ...], *values: float) -> Reading:
    return Reading(1, {}, [Series(family, labels, values)])


class ExposeTests(SynchronousTestCase):
    def samples(self, *readings: Reading, found: tuple = ()) -> dict[str, float]:  # type: ignore[type-arg]
        text, content_type = expose(readings, found, "text/plain")
        self.assertTrue(content_type.startswith("text/plain; version="))
        return {
            sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
            for family in parse(text.decode())
            for sample in family.samples
        }

    def test_sums(self) -> None:
        """Of all processes."""
        labels = ("base", "get", "200")
        samples = self.samples(
            reading(HTTP_REQUESTS, labels, 2), reading(HTTP_REQUESTS, labels, 3), reading(HTTP_IN_FLIGHT, ("base",), 1)
        )
        self.assertEqual(
            samples,
            {
                "registry_http_requests_total code=200 handler=base method=get": 5,
                "registry_http_in_flight_requests handler=base": 1,
            },
        )

    def test_histogram(self) -> None:
        """Buckets count what is below their bound."""
        values = [1.0, 2.0, *[0.0] * 11, 4.0, 9.5]
        samples = self.samples(reading(HTTP_DURATION, ("a", "get"), *values))
        name = "registry_http_request_duration_seconds"
        self.assertEqual(samples[f"{name}_bucket handler=a le=0.005 method=get"], 1)
        self.assertEqual(samples[f"{name}_bucket handler=a le=0.01 method=get"], 3)
        self.assertEqual(samples[f"{name}_bucket handler=a le=60.0 method=get"], 3)
        self.assertEqual(samples[f"{name}_bucket handler=a le=+Inf method=get"], 7)
        self.assertEqual(samples[f"{name}_count handler=a method=get"], 7)
        self.assertEqual(samples[f"{name}_sum handler=a method=get"], 9.5)

    def test_cache(self) -> None:
        """By registry:2's name and by registry:3's."""
        samples = self.samples(
            *(reading(STORAGE_CACHE, (kind,), value) for kind, value in (("Request", 5), ("Hit", 3), ("Miss", 2)))
        )
        self.assertEqual(samples["registry_storage_cache_total type=Hit"], 3)
        self.assertEqual(samples["registry_storage_cache_requests_total"], 5)
        self.assertEqual(samples["registry_storage_cache_hits_total"], 3)
        self.assertEqual(samples["registry_storage_cache_errors_total"], 0)

    def test_a_gauge_called_total(self) -> None:
        """As distribution calls it."""
        text, _ = expose([], [(PENDING, ("hook",), 4.0)], "")
        self.assertIn("# TYPE registry_notifications_pending_total gauge\n", text.decode())
        self.assertIn('\nregistry_notifications_pending_total{endpoint="hook"} 4.0\n', text.decode())

    def test_open_metrics(self) -> None:
        text, content_type = expose(
            [reading(HTTP_REQUESTS, ("base", "get", "200"), 2)], [], "application/openmetrics-text; version=1.0.0"
        )
        self.assertTrue(content_type.startswith("application/openmetrics-text"))
        [family] = parse_openmetrics(text.decode())
        self.assertEqual(family.name, "registry_http_requests")

    def test_names(self) -> None:
        """Each family once, with a help; what is ours is marked, and the rest is distribution's."""
        names = [family.name for family in (*COUNTED, *ASKED)]
        self.assertEqual(len(names), len(set(names)))
        for family in (*COUNTED, *ASKED):
            self.assertTrue(family.name.startswith(("dregistry_", "registry_", "process_")), family.name)
            self.assertFalse(family.kind == "counter" and family.name.endswith("_total"), family.name)
            self.assertTrue(family.help)
            self.assertEqual(sorted(family.bounds), list(family.bounds))
            self.assertEqual(bool(family.bounds), family.kind == "histogram")
