"""Pictures of who came, as a subscriber sees them: their boxes are those of the messages, and persons are blurred."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as paho
import pytest
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto, until
from paho.mqtt.enums import CallbackAPIVersion

pytestmark = pytest.mark.assets

Brokers = Callable[..., Mosquitto]
FRONT = "edged/box/camera/front"
MASK = "[[0.0, 0.0], [0.25, 0.0], [0.25, 0.4], [0.0, 0.4]]"
SIZE = (768, 432)


@pytest.fixture
def write(assets: Path, tmp_path: Path) -> Callable[..., Path]:
    """The configuration of a camera that plays the clip as fast as the model takes three frames a second of it."""

    def written(broker: str, *sections: str) -> Path:
        camera = {
            "url": assets / "videos" / "one_by_one_person.mp4",
            "models": ["m"],
            "realtime": False,
            "fps": 3,
            "publish": "events",
        }
        path = write_config(
            tmp_path / "edged.toml",
            broker,
            cameras={"front": camera},
            models={"m": assets / "models" / "yolox_nano_416.onnx"},
        )
        text = path.read_text().replace("[models.m]", '[models.m]\nlabels = ["person"]')
        path.write_text("\n".join([text, *sections]) + "\n")
        return path

    return written


def snapshots(**keys: str) -> str:
    lines = ['max_rate = "100/s"', *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(["[cameras.front.snapshots]", *lines])


def seen(encoded: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def said(encoded: bytes) -> dict[str, Any]:
    at = encoded.index(b"\xff\xfe")
    found: dict[str, Any] = json.loads(
        encoded[at + 4 : at + 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")]
    )
    return found


def frames(clip: Path, numbers: set[int]) -> dict[int, np.ndarray]:
    """Of a clip, as they were recorded."""
    video, found = cv2.VideoCapture(str(clip)), {}
    for number in range(max(numbers) + 1):
        _, frame = video.read()
        if number in numbers:
            found[number] = frame
    return found


def changed(picture: np.ndarray, frame: np.ndarray) -> list[int]:
    """The corners of what was drawn."""
    difference = np.abs(picture.astype(int) - frame).max(axis=2) > 60
    rows = np.flatnonzero(difference.sum(axis=1) > 5)
    columns = np.flatnonzero(difference.sum(axis=0) > 5)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def told(listener: Listener, kind: str) -> list[dict[str, Any]]:
    return [one for one in listener.objects(f"{FRONT}/events") if one["type"] == kind]


def test_the_best_picture_of_each_person_shows_the_box_that_its_events_name(
    mosquitto: Brokers, write: Callable[..., Path], assets: Path
) -> None:
    broker = mosquitto()
    path = write(broker.url, snapshots(quality="95"))
    with Listener(broker) as listener, Daemon("-c", str(path)) as daemon:
        assert listener.wait_for(lambda: len(told(listener, "end")) >= 2, 90), daemon.log
        assert daemon.end(10) == 0
        assert listener.wait_for(lambda: b"stopped" in listener.payloads("edged/box/status"))
        events = listener.objects(f"{FRONT}/events")
        pictures = listener.payloads(f"{FRONT}/snapshot")
    ends = {one["id"]: one for one in events if one["type"] == "end"}
    last = {said(one)["event"]: one for one in pictures}
    assert last.keys() == ends.keys()
    shown = frames(assets / "videos" / "one_by_one_person.mp4", {said(one)["sequence"] for one in pictures})
    for event, encoded in last.items():
        best, about = ends[event]["best"], said(encoded)
        assert (about["sequence"], about["captured_at"]) == (best["sequence"], best["captured_at"])
        assert about["box"] == best["box"]
        assert seen(encoded).shape[1::-1] == SIZE
        x1, top, x2, y2 = changed(seen(encoded), shown[about["sequence"]])
        assert [x1, x2, y2] == pytest.approx([about["box"][edge] for edge in (0, 2, 3)], abs=2)
        assert about["box"][1] - 30 < top <= about["box"][1] + 2  # its label stands above
    with Listener(broker) as late:  # what is retained is there for who comes later
        assert late.wait_for(lambda: bool(late.payloads(f"{FRONT}/snapshot/person")))
        (crop,) = late.payloads(f"{FRONT}/snapshot/person")
    x1, y1, x2, y2 = said(crop)["region"]
    assert seen(crop).shape[:2] == (y2 - y1, x2 - x1)
    bx1, by1, bx2, by2 = said(crop)["box"]
    assert x1 <= bx1 < bx2 <= x2
    assert y1 <= by1 < by2 <= y2


@pytest.fixture
def sender() -> Iterator[Callable[[Mosquitto, str, dict[str, Any]], None]]:
    clients: list[paho.Client] = []

    def send(broker: Mosquitto, verb: str, arguments: dict[str, Any]) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        clients.append(client)
        client.connect("localhost", broker.port)
        client.loop_start()
        client.publish(f"edged/box/cmd/{verb}", json.dumps(arguments), 1).wait_for_publish(5)

    yield send
    for client in clients:
        client.disconnect()
        client.loop_stop()


def test_privacy_holds_for_every_picture_and_takes_back_what_was_shown_before(
    mosquitto: Brokers, write: Callable[..., Path], sender: Callable[..., None]
) -> None:
    broker = mosquitto()
    private = f'[cameras.front.privacy]\nblur = ["person"]\nmasks = [{MASK}]'
    path = write(broker.url, snapshots(draw="false"))
    with Listener(broker) as listener, Daemon("-c", str(path)) as daemon:
        best = f"{FRONT}/snapshot/person"
        assert listener.wait_for(lambda: bool(listener.payloads(best)), 60), daemon.log
        write(broker.url, snapshots(draw="false"), private)
        daemon.send(signal.SIGHUP)
        assert daemon.says("reloaded", 20), daemon.log
        assert listener.wait_for(lambda: b"" in listener.payloads(best))
        shown = len(listener.payloads(f"{FRONT}/snapshot"))
        assert listener.wait_for(lambda: len(listener.payloads(f"{FRONT}/snapshot")) > shown, 60), daemon.log
        for encoded in listener.payloads(f"{FRONT}/snapshot")[shown:]:
            covered = seen(encoded)
            assert covered[: int(0.4 * 432) - 4, : int(0.25 * 768) - 4].max() < 12
            x1, y1, x2, y2 = (round(edge) for edge in said(encoded)["box"])
            assert len(edges(covered[y1:y2, x1:x2])) <= 9
        before = len(listener.payloads(f"{FRONT}/snapshot"))
        sender(broker, "camera/snapshot", {"name": "front"})
        answer = "edged/box/rsp/camera/snapshot"
        assert listener.wait_for(lambda: bool(listener.objects(answer)), 20)
        assert listener.objects(answer)[-1]["ok"], listener.objects(answer)
        assert until(lambda: len(listener.payloads(f"{FRONT}/snapshot")) > before, 5)
        assert seen(listener.payloads(f"{FRONT}/snapshot")[-1])[:160, :180].max() < 12
        assert daemon.end(10) == 0


def edges(part: np.ndarray) -> np.ndarray:
    """Rows at which a blurred part changes: only where one cell ends."""
    steps = np.abs(np.diff(part.astype(int), axis=0)).mean(axis=(1, 2))
    return np.flatnonzero(steps > 4)
