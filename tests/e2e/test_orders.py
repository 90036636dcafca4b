"""Commands to a running daemon: cameras switched, pictures taken, the configuration read anew, and floods."""

import itertools
import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import solid_frame, write_clip
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto, until
from operators import Operator
from toy_models import toy_detector

Brokers = Callable[..., Mosquitto]
SNAPSHOT = "edged/box/camera/front/snapshot"


@pytest.fixture
def model(assets: Path) -> Path:
    return assets / "models" / "yolox_nano_416.onnx"


@pytest.fixture
def clip(assets: Path) -> Path:
    return assets / "videos" / "person_bicycle_car_7s.mp4"


class Box:
    """A daemon's configuration, with a folder for its state."""

    def __init__(self, broker: Mosquitto, folder: Path, cameras: dict[str, Any], model: Path) -> None:
        self.broker, self.state, self.config = broker, folder / "state", folder / "edged.toml"
        self._model = model
        self.configure(cameras)

    def configure(self, cameras: dict[str, Any], broker: Mosquitto | None = None) -> None:
        url = (broker or self.broker).url
        write_config(self.config, url, cameras=cameras, models={"m": self._model})

    def run(self) -> Daemon:
        return Daemon("-c", str(self.config), EDGED_STATE__PATH=str(self.state))


def detections(listener: Listener, camera: str = "front") -> list[dict[str, Any]]:
    return listener.objects(f"edged/box/camera/{camera}/detections")


def state(listener: Listener, camera: str = "front") -> dict[str, Any]:
    found = listener.payloads(f"edged/box/camera/{camera}/state")
    last: dict[str, Any] = json.loads(found[-1]) if found and found[-1] else {}
    return last


def is_(listener: Listener, word: str, camera: str = "front") -> bool:
    return listener.wait_for(lambda: state(listener, camera).get("state") == word, 20)


def more(listener: Listener, count: int = 3, camera: str = "front") -> bool:
    """Whether results still come."""
    before = len(detections(listener, camera))
    return listener.wait_for(lambda: len(detections(listener, camera)) >= before + count, 10)


@pytest.mark.assets
def test_a_camera_that_is_switched_off_stays_off_over_a_kill_and_works_again_when_it_is_switched_on(
    mosquitto: Brokers, clip: Path, model: Path, tmp_path: Path
) -> None:
    broker = mosquitto()
    section = {"url": clip, "models": ["m"], "fps": 5}
    here = Box(broker, tmp_path, {"front": section, "back": section}, model)
    with Listener(broker) as listener, Operator(broker) as operator:
        with here.run() as daemon:
            assert more(listener), daemon.log
            assert state(listener)["enabled"] is True
            assert operator.ask("camera/enable", name="front", enabled=False) == {
                "ok": True,
                "name": "front",
                "enabled": False,
                "kept": True,
            }
            assert is_(listener, "disabled")
            assert state(listener)["enabled"] is False
            assert state(listener)["why"] == "switched off by command"
            assert more(listener, camera="back")
            count = len(detections(listener))
            assert more(listener, 5, camera="back")
            assert len(detections(listener)) <= count + 1  # one may have been in work
            snapshot = operator.ask("camera/snapshot", name="front")
            assert snapshot == {
                "ok": False,
                "error": "cameras.front: is switched off; switch it on with camera/enable",
            }
            daemon.process.kill()
            daemon.process.wait(10)
        count = len(detections(listener))
        with here.run() as daemon:
            assert more(listener, camera="back"), daemon.log
            assert is_(listener, "disabled")
            assert more(listener, 5, camera="back")
            assert len(detections(listener)) == count
            sections = {"front": {**section, "fps": 4}, "back": section}
            here.configure(sections)
            assert operator.ask("reload") == {"ok": True, "changed": ["cameras.front"]}
            assert more(listener, 5, camera="back")
            assert state(listener)["state"] == "disabled"
            assert len(detections(listener)) == count
            assert operator.ask("camera/enable", name="front", enabled=True)["ok"]
            assert is_(listener, "online")
            assert more(listener)
            here.configure({"back": section})
            assert operator.ask("camera/enable", name="front", enabled=False)["ok"]
            assert "cameras.front" in operator.ask("reload")["changed"]
            assert listener.wait_for(lambda: state(listener) == {}, 5)
            here.configure(sections)
            assert "cameras.front" in operator.ask("reload")["changed"]
            assert is_(listener, "online"), "what was switched of a camera that was gone is forgotten"
            assert daemon.end() == 0


