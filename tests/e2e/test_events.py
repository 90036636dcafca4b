"""Who came and who went, as a subscriber sees it: each once, whatever ends edged."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto

pytestmark = pytest.mark.assets

Brokers = Callable[..., Mosquitto]
SCHEMA = json.loads((Path(__file__).parents[2] / "edged" / "schema" / "event-1.json").read_text())
PRESENT = [(65, 190), (230, 445), (505, 695), (745, 865), (925, 1195), (1235, 1355)]
"""Frames of the clip, ten a second, in which somebody is there; never more than one."""
EVENTS = "edged/box/camera/front/events"
COUNT = "edged/box/camera/front/count/person"
MOTION = "edged/box/camera/front/motion"
IN_ZONE = "edged/box/camera/front/zone/right/count/person"


@pytest.fixture
def config(assets: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Of a camera that plays the clip as fast as the model takes three frames a second of it."""

    def write(broker: str) -> Path:
        path = write_config(
            tmp_path / "edged.toml",
            broker,
            cameras={
                "front": {
                    "url": assets / "videos" / "one_by_one_person.mp4",
                    "models": ["m"],
                    "realtime": False,
                    "fps": 3,
                    "publish": "events",
                }
            },
            models={"m": assets / "models" / "yolox_nano_416.onnx"},
        )
        text = path.read_text().replace("[models.m]", '[models.m]\nlabels = ["person"]')
        zone = "[cameras.front.zones.right]\npoints = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]\n"
        path.write_text(text + zone + "[cameras.front.lines.middle]\npoints = [[0.5, 1.0], [0.5, 0.0]]\n")
        return path

    return write


def told(listener: Listener) -> list[dict[str, Any]]:
    """Each message once, as it came first."""
    messages = {one["message_id"]: one for one in reversed(listener.objects(EVENTS))}
    return list(reversed(messages.values()))


def of_kind(listener: Listener, kind: str) -> list[dict[str, Any]]:
    return [one for one in told(listener) if one["type"] == kind]


def paired(messages: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each start with its end; a second one of either, or one without the other, fails."""
    starts = [one["id"] for one in messages if one["type"] == "start"]
    ends = [one["id"] for one in messages if one["type"] == "end"]
    assert len(set(starts)) == len(starts)
    assert sorted(starts) == sorted(ends)
    for event in starts:
        own = [one for one in messages if one["id"] == event]
        assert [own[0]["type"], own[-1]["type"]] == ["start", "end"], own
        yield own[0], own[-1]


def test_each_person_of_a_recording_comes_once_and_goes_once(
    mosquitto: Brokers, config: Callable[[str], Path]
) -> None:
    broker = mosquitto()
    with Listener(broker) as listener, Daemon("--once", "-c", str(config(broker.url))) as daemon:
        assert daemon.process.wait(240) == 0, daemon.log
        assert listener.wait_for(lambda: b"stopped" in listener.payloads("edged/box/status"))
        messages = told(listener)
        for message in messages:
            jsonschema.validate(message, SCHEMA)
        events = list(paired(messages))
        assert 6 <= len(events) <= 7
        for first, last in PRESENT:
            start, end = next(two for two in events if first - 10 <= two[0]["first_sequence"] <= first + 10)
            assert start["sequence"] <= first + 10
            assert abs(end["sequence"] - last) <= 20
            assert "right" in end["zones_ever"]
        for topic in (COUNT, IN_ZONE):
            counts = [int(payload) for payload in listener.payloads(topic)]
            assert set(counts) == {0, 1}
            assert counts[-1] == 0
        crossed = sum(change["what"] == "crossed" for one in messages for change in one["changes"])
        lines = [
            int(listener.payloads(f"edged/box/camera/front/line/middle/count/person/{way}")[-1])
            for way in ("in", "out")
        ]
        assert sum(lines) == crossed > 0
        motion = listener.payloads(MOTION)
        assert b"ON" in motion
        assert motion[-1] == b"OFF"
        frames = {one["sequence"]: one for one in listener.objects("edged/box/camera/front/detections")}
        for message in messages:
            if (
                message["type"] != "end" and message["sequence"] in frames
            ):  # its frame is sent, with the same box
                found = frames[message["sequence"]]["detections"]
                ours = [one for one in found if one.get("track_id") == message["track_id"]]
                assert [one["box"] for one in ours] == [message["box"]]
                assert ours[0]["zones"] in ([], ["right"])


def test_nothing_moves_any_more_once_edged_was_ended(
    mosquitto: Brokers, config: Callable[[str], Path]
) -> None:
    broker = mosquitto()
    with Listener(broker) as listener, Daemon("-c", str(config(broker.url))) as daemon:
        assert listener.wait_for(lambda: listener.payloads(MOTION)[-1:] == [b"ON"], 120), daemon.log
        assert daemon.end() == 0
        assert listener.wait_for(lambda: b"stopped" in listener.payloads("edged/box/status"))
        assert listener.payloads(MOTION)[-1] == b"OFF"
        assert of_kind(listener, "end")[-1]["reason"] == "stopped"


def test_a_kill_in_mid_event_leaves_no_start_without_its_end_and_nobody_in_the_picture(
    mosquitto: Brokers, config: Callable[[str], Path]
) -> None:
    broker = mosquitto()
    path = config(broker.url)
    with Listener(broker) as listener:
        for kill in range(2):
            with Daemon("-c", str(path)) as daemon:
                assert listener.wait_for(lambda n=kill: len(of_kind(listener, "start")) > n, 60), daemon.log
                daemon.kill()
        with Daemon("-c", str(path)) as daemon:
            assert listener.wait_for(lambda: len(of_kind(listener, "start")) > 2, 60), daemon.log
            assert listener.wait_for(lambda: listener.payloads(COUNT)[-1] == b"1")
            assert daemon.end(10) == 0
        assert listener.wait_for(lambda: listener.payloads("edged/box/status")[-1] == b"stopped")
        events = list(paired(told(listener)))
        reasons = [end["reason"] for _, end in events]
        assert reasons[:2] == ["restart", "restart"]
        assert reasons[-1] in {"stopped", "left", "lost"}
        order = [(one["type"], one["id"]) for one in told(listener) if one["type"] != "update"]
        assert order[:4] == [(kind, start["id"]) for start, _ in events[:2] for kind in ("start", "end")]
        assert sorted(start["id"] for start, _ in events) == [start["id"] for start, _ in events]
        assert [listener.payloads(topic)[-1] for topic in (COUNT, IN_ZONE)] == [b"0", b"0"]
