"""
From what processes counted to what Prometheus reads, by its own client. Imports it, and TLS with it: only for a process
that is asked for metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from ._memory import Reading
from .families import CACHE_ERRORS, CACHE_HITS, CACHE_REQUESTS, STORAGE_CACHE, Family
from .outbox import Found

_Sums = dict[Family, dict[tuple[str, ...], list[float]]]


class _Collected:
    """What the encoder takes for a registry of the client's own."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def expose(readings: Iterable[Reading], found: Iterable[Found], accept: str) -> tuple[bytes, str]:
    """
    The text that a scrape is answered by, and its Content-Type.

    :param readings: of all seats; what several of them have of one time series is added up.
    :param found: what is known besides.
    :param accept: the ``Accept`` header of the scrape.
    """
    sums = _sums(readings)
    for family, labels, value in (*found, *_cache(sums)):
        sums.setdefault(family, {})[labels] = [value]
    encode, content_type = choose_encoder(accept)
    return encode(_Collected([_metric(family, series) for family, series in sorted(sums.items(), key=_name)])), str(
        content_type
    )


def _name(item: tuple[Family, object]) -> str:
    return item[0].name


def _sums(readings: Iterable[Reading]) -> _Sums:
    sums: _Sums = {}
    for reading in readings:
        for series in reading.series:
            of_family = sums.setdefault(series.family, {})
            before = of_family.get(series.labels)
            of_family[series.labels] = (
                list(series.values) if before is None else [a + b for a, b in zip(before, series.values, strict=True)]
            )
    return sums


def _cache(sums: _Sums) -> Iterator[Found]:
    """registry:3 has other names for what registry:2 tells of the cache."""
    series = sums.get(STORAGE_CACHE)
    if series:
        yield CACHE_REQUESTS, (), series.get(("Request",), [0.0])[0]
        yield CACHE_HITS, (), series.get(("Hit",), [0.0])[0]
        yield CACHE_ERRORS, (), 0.0  # a cache that fails knows nothing, which is a miss


def _metric(family: Family, series: dict[tuple[str, ...], list[float]]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, values in sorted(series.items()):
            histogram.add_metric(labels, _buckets(family, values), values[-1])
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, values in sorted(series.items()):
        metric.add_metric(labels, values[0])
    return metric


def _buckets(family: Family, values: Sequence[float]) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for bound, value in zip((*family.bounds, float("inf")), values, strict=False):
        total += value
        buckets.append((floatToGoString(bound), total))
    return buckets