@pytest.mark.assets
def test_a_score_for_a_camera_is_kept_to_and_outlives_a_restart(
    mosquitto: Brokers, clip: Path, model: Path, tmp_path: Path
) -> None:
    broker = mosquitto()
    cameras = {"front": {"url": clip, "models": ["m"], "min_score": 0.3}}
    here = Box(broker, tmp_path, cameras, model)

    def lowest(count: int = 15) -> float:
        before = len(detections(listener)) + 1  # one may have been in work
        assert listener.wait_for(lambda: len(detections(listener)) > before + count, 20), daemon.log
        return min(
            (found["score"] for message in detections(listener)[before:] for found in message["detections"]),
            default=1.0,
        )

    with Listener(broker) as listener, Operator(broker) as operator:
        with here.run() as daemon:
            assert more(listener), daemon.log
            assert state(listener)["min_score"] == 0.3
            assert 0.3 <= lowest(60) < 0.6
            answer = operator.ask("camera/min_score", name="front", min_score=0.6)
            assert answer == {
                "ok": True,
                "name": "front",
                "min_score": 0.6,
                "floors": {"m": 0.25},
                "kept": True,
            }
            assert lowest(60) >= 0.6
            assert listener.wait_for(lambda: state(listener)["min_score"] == 0.6, 5)
            assert daemon.end() == 0
        with here.run() as daemon:
            assert lowest(30) >= 0.6
            low = operator.ask("camera/min_score", name="front", min_score=0.1)
            assert (low["ok"], low["min_score"]) == (True, 0.1)
            assert "model m itself keeps nothing below 0.25" in low["note"]
            back = operator.ask("camera/min_score", name="front", min_score=None)
            assert (back["min_score"], "note" in back) == (0.3, False)
            assert 0.3 <= lowest(60) < 0.6
            assert daemon.end() == 0


@pytest.mark.assets
def test_a_snapshot_is_the_next_frame_as_a_jpeg(
    mosquitto: Brokers, clip: Path, model: Path, tmp_path: Path
) -> None:
    broker = mosquitto()
    cameras = {
        "front": {"url": clip, "models": ["m"], "fps": 0.2},
        "away": {"url": tmp_path / "none.mp4", "models": ["m"]},
    }
    here = Box(broker, tmp_path, cameras, model)
    with Listener(broker) as listener, Operator(broker) as operator, here.run() as daemon:
        assert is_(listener, "online"), daemon.log
        began_s = time.time()
        answer = operator.ask("camera/snapshot", name="front")
        assert answer["ok"], answer
        assert listener.wait_for(lambda: bool(listener.payloads(SNAPSHOT)), 5)
        (jpeg,) = listener.payloads(SNAPSHOT)
        assert len(jpeg) == answer["bytes"]
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (answer["height"], answer["width"], 3) == (432, 768, 3)
        captured = datetime.fromisoformat(answer["captured_at"]).astimezone(UTC).timestamp()
        assert began_s - 1 < captured < time.time()
        (tmp_path / "snapshot.jpg").write_bytes(jpeg)
        small = operator.ask("camera/snapshot", name="front", max_width=200, quality=40)
        assert (small["width"], small["height"]) == (200, 112)
        assert small["bytes"] < answer["bytes"] / 4
        assert listener.wait_for(lambda: len(listener.payloads(SNAPSHOT)) == 2, 5)
        message = next(message for message in listener.messages if message.topic == SNAPSHOT)
        assert not message.retain
        assert is_(listener, "offline", "away")
        assert operator.ask("camera/snapshot", name="away") == {
            "ok": False,
            "error": "cameras.away: is offline (no such file or folder); try again when it is online",
        }
        assert operator.ask("camera/snapshot", name="front", max_width=0)["ok"] is False
        assert daemon.end() == 0


@pytest.fixture
def toy(mosquitto: Brokers, tmp_path: Path) -> Box:
    """A daemon with small pictures and a small model."""
    clip = write_clip(
        tmp_path / "a.mkv", [solid_frame(64, 64, (60 + n, 128, 128)) for n in range(100)], fps=25
    )
    model = toy_detector(tmp_path / "m.onnx", objects=[(0, 0.9, 10, 10, 30, 30)])
    return Box(mosquitto(), tmp_path, {"front": {"url": clip, "models": ["m"], "fps": 10}}, model)


