"""What a device says of its health."""

import os
from types import SimpleNamespace
from typing import Any, cast

from edged.mqtt.payloads import SourceHealthShape
from edged.outbox import MemoryOutbox
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
    model = SimpleNamespace(pids=[os.getppid()])
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
