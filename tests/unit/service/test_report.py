"""What a device says of its health."""

import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edged.mqtt.shapes.health import HealthMessage
from edged.outbox import MemoryOutbox
from edged.sections import UpdatesSettings
from edged.service import report as module
from edged.service.lasting import Lasting
from edged.service.model_load import ModelTotals, totals_of, work_of
from edged.service.report import MAX_ERRORS, SHORTEST_S, Health, Sample, info, sample, spool
from edged.service.source_totals import CameraWork, SourceTotals


def at(health: Health, seconds: float, **things: Any) -> Sample:
    """How things stood so many seconds after the start."""
    return Sample(health._start.at_s + seconds, **things)


def report(health: Health, now: Sample) -> HealthMessage:
    return health.report("box", now)


def device(models: tuple[Any, ...] = ()) -> Any:
    return SimpleNamespace(
        models=lambda: {model.name: model for model in models},
        model_totals=lambda: {model.name: Lasting() for model in models},
        cameras=list,
        sensors=list,
        set_aside=3,
        reconnects=2,
    )


def test_health_counts_the_processes_of_the_workers() -> None:
    outbox = MemoryOutbox(1000, 60.0)
    model = SimpleNamespace(name="cars", pids=[os.getppid()], pipeline=None)
    assert 0 < sample(device(), outbox).memory_bytes < sample(device(models=(model,)), outbox).memory_bytes


def test_health_tells_what_waits_for_the_broker_and_what_was_dropped() -> None:
    outbox = MemoryOutbox(100, 60.0)
    for _ in range(3):
        outbox.append("topic", b"x" * 40, qos=1)
    message = report(Health(), sample(device(), outbox)).model_dump()
    assert message["spool"] == {
        "entries": 2,
        "bytes": 90,
        "dropped": 1,
        "set_aside": 3,
        "why": "it is in memory",
    }
    assert message["spool"] == spool(outbox, 3).model_dump()
    assert message["reconnects"] == 2


def test_health_keeps_the_newest_errors_without_passwords_and_without_repeating_one() -> None:
    health = Health()
    for number in range(MAX_ERRORS + 2):
        health.remember(f"error {number}")
    health.remember("cannot reach rtsp://joe:secret@cam/1")
    health.remember("cannot reach rtsp://joe:secret@cam/1")
    errors = report(health, at(health, 1)).errors
    assert errors[0] == "cannot reach rtsp://joe:***@cam/1"
    assert errors[1] == f"error {MAX_ERRORS + 1}"
    assert len(errors) == MAX_ERRORS
    assert health.count == MAX_ERRORS + 3


def test_rates_are_those_since_the_last_report_and_drops_those_since_the_start() -> None:
    health = Health()
    work = CameraWork(late=60, looked_at=30, queue_s=0.6, inference_s=5.0)
    done = SourceTotals("front", 100, 30, {"full": 60, "stale": 0}, reconnects=1, work=work)
    (first,) = report(health, at(health, 10, sources=(done,))).sources
    assert (first.captured_per_s, first.published_per_s, first.late_per_s) == (10.0, 3.0, 6.0)
    assert (first.queue_ms, first.inference_percent, first.dropped) == (20.0, 50.0, {"full": 60})
    (second,) = report(health, at(health, 20, sources=(done,))).sources
    assert (second.captured_per_s, second.late_per_s, second.queue_ms) == (0.0, 0.0, None)
    assert (second.dropped, second.reconnects) == ({"full": 60}, 1)


def test_a_camera_and_a_sensor_of_one_name_are_told_apart() -> None:
    health = Health()
    for seconds, frames, rows in ((10, 50, 1000), (20, 150, 3000)):
        both = (SourceTotals("gate", frames, work=CameraWork()), SourceTotals("gate", rows))
        camera, sensor = report(health, at(health, seconds, sources=both)).sources
    assert (camera.captured_per_s, sensor.captured_per_s) == (10.0, 200.0)
    assert (camera.late_per_s, sensor.late_per_s) == (0.0, None)


def test_still_frames_are_told_of_cameras_with_a_motion_gate_only() -> None:
    ungated, gated = (SourceTotals("front", work=CameraWork(still=still)) for still in (None, 20))
    assert ungated.health(None, 10.0).still_per_s is None
    assert gated.health(None, 10.0).still_per_s == 2.0


def test_health_tells_how_busy_each_model_was_since_the_last_report() -> None:
    health = Health()
    done = ModelTotals("cars", callers=2, inferences=100, inference_s=18.0, late=40, restarts=1)
    (first,) = report(health, at(health, 10, models=(done,))).models
    assert (first.utilisation_percent, first.inferences_per_s, first.inference_ms) == (90.0, 10.0, 180.0)
    assert (first.late_per_s, first.callers, first.restarts) == (4.0, 2, 1)
    (second,) = report(health, at(health, 20, models=(done,))).models
    assert (second.utilisation_percent, second.inference_ms, second.late_per_s) == (0.0, None, 0.0)


def test_the_time_of_a_process_that_takes_the_place_of_another_counts_from_its_start() -> None:
    health = Health()
    assert report(health, at(health, 10, cpu_s={1: 2.0, 2: 6.0})).cpu_percent == 80.0
    assert report(health, at(health, 20, cpu_s={1: 3.0, 3: 4.0})).cpu_percent == 50.0


def test_a_model_that_was_never_served_has_no_figures() -> None:
    model = cast(Any, SimpleNamespace(name="cars", pids=[], pipeline=None, losses=2, swaps=0))
    assert totals_of(model, work_of(model)) is None
    model.pipeline = SimpleNamespace(count=2, inferences=7, inference_s=1.5, late=3)
    assert totals_of(model, work_of(model)) == ModelTotals("cars", 2, 7, 1.5, 3, {}, 2)


def test_health_says_what_the_bottleneck_is(monkeypatch) -> None:
    monkeypatch.setattr(module.machine, "busy_s", lambda: 0.0)
    health = Health()
    idle, busy = (
        ModelTotals("cars", 2, inference_s=took_s, late=late) for took_s, late in ((0.0, 0), (19.0, 7))
    )
    assert report(health, at(health, 10, models=(idle,))).bottleneck == "none"
    assert report(health, at(health, 20, models=(busy,))).bottleneck == "inference:cars"


def test_who_asks_in_between_hears_of_a_few_seconds_at_least_and_changes_no_report() -> None:
    health = Health()

    def now(seconds: float) -> Sample:
        return at(health, seconds, sources=(SourceTotals("pump", captured=10 * seconds),))

    assert health.look("box", now(2))[1] == pytest.approx(2.0)
    report(health, now(60))
    report(health, now(120))
    message, over_s = health.look("box", now(121))
    assert (over_s, message.sources[0].captured_per_s) == (pytest.approx(61.0), 10.0)
    assert health.look("box", now(120 + SHORTEST_S))[1] == pytest.approx(SHORTEST_S)
    assert report(health, now(180)).sources[0].captured_per_s == 10.0


def test_from_where_models_come_is_told_without_a_password() -> None:
    section = UpdatesSettings.model_validate(
        {"url": "https://joe:geheim@updates", "root": "root.json", "window": "01:00-05:00"}
    )
    told = info("box", [], [], [], 0.0, updates=section).updates
    assert told
    assert (told.url, told.channel, told.window) == ("https://joe:***@updates", "stable", "01:00-05:00")
    assert info("box", [], [], [], 0.0, updates=UpdatesSettings()).updates is None