def test_a_reload_is_answered_with_what_changed_or_what_is_wrong(toy: Box, mosquitto: Brokers) -> None:
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert more(listener), daemon.log
        assert operator.ask("reload") == {"ok": True, "changed": []}
        text = toy.config.read_text()
        toy.config.write_text(text + "bogus = 1\n")
        refused = operator.ask("reload")
        assert refused["ok"] is False
        assert "bogus" in refused["error"]
        assert more(listener)
        toy.config.write_text(text.replace("fps = 10", "fps = 5"))
        both = operator.send("reload"), operator.send("reload")
        changed = [operator.answer(one)["changed"] for one in both]
        assert changed in ([["cameras.front"]] * 2, [["cameras.front"], []])
        toy.config.write_text(text.replace("[mqtt]", "[mqtt]\nkeepalive = 20.0"))
        assert operator.ask("reload") == {"ok": True, "changed": ["mqtt", "cameras.front"]}
        assert more(listener)
        toy.config.write_text(text.replace('device = "box"', 'device = "crate"'))
        assert operator.ask("reload") == {"ok": True, "changed": ["mqtt"]}
        assert listener.wait_for(lambda: bool(listener.payloads("edged/crate/camera/front/detections")), 10)
        toy.config.write_text(text)
        daemon.send(signal.SIGHUP)
        assert more(listener), daemon.log
        other = mosquitto()
        toy.config.write_text(text.replace(toy.broker.url, other.url))
        assert operator.ask("reload") == {"ok": True, "changed": ["mqtt"]}
        with Listener(other) as there:
            assert more(there), daemon.log
        assert daemon.end() == 0


def test_what_is_wrong_with_a_command_is_said_in_a_line(toy: Box) -> None:
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert more(listener), daemon.log
        for verb, arguments, error in (
            ("camera/off", {"name": "front"}, "unknown command 'camera/off'; known are camera/enable, "),
            ("camera/enable", {}, '"name" is missing; configured are front'),
            ("camera/enable", {"name": "back", "enabled": True}, '"name" is "back"; configured are front'),
            ("camera/enable", {"name": "front", "enabled": 1}, '"enabled" is 1; true or false is wanted'),
            ("camera/min_score", {"name": "front", "min_score": 2}, '"min_score" is 2; a number from 0 to 1'),
            (
                "camera/snapshot",
                {"name": "front", "width": 3},
                "unknown argument 'width'; known are name, max_",
            ),
            ("reload", {"now": True}, "unknown argument 'now'; none is taken"),
        ):
            answer = operator.ask(verb, **arguments)
            assert answer["ok"] is False
            assert answer["error"].startswith(error)
        assert operator.ask("ping") == {"ok": True}
        assert daemon.end() == 0
    assert not (toy.state / "overrides.json").exists(), "nothing was switched, so nothing is written"


def test_a_flood_of_commands_starves_no_result_and_is_one_line_in_the_log(toy: Box) -> None:
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert more(listener, 20), daemon.log
        verbs: list[tuple[str, dict[str, Any]]] = [
            ("ping", {}),
            ("camera/snapshot", {"name": "front"}),
            ("camera/enable", {"name": "front", "enabled": True}),
            ("nonsense", {}),
            ("model/list", {"name": "m"}),
        ]
        before = detections(listener)[-1]["sequence"]
        sent = [operator.send(verb, **arguments) for verb, arguments in verbs * 100]
        answers = [operator.answer(one) for one in sent]
        refused = [answer for answer in answers if "too many commands; at most 20 a second" in str(answer)]
        assert 400 < len(refused) <= 450
        assert more(listener, 30), daemon.log
        found = [message for message in detections(listener) if message["sequence"] > before]
        gaps = [b["sequence"] - a["sequence"] for a, b in itertools.pairwise(found)]
        assert max(gaps) <= 6, gaps  # of 25 frames a second every second or third is looked at
        assert until(lambda: operator.ask("ping") == {"ok": True}, 10)
        assert sum("too many commands" in line for line in daemon.log) == 1
        assert daemon.end() == 0


