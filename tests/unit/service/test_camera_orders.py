"""What commands do with cameras: read from pictures in a folder, without a broker and without a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from clips import counting_clip
from mosquitto_broker import until

from edged.errors import NotAllowed, SourceLost, Unreachable
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.publisher import Publisher, Sender
from edged.sections import CameraSettings
from edged.service.camera_orders import CameraOrders
from edged.service.cameras import Cameras
from edged.service.outlets import SILENT
from edged.service.overrides import Overrides
from edged.service.pictures import Pictures
from edged.service.posts import CameraPost


class Model:
    """A model that is served, with a score below which it keeps nothing; it looks at no frame."""

    pipeline = frames = None

    def __init__(self, min_score: float) -> None:
        self.description = self
        self.min_score = min_score


class Site:
    """Cameras, what was said of them, and pictures that were published."""

    def __init__(self, folder: Path, *, once: bool = False) -> None:
        self.said: list[dict[str, Any]] = []
        self.pictures: list[tuple[str, bytes]] = []
        self.models: dict[str, Any] = {"m": Model(0.25), "n": Model(0.6), "loading": Model(0.0)}
        self.models["loading"].description = None
        self.cameras = Cameras(
            once=once,
            models=lambda: cast(Any, self.models),
            publisher=Publisher(Sender(Topics("edged", "box"), 1), MemoryOutbox(10**6, 60.0)),
            outlets=SILENT,
            overrides=Overrides(folder),
            on_state=self._say,
        )
        pictures = Pictures(
            self.cameras.section, lambda: cast(Any, self.models), show=lambda *_: None, keep=lambda *_: None
        )
        self.orders = CameraOrders(
            self.cameras, lambda: pictures, lambda name, picture: self.pictures.append((name, picture))
        )

    def _say(self, post: CameraPost) -> None:
        self.said.append(post.state("box").model_dump(exclude_none=True))

    def start(self, name: str, path: Path, *models: str, **settings: Any) -> CameraPost:
        section = CameraSettings(url=str(path), models=models or ("m",), **settings)
        self.cameras.start(name, section)
        return self.cameras.find(name)

    def online(self) -> bool:
        return until(lambda: self.said[-1]["state"] == "online", 5)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return counting_clip(tmp_path / "a.mkv", 50)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    here = Site(tmp_path / "state")
    yield here
    for thread in here.cameras.stop(5.0):
        thread.join(5)


def test_a_camera_is_switched_off_and_on_and_says_so(site: Site, clip: Path, tmp_path: Path) -> None:
    site.start("front", clip)
    assert site.online()
    assert site.said[-1]["enabled"] is True
    answer = site.orders.enable({"name": "front", "enabled": False})
    assert answer == {"ok": True, "name": "front", "enabled": False, "kept": True}
    assert until(lambda: site.said[-1]["state"] == "disabled", 5)
    assert (site.said[-1]["enabled"], site.said[-1]["why"]) == (False, "switched off by command")
    again = Site(tmp_path / "state")
    post = again.start("front", clip)
    assert post.state("box").state == "disabled"
    assert post.camera.stop(5)
    site.orders.enable({"name": "front", "enabled": True})
    assert site.online()


def test_switching_one_thing_leaves_the_other(site: Site, clip: Path) -> None:
    post = site.start("front", clip, min_score=0.3)
    assert post.min_score == 0.3
    site.orders.choose({"name": "front", "min_score": 0.7})
    site.orders.enable({"name": "front", "enabled": False})
    assert (post.min_score, post.override.enabled) == (0.7, False)
    site.orders.choose({"name": "front", "min_score": None})
    assert (post.min_score, post.override.enabled) == (0.3, False)


@pytest.mark.parametrize(("score", "low"), [(0.1, ["m", "n"]), (0.25, ["n"]), (0.6, []), (None, [])])
def test_a_score_below_what_a_model_keeps_is_taken_and_said(
    site: Site, clip: Path, score: float | None, low: list[str]
) -> None:
    site.start("front", clip, "m", "n", "loading")
    answer = site.orders.choose({"name": "front", "min_score": score})
    assert (answer["ok"], answer["min_score"]) == (True, score)
    assert answer["floors"] == {"m": 0.25, "n": 0.6}
    notes = answer.get("note", "").split("; model ")
    assert [note.removeprefix("model ").split()[0] for note in notes if note] == low
    assert ("note" in answer) == bool(low)


def test_a_score_of_0_is_a_score(site: Site, clip: Path) -> None:
    post = site.start("front", clip, min_score=0.9)
    site.orders.choose({"name": "front", "min_score": 0})
    assert post.min_score == 0


def test_a_snapshot_is_published_and_described(site: Site, clip: Path) -> None:
    site.start("front", clip)
    assert site.online()
    answer = site.orders.snapshot({"name": "front"})
    ((name, picture),) = site.pictures
    assert name == "front"
    assert (answer["width"], answer["height"], answer["bytes"]) == (64, 48, len(picture))
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
    small = site.orders.snapshot({"name": "front", "max_width": 16, "quality": 1})
    assert (small["width"], small["height"]) == (16, 12)


def test_where_no_frame_comes_the_error_says_why(site: Site, tmp_path: Path, clip: Path) -> None:
    post = site.start("front", tmp_path / "none.mkv")
    assert until(lambda: "no such" in site.said[-1]["why"], 5)
    with pytest.raises(SourceLost, match=r"is offline \(no such file or folder\)"):
        site.orders.snapshot({"name": "front"})
    site.orders.enable({"name": "front", "enabled": False})
    with pytest.raises(NotAllowed, match="is switched off; switch it on with camera/enable"):
        site.orders.snapshot({"name": "front"})
    with pytest.raises(Unreachable, match=r"cameras\.back: is just being started"):
        site.orders.snapshot({"name": "back"})
    assert until(lambda: post.camera.error is None, 5), "it is not what ends the daemon"


def test_a_camera_that_ended_is_not_switched_any_more(site: Site, clip: Path) -> None:
    post = site.start("front", clip)
    site.cameras.end(["front"])
    assert post not in site.cameras
    assert len(site.cameras) == 0
    with pytest.raises(Unreachable):
        site.orders.enable({"name": "front", "enabled": False})
