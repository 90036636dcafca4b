"""Figures to the text that Prometheus reads. Loads the client library: to be imported by who is asked for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import exposition as plain
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics

from edged.metrics.catalog import METRICS, Metric
from edged.metrics.distribution import BOUNDS_S
from edged.metrics.figure import Buckets, Figure

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def rendered(figures: Iterable[Figure], accept: str = "") -> tuple[str, bytes]:
    """Figures as text.

    Args:
        figures: In any order.
        accept: What the asker takes: the plain format, unless this names OpenMetrics.

    Returns:
        The content type, and the text.

    Raises:
        ValueError: A figure whose labels are not those of its metric.
    """
    collected = _Collected(list(_families(figures)))
    # Of the library's own choice a version that is no number makes a TypeError.
    if "application/openmetrics-text" in accept:
        encode: Callable[[_Collected], bytes] = openmetrics.generate_latest  # it is not typed
        return openmetrics.CONTENT_TYPE_LATEST, encode(collected)
    return PLAIN, plain.generate_latest(collected)


class _Collected:
    """What an encoder asks a registry for; nothing is registered, as nothing is counted here."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Sequence[Family]:
        return self._families


def _families(figures: Iterable[Figure]) -> Iterator[Family]:
    """One family a metric that has a figure, in the order of the catalog."""
    by_metric: dict[Metric, list[Figure]] = {}
    for figure in figures:
        if len(figure.labels) != len(figure.metric.labels):
            raise ValueError(f"{figure.metric.name}: labels {figure.labels} for {figure.metric.labels}")
        by_metric.setdefault(figure.metric, []).append(figure)
    for metric in METRICS:
        if metric in by_metric:
            yield _family(metric, by_metric[metric])


def _family(metric: Metric, figures: Sequence[Figure]) -> Family:
    if metric.kind == "histogram":
        family = HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)
        for _, labels, value in figures:
            if isinstance(value, Buckets):
                family.add_metric(labels, list(_cumulative(value.counts)), value.sum_s)
        return family
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    single: CounterMetricFamily | GaugeMetricFamily = kind(metric.name, metric.says, labels=metric.labels)
    for _, labels, value in figures:
        if not isinstance(value, Buckets):
            single.add_metric(labels, value)
    return single


def _cumulative(counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """``(le, durations of at most that)`` of each bucket."""
    total = 0.0
    for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], counts, strict=True):
        total += count
        yield bound, total
