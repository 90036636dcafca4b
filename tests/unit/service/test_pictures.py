"""Pictures on their way out: what is made, what is not, and that nothing leaves uncovered."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from mosquitto_broker import until
from shots import event, picture

from edged.detection import Detections
from edged.errors import NotAllowed, SourceLost
from edged.events import BookUpdate
from edged.fit import Fit
from edged.frame import Frame
from edged.sections import CameraSettings, ModelSettings
from edged.service import pictures
from edged.service.pictures import Pictures
from edged.snapshots import waiting

BOX = (40.0, 30.0, 80.0, 90.0)
NONE = Detections.empty()


def model(*labels: str) -> Any:
    description = SimpleNamespace(labels=labels, task="detect", picture=SimpleNamespace(fit=Fit.LETTERBOX))
    return SimpleNamespace(section=ModelSettings(), description=description)


def result(frame: Frame, *boxes: tuple[float, ...]) -> Any:
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(len(boxes), np.float32),
        np.zeros(len(boxes), np.int32),
    )
    known = SimpleNamespace(**vars(model("person").description), max_detections=300)
    return SimpleNamespace(frame=frame, model=known, detections=found, low=NONE, regions=())


class Site:
    """A camera that is configured by the test, and pictures that left it."""

    def __init__(self) -> None:
        self.models = {"m": model("person")}
        self.shown: list[bytes] = []
        self.kept: list[tuple[str, bytes]] = []
        self.configure()
        self.pictures = Pictures(
            lambda name: self.section if name == "front" else None,
            lambda: self.models,
            show=lambda _, encoded: self.shown.append(encoded),
            keep=lambda _, label, encoded, __: self.kept.append((label, encoded)),
        )

    def configure(self, **more: Any) -> None:
        given: dict[str, Any] = {
            "url": "x.mp4",
            "models": ["m"],
            "snapshots": {"draw": False, "quality": 100},
        }
        self.section: CameraSettings | None = CameraSettings.model_validate(given | more)

    def better(self, frame: Frame, **more: Any) -> None:
        update = BookUpdate(better=(event(BOX, **more),))
        self.pictures.watch("front", update, frame, NONE)


@pytest.fixture
def site() -> Iterator[Site]:
    here = Site()
    here.pictures.start()
    yield here
    here.pictures.close(5)


def seen(encoded: bytes) -> np.ndarray:
    return cast(np.ndarray, cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR))


def noisy() -> Frame:
    frame = picture()
    frame.planes[0][:] = np.random.default_rng(1).integers(0, 256, frame.planes[0].shape, np.uint8)
    return frame


def is_blurred(shown: np.ndarray) -> bool:
    return bool(shown[32:88, 42:78].astype(float).std(axis=(0, 1)).max() < 15)


@pytest.mark.parametrize(
    ("view", "full", "label"),
    [("both", (120, 160), (76, 56)), ("full", (120, 160), (120, 160)), ("crop", (76, 56), (76, 56))],
)
def test_both_topics_show_what_was_asked_for(
    site: Site, view: str, full: tuple[int, int], label: tuple[int, int]
) -> None:
    site.configure(snapshots={"view": view})
    site.better(picture())
    assert until(lambda: bool(site.kept), 5)
    assert seen(site.shown[0]).shape[:2] == full
    assert seen(site.kept[0][1]).shape[:2] == label
    assert site.kept[0][0] == "person"
    assert site.pictures.made("front") == 1


def test_what_the_decoder_does_with_its_memory_afterwards_changes_no_picture(site: Site) -> None:
    site.pictures.close(5)  # nothing is made before the frame is gone
    late = Site()
    frame = picture()
    late.better(frame)
    frame.planes[0][:] = 0
    late.pictures.start()
    late.pictures.close(5)
    assert seen(late.shown[0])[60, 150, 0] > 100


@pytest.mark.parametrize("snapshots", [False, {"labels": ["car"]}])
def test_what_nobody_asked_for_is_not_made(site: Site, snapshots: Any) -> None:
    site.configure(snapshots=snapshots)
    site.better(picture())
    site.configure(snapshots=True)
    site.better(picture(), name="e2")
    assert until(lambda: bool(site.kept), 5)
    site.pictures.close(5)
    assert len(site.kept) == 1


def test_a_view_of_an_earlier_frame_is_not_taken_from_this_one(site: Site) -> None:
    site.better(picture(), sequence=3)
    site.better(picture(), name="e2")
    site.pictures.close(5)
    assert len(site.kept) == 1


def test_a_picture_waits_for_what_was_found_in_its_frame_and_is_blurred_by_that(site: Site) -> None:
    site.configure(snapshots={"draw": False, "quality": 100}, privacy={"blur": ["person"]})
    frame = noisy()
    assert not is_blurred(frame.planes[0])
    site.better(frame)
    site.pictures.looked("front", "m", result(frame, BOX), None)
    assert until(lambda: bool(site.shown), 5)
    assert is_blurred(seen(site.shown[0]))
    assert seen(site.shown[0])[:, 120:].astype(float).std() > 50


def test_nothing_leaves_while_a_model_has_not_looked_or_when_it_never_will(site: Site) -> None:
    site.configure(privacy={"blur": ["person"]}, snapshots={"draw": False, "quality": 100})
    first = noisy()
    site.better(first)
    time.sleep(3 * pictures.POLL_S)
    assert site.shown == []
    later = replace(first, sequence=8, captured_monotonic_s=11.0)
    site.pictures.looked("front", "m", result(later, BOX), None)
    assert until(lambda: site.pictures.dropped("front") == {"unseen": 1}, 5)
    site.better(later, name="e2", sequence=8)
    assert until(lambda: bool(site.shown), 5)
    assert is_blurred(seen(site.shown[0]))
    assert len(site.shown) == 1


def test_a_label_that_no_model_sees_keeps_every_picture_back(site: Site) -> None:
    site.models = {"m": model("car")}
    site.configure(privacy={"blur": ["person"]})
    frame = picture()
    site.better(frame)
    site.pictures.looked("front", "m", result(frame), None)
    assert until(lambda: site.pictures.dropped("front") == {"unseen": 1}, 5)
    with pytest.raises(NotAllowed, match=r"front.privacy.blur: none of its models .* sees 'person'"):
        site.pictures.next("front", lambda _: frame)
    assert site.shown == []


def test_rules_that_changed_while_a_picture_was_made_keep_it_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = pictures.Develop

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(5)
        return real(*arguments)

    monkeypatch.setattr(pictures, "Develop", slow)
    site.better(picture())
    assert begun.wait(5)
    site.configure(privacy={"masks": [[[0, 0], [1, 0], [1, 1]]]})
    go_on.set()
    site.better(picture(), name="e2")
    site.pictures.close(5)
    assert len(site.shown) == 1
    assert seen(site.shown[0])[10, 150].max() < 12


def test_what_a_model_of_other_labels_has_looked_at_does_not_leave_when_another_serves(site: Site) -> None:
    site.configure(privacy={"blur": ["person"]})
    frame = noisy()
    before = result(frame)
    before.model.labels = ("car",)
    site.pictures.looked("front", "m", before, None)
    site.better(frame)  # by now one serves that sees persons
    later = replace(frame, sequence=8, captured_monotonic_s=11.0)
    site.better(later, name="e2", sequence=8)
    site.pictures.looked("front", "m", result(later, BOX), None)
    assert until(lambda: bool(site.shown), 5)
    site.pictures.close(5)
    assert len(site.shown) == 1


def test_what_was_found_is_known_as_long_as_a_better_picture_waits(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BETTER_EVERY_S", 0.5)
    site.configure(privacy={"blur": ["person"]}, snapshots={"draw": False, "quality": 100})
    frame = noisy()
    site.pictures.looked("front", "m", result(frame, BOX), None)
    site.better(frame)
    assert until(lambda: bool(site.shown), 5)
    better = replace(frame, sequence=8, captured_monotonic_s=11.0)
    site.better(better, sequence=8)
    site.pictures.looked("front", "m", result(better, BOX), None)
    for number in range(150):  # 5 s of 30 frames a second
        later = replace(frame, sequence=9 + number, captured_monotonic_s=11.0 + (number + 1) / 30)
        site.pictures.looked("front", "m", result(later), None)
    assert until(lambda: len(site.shown) == 2, 7)
    assert is_blurred(seen(site.shown[1]))


def test_a_picture_of_another_source_is_not_made_under_the_rules_of_this_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"privacy": {"masks": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}}
    site.configure(**old)
    real = pictures.copied

    def slow(*arguments: Any) -> Any:  # while it is copied a reload puts another camera in its place
        site.configure(url="y.mp4")
        return real(*arguments)

    monkeypatch.setattr(pictures, "copied", slow)
    site.better(picture())
    site.pictures.close(5)
    assert site.shown == []

    def next_frame(_timeout_s: float) -> Frame:
        site.configure(url="y.mp4")
        return picture()

    site.configure(**old)
    with pytest.raises(SourceLost, match="just being changed"):
        site.pictures.next("front", next_frame)


def test_one_picture_that_fails_does_not_cost_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = picture()
    object.__setattr__(broken, "planes", (np.zeros((3, 3, 3), np.uint8),))
    site.better(broken)
    site.better(picture(), name="e2")
    assert until(lambda: bool(site.kept), 5)


def test_a_camera_makes_so_many_a_minute(site: Site) -> None:
    site.configure(snapshots={"max_rate": "6/m"})
    for at in range(4):
        site.better(picture(), name=f"e{at}")
    site.pictures.close(5)
    assert len(site.kept) == 1


def test_the_next_frame_is_masked(site: Site) -> None:
    site.configure(privacy={"masks": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]})
    shown, frame = site.pictures.next("front", lambda _: picture())
    assert not shown[:, :80].any()
    assert shown[:, 100:].any()
    assert frame.width == 160


def test_the_next_frame_is_blurred_by_what_its_models_find_in_it(site: Site) -> None:
    site.configure(privacy={"blur": ["person"]})
    offered = [noisy()]
    offered.append(replace(offered[0], captured_monotonic_s=11.0))

    def next_frame(_timeout_s: float) -> Frame:
        frame = offered.pop(0)
        if not offered:  # the model had no time for the first
            threading.Timer(0.05, site.pictures.looked, ("front", "m", result(frame, BOX), None)).start()
        else:
            site.pictures.looked("front", "m", result(replace(frame, captured_monotonic_s=10.5)), None)
        return frame

    shown, frame = site.pictures.next("front", next_frame)
    assert frame.captured_monotonic_s == 11.0
    assert is_blurred(shown)


def test_a_frame_that_no_model_looks_at_is_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "NEXT_S", 0.2)
    site.configure(privacy={"blur": ["person"]})
    with pytest.raises(SourceLost, match="it is not known what is to be blurred"):
        site.pictures.next("front", lambda _: picture())
    with pytest.raises(SourceLost, match=r"no frame came within 0.2 s"):
        site.pictures.next("front", lambda _: None)