def test_where_nothing_can_be_written_a_command_is_carried_out_and_says_that_it_is_not_kept(
    toy: Box,
) -> None:
    toy.state.write_text("a file where the folder should be")
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert more(listener), daemon.log
        answer = operator.ask("camera/enable", name="front", enabled=False)
        assert (answer["ok"], answer["kept"]) == (True, False)
        assert answer["note"].startswith("this will not survive a restart: ")
        assert is_(listener, "disabled")
        assert daemon.end() == 0


def test_a_damaged_file_of_what_was_switched_is_set_aside_and_the_configuration_counts(toy: Box) -> None:
    toy.state.mkdir()
    (toy.state / "overrides.json").write_text('{"cameras": {"front": {"enabled": fal')
    with Listener(toy.broker) as listener, toy.run() as daemon:
        assert more(listener), daemon.log
        assert daemon.says("damaged and set aside")
        assert daemon.end() == 0
    kept = [path.name for path in toy.state.iterdir() if path.name.startswith("overrides")]
    assert kept == ["overrides.json.damaged"]


def test_commands_that_wait_when_it_ends_are_told_and_it_ends_in_time(toy: Box, tmp_path: Path) -> None:
    write = cv2.imwrite(str(tmp_path / "one.png"), np.full((64, 64, 3), 99, np.uint8))
    assert write
    toy.configure({"front": {"url": tmp_path / "one.png", "models": ["m"], "fps": 0.05}})
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert is_(listener, "online"), daemon.log
        sent = [operator.send("camera/snapshot", name="front") for _ in range(4)]
        assert operator.ask("ping") == {"ok": True}
        assert daemon.end(within_s=5.0) == 0
        answers = [operator.answer(one) for one in sent]
    assert [answer["ok"] for answer in answers] == [False] * 4
    assert {answer["error"] for answer in answers[1:]} == {"edged is stopping; try again later"}


class Store:
    """Versions of the model `m`, renamed into place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, number: int, *, good: bool = True) -> None:
        staged = self.folder / "m" / f".staged-{number}"
        staged.mkdir(parents=True)
        model = toy_detector(staged / "model.onnx", objects=[(0, 0.9 - number / 1000, 10, 10, 30, 30)])
        if not good:
            model.write_bytes(model.read_bytes()[:100])
        staged.rename(self.folder / "m" / str(number))

    def pin(self, number: int) -> None:
        (self.folder / "m" / "pinned").write_text(f"{number}\n")

    @property
    def is_pinned(self) -> bool:
        return (self.folder / "m" / "pinned").exists()


def serves(listener: Listener, version: int) -> bool:
    return listener.wait_for(
        lambda: bool(detections(listener)) and detections(listener)[-1]["model"]["version"] == version, 20
    )


def test_an_update_takes_the_pin_away_and_serves_the_newest(toy: Box, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for number in (1, 2, 3):
        store.put(number)
    store.pin(1)
    text = toy.config.read_text()
    path = next(line for line in text.splitlines() if line.startswith("path = "))
    toy.config.write_text(text.replace(path, "") + f'[store]\npath = "{store.folder}"\n')
    with Listener(toy.broker) as listener, Operator(toy.broker) as operator, toy.run() as daemon:
        assert serves(listener, 1), daemon.log
        answer = operator.ask("model/update", name="m")
        assert (answer["ok"], answer["version"], answer["state"]) == (True, 3, "trying"), answer
        assert "model/m/state" in answer["note"]
        assert not store.is_pinned
        assert serves(listener, 3), daemon.log
        answer = operator.ask("model/update", name="m")
        assert (answer["version"], answer["state"], answer["note"]) == (3, "serving", "nothing newer")
        assert answer["digest"] == detections(listener)[-1]["model"]["digest"]
        answer = operator.ask("model/activate", name="m", version=2)
        assert answer["ok"], answer
        both = operator.send("model/activate", name="m", version=1), operator.send("model/update", name="m")
        instead, answer = (operator.answer(one) for one in both)
        assert instead == {"ok": False, "error": "the newest version was asked for instead"}
        assert answer["version"] == 3
        assert serves(listener, 3), daemon.log
        store.put(4, good=False)
        assert daemon.says("version rejected"), daemon.log
        answer = operator.ask("model/update", name="m")
        assert (answer["version"], answer["state"]) == (3, "serving")
        assert answer["note"].startswith("nothing newer; version 4 was rejected (readable: ")
        assert daemon.end() == 0
