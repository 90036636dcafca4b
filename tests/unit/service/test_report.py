"""What a device says of its health."""

import os
from types import SimpleNamespace
from typing import Any, cast

from edged.mqtt.payloads import SourceHealthShape
from edged.outbox import MemoryOutbox
from edged.service import report as module
from edged.service.report import MAX_ERRORS, Health, spool


def report(health: Health, **things: Any) -> dict[str, Any]:
    outbox = things.get("outbox") or MemoryOutbox(1000, 60.0)
    waiting = spool(outbox, cast(Any, SimpleNamespace(set_aside=3)))
    message = health.report(
        "box", cast(Any, things.get("posts", [])), cast(Any, things.get("models", [])), waiting
    )
    return message.model_dump()


def test_health_counts_the_processes_of_the_workers() -> None:
    alone = report(Health())["memory_bytes"]
    model = SimpleNamespace(pids=[os.getppid()], pipeline=None)
    assert 0 < alone < report(Health(), models=[model])["memory_bytes"]


def test_health_tells_what_waits_for_the_broker_and_what_was_dropped() -> None:
    outbox = MemoryOutbox(100, 60.0)
    for _ in range(3):
        outbox.append("topic", b"x" * 40, qos=1)
    found = report(Health(), outbox=outbox)["spool"]
    assert found == {"entries": 2, "bytes": 90, "dropped": 1, "set_aside": 3, "why": "it is in memory"}


def test_health_keeps_the_newest_errors_without_passwords_and_without_repeating_one() -> None:
    health = Health()
    for number in range(MAX_ERRORS + 2):
        health.remember(f"error {number}")
    health.remember("cannot reach rtsp://joe:secret@cam/1")
    health.remember("cannot reach rtsp://joe:secret@cam/1")
    errors = report(health)["errors"]
    assert errors[0] == "cannot reach rtsp://joe:***@cam/1"
    assert errors[1] == f"error {MAX_ERRORS + 1}"
    assert len(errors) == MAX_ERRORS


def test_health_asks_each_camera_for_the_time_since_the_last_report() -> None:
    asked: list[float] = []

    def health_of(seconds: float) -> SourceHealthShape:
        asked.append(seconds)
        return SourceHealthShape(name="front", captured_per_s=1.0, published_per_s=1.0, dropped={"full": 2})

    health = Health()
    sources = report(health, posts=[SimpleNamespace(health=health_of)])["sources"]
    assert sources[0]["dropped"] == {"full": 2}
    report(health, posts=[SimpleNamespace(health=health_of)])
    assert all(seconds > 0 for seconds in asked)
    assert len(asked) == 2


class Pipeline:
    """What is asked of one."""

    count = 2

    def __init__(self) -> None:
        self.inferences, self.inference_s, self.late = 0, 0.0, 0


def test_health_tells_how_busy_each_model_was_since_the_last_report(monkeypatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: clock.now_s, time=lambda: 0.0, now_s=100.0)
    monkeypatch.setattr(module, "time", clock)
    pipeline, health = Pipeline(), Health()
    model = SimpleNamespace(name="cars", pids=[], pipeline=pipeline)
    clock.now_s += 10
    pipeline.inferences, pipeline.inference_s, pipeline.late = 100, 18.0, 40
    (first,) = report(health, models=[model])["models"]
    assert (first["utilisation_percent"], first["inferences_per_s"], first["inference_ms"]) == (
        90.0,
        10.0,
        180.0,
    )
    assert (first["late_per_s"], first["callers"]) == (4.0, 2)
    clock.now_s += 10
    (second,) = report(health, models=[model])["models"]
    assert (second["utilisation_percent"], second["inference_ms"], second["late_per_s"]) == (0.0, None, 0.0)
    model.pipeline = Pipeline()  # loaded anew
    clock.now_s += 10
    model.pipeline.inferences = 5
    (third,) = report(health, models=[model])["models"]
    assert third["inferences_per_s"] == 0.5


def test_health_says_what_the_bottleneck_is(monkeypatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: clock.now_s, time=lambda: 0.0, now_s=100.0)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.machine, "busy_s", lambda: 0.0)
    pipeline, health = Pipeline(), Health()
    model = SimpleNamespace(name="cars", pids=[], pipeline=pipeline)
    clock.now_s += 10
    assert report(health, models=[model])["bottleneck"] == "none"
    clock.now_s += 10
    pipeline.inference_s, pipeline.late = 19.0, 7
    assert report(health, models=[model])["bottleneck"] == "inference:cars"
