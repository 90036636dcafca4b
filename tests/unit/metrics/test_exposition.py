"""Figures as Prometheus and OpenMetrics read them."""

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from edged.metrics import catalog
from edged.metrics.catalog import METRICS, Metric
from edged.metrics.distribution import BOUNDS_S
from edged.metrics.exposition import rendered
from edged.metrics.figure import Buckets, Figure

ODD = 'gate "7"\\\n{x="1"}'


def figure(metric: Metric, value: float = 3) -> Figure:
    buckets = Buckets([1] * len(BOUNDS_S) + [2], 99.5)
    return Figure(metric, (ODD,) * len(metric.labels), buckets if metric.kind == "histogram" else value)


@pytest.mark.parametrize("read", [plain, openmetrics])
def test_every_metric_is_read_as_it_was_written(read):
    accept = "application/openmetrics-text; version=1.0.0" if read is openmetrics else "text/plain"
    content_type, text = rendered([figure(metric) for metric in METRICS], accept)
    assert content_type.startswith(accept.partition(";")[0])
    families = {family.name: family for family in read(text.decode())}
    for metric in METRICS:
        family = families.pop(metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name)
        assert (family.type, family.documentation) == (metric.kind, metric.says)
        assert all(
            value == ODD for one in family.samples for name, value in one.labels.items() if name != "le"
        )
        assert {name for one in family.samples for name in one.labels} - {"le"} == set(metric.labels)
    assert not families


def test_buckets_are_cumulative_and_end_with_all():
    _, text = rendered([figure(catalog.AGE)])
    (family,) = plain(text.decode())
    values = [one.value for one in family.samples if one.name.endswith("_bucket")]
    assert values == [*range(1, len(BOUNDS_S) + 1), len(BOUNDS_S) + 2]
    assert {one.name: one.value for one in family.samples}["edged_frame_age_seconds_sum"] == 99.5


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "application/openmetrics-text; version=x",
        "text/plain;version=9.9.9.9q",
        "," * 999,
    ],
)
def test_whatever_is_accepted_something_is_answered(accept):
    content_type, text = rendered([figure(catalog.WAITING)], accept)
    assert "text" in content_type
    assert b"edged_outbox_messages 3.0\n" in text


def test_labels_that_are_not_those_of_the_metric_are_an_error():
    with pytest.raises(ValueError, match="edged_camera_up"):
        rendered([Figure(catalog.CAMERA_UP, ("front", "back"), 1)])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_its_unit_and_what_it_is(metric):
    assert re.fullmatch(r"edged(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|mib|kib|percent|minutes)(_|$)", metric.name)
    assert metric.kind != "histogram" or metric.name.endswith("_seconds")
    assert metric.says.endswith(".")
    assert len(set(metric.labels)) == len(metric.labels)


def test_no_two_metrics_have_one_name():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
