"""What `/metrics` and `/status` gather from the parts of the daemon."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edged.metrics import catalog
from edged.metrics.catalog import DROPPED, METRICS, PROVIDERS, SKIPPED, STAGES
from edged.metrics.exposition import rendered
from edged.metrics.figure import Buckets, Figure
from edged.mqtt.shapes.model_state import CandidateShape, ModelStateMessage, RejectedShape, VersionShape
from edged.outbox import MemoryOutbox
from edged.pipeline import Pipeline
from edged.service.device import Device
from edged.service.figures import Figures, WorkerTime
from edged.service.following import Following
from edged.service.lasting import Lasting
from edged.service.model_load import work_of
from edged.service.outlets import SILENT
from edged.service.posts import CameraPost
from edged.service.quota import KINDS
from edged.service.report import Health
from edged.service.sensor_posts import SensorPost
from edged.service.status import status
from edged.service.status_schema import FILE
from edged.service.supervision import Troubles
from edged.service.updates import Totals
from edged.settings import check_settings
from edged.updates.progress import Progress

DIGEST, MOMENT = "sha256:" + "0" * 64, "2026-11-22T15:00:00.000000Z"
HOSTILE = 'x"} 1\nedged_up 1'
GIVEN = {
    "device": "box",
    "mqtt": {"url": "mqtt://joe:geheim@broker"},
    "models": {"cars": {"providers": ["openvino:GPU", "cpu"]}, "pumps": {}},
    "cameras": {"front": {"url": "rtsp://joe:geheim@cam/1", "models": ["cars"]}},
    "sensors": {"pump": {"url": "-", "models": ["pumps"]}},
}


class Model:
    """A model that is served, and says of itself what it likes."""

    def __init__(self, name: str, pipeline: Any = None) -> None:
        self.name, self.pipeline, self.frames, self.rows = name, pipeline, pipeline, None
        self.error, self.info, self.losses, self.swaps, self.pids = None, None, 2, 1, [os.getpid()]
        described = SimpleNamespace(provider=HOSTILE, provider_refused=(HOSTILE,), min_score=0.5)
        self.description = described
        self.worker = SimpleNamespace(description=described, current=lambda _: None)

    def state(self, device: str) -> ModelStateMessage:
        return ModelStateMessage(
            device=device,
            model=self.name,
            active=VersionShape(version=7, digest=DIGEST),
            candidate=CandidateShape(version=9, digest=DIGEST, step=HOSTILE),
            rejected=(RejectedShape(version=8, reason="rtsp://joe:geheim@cam is in it", at=MOMENT),),
            labels=(HOSTILE,),
            provider_asked=("openvino:GPU", "cpu"),
            provider=HOSTILE,
            since=MOMENT,
        )


@pytest.fixture
def device() -> Device:
    loaded = check_settings(GIVEN, name="test").settings
    models = {"cars": Model("cars", Pipeline("cars", 2)), "pumps": Model("pumps")}
    camera = CameraPost(  # it is not started: nothing is opened here
        "front",
        loaded.cameras["front"],
        once=False,
        publisher=cast(Any, SimpleNamespace(emitter=lambda *_: lambda _: True)),
        on_state=lambda _: None,
        following={"cars": Following("front", "cars", loaded.cameras["front"], SILENT)},
    )
    camera.connect(cast(Any, models))
    sensor = SensorPost(
        "pump",
        loaded.sensors["pump"],
        source=cast(Any, SimpleNamespace(patient=True, dropped=3, format=None, wake=lambda: None)),
        hold_rows=0,
        once=False,
        publisher=cast(Any, SimpleNamespace()),
        on_state=lambda _: None,
    )
    sensor.alarmed("pumps", "", up=True)
    work = {name: Lasting() for name in models}
    for name, model in models.items():
        work[name].add(lambda model=model: work_of(cast(Any, model)), lambda: False)
    links = Lasting()
    links.add(lambda: {"connections": 3, "set aside": 1}, lambda: False)
    link = SimpleNamespace(
        connected=True,
        state=SimpleNamespace(
            connected=False, protocol="", why="joe:x@b: mqtt://joe:geheim@b", refused=False, since_s=1
        ),
    )
    return Device(
        settings=lambda: loaded,
        link=lambda: cast(Any, link),
        cameras=lambda: cast(Any, [camera]),
        sensors=lambda: cast(Any, [sensor]),
        models=lambda: cast(Any, models),
        model_totals=lambda: work,
        links=links,
        started_at_s=5.0,
        update=lambda name: (
            Progress("refused", 9, reason="see http://joe:geheim@updates") if name == "cars" else None
        ),
        update_totals=lambda: Totals({"ok": 4, "refused": 1}, arrived_bytes=900, checked_s=7.0),
        pictures=lambda: cast(Any, SimpleNamespace(made=lambda _: 6, dropped=lambda _: {"rate": 2})),
    )


def gathered(device: Device) -> list[Figure]:
    return Figures(
        device,
        MemoryOutbox(1000, 60.0),
        Health(),
        healthy=list,
        ready=lambda: ["no"],
        troubles=lambda: Troubles(deaths=2, hangs=7),
    ).all()


def of(figures: list[Figure], metric: catalog.Metric) -> dict[tuple[str, ...], Any]:
    return {one.labels: one.value for one in figures if one.metric is metric}


def test_every_metric_of_the_catalog_is_there_once_for_each_of_its_labels(device):
    figures = gathered(device)
    assert {one.metric for one in figures} == set(METRICS)
    assert len({(one.metric, one.labels) for one in figures}) == len(figures)


def test_values_of_labels_are_configured_names_and_words_of_a_list_whatever_a_model_says(device):
    """And so the number of series is known from the configuration."""
    names = {"camera": {"front"}, "sensor": {"pump"}, "model": {"cars", "pumps"}}
    words = {
        "reason": {*SKIPPED, *DROPPED, *catalog.SNAPSHOTS_DROPPED, "gap", "source"},
        "stage": {*STAGES},
        "kind": {*KINDS},
        "provider": {*PROVIDERS, catalog.OTHER},
        "asked": {"openvino:GPU,cpu"},
        "state": {*catalog.UPDATE_STATES},
        "result": {*catalog.UPDATE_CHECKS},
    }
    for metric, labels, _ in gathered(device):
        for label, value in zip(metric.labels, labels, strict=True):
            if metric is not catalog.BUILD:
                assert value in (names | words)[label], (metric.name, label)


def test_the_series_of_each_part_are_no_more_than_the_page_says(device):
    """`docs/metrics.md`, Labels."""
    _, text = rendered(gathered(device))
    samples = [one for family in text_string_to_metric_families(text.decode()) for one in family.samples]

    def series(*labels: str) -> int:
        named = ({"camera", "sensor", "model"} & set(one.labels) for one in samples)
        return sum(found == set(labels) for found in named)

    assert 80 < series("camera", "model") <= 100
    assert series("sensor", "model") <= 20
    of_update = len(catalog.UPDATE_STATES) + 1  # of one of the two
    assert max(series("camera"), series("sensor"), (series("model") - of_update) / 2) <= 20
    assert series() - len(catalog.UPDATE_CHECKS) - 2 <= 20


def test_figures_are_those_of_the_parts(device):
    (post,) = device.cameras()
    post.camera.statistics.captured, post.camera.statistics.still = 9, 4
    (feed,) = device.models()["cars"].pipeline._turns.feeds
    feed.counts.update(published=3, withheld=1, full=1)
    figures = gathered(device)
    assert of(figures, catalog.CAPTURED) == {("front",): 9}
    assert of(figures, catalog.SKIPPED_FRAMES)["front", "still"] == 4
    assert of(figures, catalog.INFERRED) == {("front", "cars"): 4}
    assert of(figures, catalog.DROPPED_FRAMES)["front", "cars", "full"] == 1
    assert of(figures, catalog.LOST_ROWS) == {("pump", "gap"): 0, ("pump", "source"): 3}
    assert of(figures, catalog.SENSOR_ALARM) == {("pump",): 1}
    assert of(figures, catalog.ACTIVE_VERSION)["cars",] == 7
    assert (of(figures, catalog.RESTARTS)["cars",], of(figures, catalog.REJECTED)["cars",]) == (2, 1)
    assert of(figures, catalog.MQTT_RECONNECTS) == {(): 2}
    assert (of(figures, catalog.HEALTHY), of(figures, catalog.READY)) == ({(): True}, {(): False})
    assert of(figures, catalog.THREADS)[()] >= 1
    assert of(figures, catalog.FDS)[()] >= 3


def test_how_long_frames_took_is_counted_by_stage(device):
    (feed,) = device.models()["cars"].pipeline._turns.feeds
    took = SimpleNamespace(queue_ms=0.2, preprocess_ms=2, inference_ms=20, decode_ms=600)
    took.frame = SimpleNamespace(captured_monotonic_s=-1e6)
    assert feed.emit(took)
    figures = gathered(device)
    found = {labels[2]: value for labels, value in of(figures, catalog.STAGE).items()}
    places = {
        stage: list(value.counts).index(1) for stage, value in found.items() if isinstance(value, Buckets)
    }
    assert places == {"queue": 0, "preprocess": 2, "inference": 5, "decode": 10}
    assert found["inference"].sum_s == 0.02
    assert list(of(figures, catalog.AGE)["front", "cars"].counts)[-1] == 1


def test_threads_that_died_and_threads_that_hung_are_counted(device):
    figures = gathered(device)
    assert of(figures, catalog.THREAD_DEATHS) == {(): 2}
    assert of(figures, catalog.THREAD_HANGS) == {(): 7}


def test_how_far_updates_are_is_one_figure_a_state(device):
    figures = gathered(device)
    states = of(figures, catalog.UPDATE_STATE)
    assert {state for (_, state), value in states.items() if value} == {"refused"}
    assert set(states) == {("cars", state) for state in catalog.UPDATE_STATES}, "pumps is not updated"
    assert of(figures, catalog.UPDATE_VERSION) == {("cars",): 9}
    checks = {("ok",): 4, ("refused",): 1, ("unreachable",): 0}
    assert of(figures, catalog.UPDATE_CHECKED) == checks
    assert (of(figures, catalog.UPDATE_BYTES), of(figures, catalog.UPDATE_LAST)) == ({(): 900}, {(): 7.0})


def test_without_updates_there_are_no_figures_of_them(device):
    off = gathered(replace(device, update=lambda _: None, update_totals=lambda: None))
    assert not [one for one in off if one.metric.name.startswith("edged_update")]


def test_the_state_of_everything_has_no_password_in_it_and_no_labels(device):
    told = status(device, MemoryOutbox(1000, 60.0), Health(), healthy=list, ready=lambda: ["x://a:geheim@b"])
    text = json.dumps(told)
    jsonschema.validate(told, json.loads(FILE.read_text(encoding="utf-8")))
    assert "geheim" not in text
    assert (told["schema"], told["device"], told["mqtt"]["reconnects"]) == ("edged.status/1", "box", 2)
    assert told["mqtt"]["broker"] == "mqtt://joe:***@broker"
    assert told["models"][0]["update"]["reason"] == "see http://joe:***@updates"
    assert told["models"][0]["rejected"][0]["reason"] == "rtsp://joe:***@cam is in it"
    assert [model["labels"] for model in told["models"]] == [[], []]
    assert [source["name"] for source in told["health"]["sources"]] == ["front", "pump"]


@given(st.lists(st.dictionaries(st.integers(1, 4), st.integers(0, 5)), max_size=12))
@settings(max_examples=50, deadline=None)
def test_the_time_of_workers_never_falls_whatever_processes_come_and_go(looks):
    time, before = WorkerTime(), 0.0
    for processes in looks:
        now = time.total("cars", {pid: float(cpu_s) for pid, cpu_s in processes.items()})
        assert now >= before
        before = now


def test_the_time_of_a_worker_that_is_gone_is_kept():
    time = WorkerTime()
    assert time.total("cars", {1: 5.0}) == 5.0
    assert time.total("cars", {2: 1.0}) == 6.0
    assert time.total("cars", {2: 3.0}) == 8.0
    time.keep_only({"bikes"})
    assert time.total("cars", {3: 1.0}) == 1.0


def test_the_daemon_does_not_load_the_client_library_before_somebody_asks():
    program = (
        "import sys, edged.service.daemon; print([name for name in sys.modules if 'prometheus' in name])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_what_a_camera_keeps_back_is_counted_by_kind_and_reason(device: Device) -> None:
    (camera,) = device.cameras()
    camera.quota.under(0.001)
    assert [camera.quota.detections() for _ in range(3)] == [True, False, False]
    figures = gathered(device)
    assert of(figures, catalog.WITHHELD) == {("front", "detections"): 2, ("front", "updates"): 0}
    assert of(figures, catalog.SNAPSHOTS) == {("front",): 6}
    lost = {("front", "full"): 0, ("front", "rate"): 2, ("front", "unseen"): 0}
    assert of(figures, catalog.SNAPSHOTS_LOST) == lost
