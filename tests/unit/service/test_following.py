"""Objects of a camera from frame to frame, over everything that happens to a camera."""

import math
import random
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from edged.detection import Detections
from edged.event import Event
from edged.frame import Frame, PixelLayout
from edged.mqtt.payloads import ModelInfo
from edged.pipeline import Result
from edged.publisher import Sight
from edged.sections import CameraSettings
from edged.service.following import BLIND_S, OFFLINE_S, Following
from edged.service.outlets import Outlets
from edged.tracking import Tracks

INFO = ModelInfo("m", 1, "sha256:" + "ab" * 32, "cpu")
LEFT = {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
MIDDLE = {"points": [[0.5, 1], [0.5, 0]]}


def section(**changes: Any) -> CameraSettings:
    return CameraSettings.model_validate({"url": "rtsp://camera", "models": ["m"]} | changes)


class Model:
    task = "detect"
    labels = ("person", "car")


class Stage:
    """A camera whose frames a test makes, and all that is told of it."""

    def __init__(self, **changes: Any) -> None:
        self.events: list[tuple[Event, float | None]] = []
        self.counts: list[tuple[dict[Any, int], dict[Any, int]]] = []
        self.watched: list[tuple[int, list[str]]] = []
        self.looks: list[tuple[Result, Tracks | None]] = []
        ids = iter(range(10**6))
        self.outlets = Outlets(
            tell=lambda _camera, _info, event, at_s: self.events.append((event, at_s)),
            new_id=lambda: f"e{next(ids)}",
            counted=lambda _camera, _model, found, crossed: self.counts.append((dict(found), dict(crossed))),
            placed=lambda *_: None,
            watch=self._watch,
            looked=lambda _camera, _model, result, tracks: self.looks.append((result, tracks)),
        )
        self.following = Following("front", "m", section(**changes), self.outlets)
        self.model, self.now_s, self.sequence, self.still_s = Model(), 100.0, 0, None

    def _watch(self, _camera: str, update: Any, frame: Frame, _found: Detections) -> None:
        self.watched.append((frame.sequence, [event.kind for event in update.events]))

    def frame(
        self,
        *objects: tuple[float, float],
        after_s: float = 0.1,
        low: tuple[tuple[float, float], ...] = (),
        min_score: float | None = None,
        classes: tuple[int, ...] = (),
        scene_s: float | None = -1.0,
        info: ModelInfo = INFO,
    ) -> Sight:
        """Look at a frame with objects, each where it stands (x) and how sure it is."""
        self.now_s += after_s
        self.sequence += 1
        frame = Frame(
            "front", self.sequence, 1000 + self.now_s, self.now_s, 200, 100, PixelLayout.BGR, (),
            scene_s=self.now_s if scene_s == -1.0 else scene_s, still_s=self.still_s,
        )  # fmt: skip
        result = Result(
            frame, cast(Any, self.model), 1, found(objects, classes), 0, 0, 0, 0, low=found(low, ())
        )
        self.following.offered(frame)
        return self.following.look(result, info, min_score)

    def told(self) -> list[str]:
        """Since the last call, without updates."""
        events, self.events = self.events, []
        return [
            f"{event.kind} {event.track_id}" + (f" {event.reason}" if event.reason else "")
            for event, _ in events
            if event.kind != "update"
        ]

    def present(self, *objects: tuple[float, float], frames: int = 6) -> None:
        for _ in range(frames):
            self.frame(*objects)


def found(objects: tuple[tuple[float, float], ...], classes: tuple[int, ...]) -> Detections:
    boxes = [[x - 10, 20, x + 10, 60] for x, _ in objects]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score in objects], np.float32),
        np.array(classes or (0,) * len(objects), np.int32),
    )


def test_an_object_gets_an_id_and_a_start_and_both_stay():
    stage = Stage(zones={"left": LEFT})
    stage.present((50, 0.8))
    sight = stage.frame((50, 0.8))
    assert sight.track_ids == [1]
    assert sight.zones == [("left",)]
    assert stage.told() == ["start 1"]
    assert stage.counts[-1][0] == {("", "person"): 1, ("left", "person"): 1}
    assert stage.watched[0][1] == ["start"]


def test_low_detections_go_on_with_a_track_begin_none_and_are_in_no_message():
    stage = Stage()
    stage.present((50, 0.8))
    for _ in range(40):
        sight = stage.frame(low=((50, 0.2), (150, 0.3)))
        assert len(sight.result.detections) == 0
    assert stage.told() == ["start 1"]


def test_what_is_below_the_score_of_the_camera_begins_no_track():
    stage = Stage()
    for _ in range(10):
        sight = stage.frame((50, 0.8), (150, 0.6), min_score=0.7)
        assert sight.result.detections.score.tolist() == [pytest.approx(0.8)]
    assert stage.told() == ["start 1"]


def test_masks_hide_objects_from_everything():
    stage = Stage(masks={"tree": LEFT | {"labels": ["car"]}})
    for _ in range(6):
        sight = stage.frame((50, 0.8), (150, 0.7), classes=(1, 1))
        assert sight.result.detections.score.tolist() == [pytest.approx(0.7)]
    assert stage.told() == ["start 1"]
    stage.frame((50, 0.8))
    assert stage.counts[-1][0] == {("", "car"): 1}


@pytest.mark.parametrize("changes", [{"track": False}, {}])
def test_without_tracks_what_is_in_the_newest_picture_counts(changes):
    stage = Stage(zones={"left": LEFT}, **changes)
    scene_s = None if not changes else -1.0  # pictures that have nothing to do with one another
    sight = stage.frame((50, 0.8), (150, 0.3), classes=(0, 1), scene_s=scene_s)
    assert (sight.track_ids, sight.zones, sight.events) == (None, [("left",), ()], 0)
    assert stage.counts[-1][0] == {("", "person"): 1, ("left", "person"): 1, ("", "car"): 1}
    stage.frame(scene_s=scene_s)
    assert stage.counts[-1][0] == {}
    assert stage.told() == []


def test_what_a_classifier_says_is_not_followed():
    stage = Stage()
    stage.model.task = "classify"  # type: ignore[misc]
    stage.present((50, 0.8))
    assert stage.told() == []


def test_other_zones_and_another_model_leave_the_ids_as_they_are():
    stage = Stage()
    stage.present((50, 0.8))
    stage.following.under(section(zones={"left": LEFT}, track={"lost": "5s"}))
    stage.model.labels = ("car", "person")  # type: ignore[misc]
    try:
        for _ in range(5):
            sight = stage.frame((50, 0.8), classes=(1,), info=replace(INFO, version=2))
    finally:
        Model.labels = ("person", "car")
    assert (sight.track_ids, sight.zones) == ([1], [("left",)])
    assert stage.told() == ["start 1"]


def test_tracking_that_is_switched_off_ends_what_was_followed():
    stage = Stage()
    stage.present((50, 0.8))
    stage.following.under(section(track=False))
    assert stage.told() == ["start 1", "end 1 removed"]
    assert stage.counts[-1][0] == {}
    stage.frame((50, 0.8))
    assert stage.counts[-1][0] == {("", "person"): 1}
    assert stage.told() == []


def test_a_camera_that_goes_away_for_a_moment_keeps_its_objects_and_for_long_loses_them():
    stage = Stage()
    stage.present((50, 0.8))
    now_s = stage.now_s
    for late_s in (0.5, 1.0, 1.5):
        stage.following.pass_time(now_s + late_s, online=False, enabled=True)
    stage.frame((50, 0.8), after_s=1.6)
    assert stage.told() == ["start 1"]
    stage.following.pass_time(stage.now_s, online=False, enabled=True)
    stage.following.pass_time(stage.now_s + OFFLINE_S + 1, online=False, enabled=True)
    assert stage.told() == ["end 1 offline"]
    assert stage.counts[-1][0] == {}


def test_a_camera_that_is_switched_off_has_no_objects():
    stage = Stage()
    stage.present((50, 0.8))
    stage.following.pass_time(stage.now_s, online=False, enabled=False)
    assert stage.told() == ["start 1", "end 1 offline"]


def test_a_model_that_looks_at_nothing_any_more_loses_what_it_saw():
    stage = Stage()
    stage.present((50, 0.8))
    frame = Frame("front", 99, 0.0, stage.now_s + BLIND_S + 1, 200, 100, PixelLayout.BGR, ())
    stage.following.pass_time(stage.now_s + 99, online=True, enabled=True)  # no frames: a gate sleeps
    assert stage.told() == ["start 1"]
    stage.following.offered(frame)
    stage.following.pass_time(stage.now_s + 99, online=True, enabled=True)
    assert stage.told() == ["end 1 lost"]


def test_while_nothing_moves_nothing_is_lost():
    stage = Stage()
    stage.present((50, 0.8))
    for _ in range(3):  # rechecks
        stage.still_s = stage.now_s + 29.9
        stage.frame((50, 0.8), after_s=30)
    assert stage.told() == ["start 1"]


def test_a_recording_that_begins_again_goes_on():
    stage = Stage()
    for scene_s in (50.0, 50.1, 50.2, 50.3, 0.1, 0.2, 0.3):
        stage.frame((50, 0.8), scene_s=scene_s)
    assert stage.told() == ["start 1"]


def test_what_is_gone_for_good_is_looked_at_for_its_messages_only():
    stage = Stage()
    stage.present((50, 0.8))
    stage.following.close("removed")
    stage.told()
    counts = len(stage.counts)
    assert len(stage.frame((50, 0.8)).result.detections) == 1
    assert (stage.told(), len(stage.counts)) == ([], counts)


def test_over_an_hour_of_replay_counts_are_the_objects_alive_at_every_message():
    stage = Stage(zones={"left": LEFT | {"inertia": 1}}, lines={"middle": MIDDLE})
    rolls, alive, walkers = random.Random(11), {}, []
    crossed, zones = Counter(), {}
    for _ in range(1800):  # a frame every two seconds
        if rolls.random() < 0.02 and len(walkers) < 4:
            walkers.append([rolls.choice([12.0, 188.0]), rolls.choice([-8.0, 8.0, 3.0])])
        walkers = [[x + speed, speed] for x, speed in walkers if 10 < x + speed < 190]
        seen = tuple((x, rolls.uniform(0.5, 0.9)) for x, _ in walkers if rolls.random() < 0.95)
        stage.frame(*sorted(seen, key=lambda one: -one[1]), after_s=2.0)
        events, stage.events = stage.events, []
        for event, _ in events:
            if event.kind == "end":
                del alive[event.track_id]
            else:
                assert (event.track_id in alive) == (event.kind == "update")
                alive[event.track_id] = event.label
            crossed.update((c.where, "person", c.direction) for c in event.changes if c.what == "crossed")
        found, lines = stage.counts[-1] if stage.counts else ({}, {})
        zones = {key: count for key, count in found.items() if key[0]}
        assert found.get(("", "person"), 0) == len(alive) == len(stage.following._book)
        assert zones == {key: count for key, count in stage.following._book.counts.items() if key[0]}
        assert lines == dict(stage.following._book.crossings)
    stage.following.end("stopped")
    crossed.update(
        (c.where, "person", c.direction)
        for event, _ in stage.events
        for c in event.changes
        if c.what == "crossed"
    )
    assert stage.counts[-1][0] == {}
    assert dict(crossed) == stage.counts[-1][1]
    assert sum(crossed.values()) > 20
    assert math.isclose(stage.now_s, 100 + 3600)


def test_who_covers_pictures_is_told_of_all_that_was_found_and_of_what_is_only_expected():
    stage = Stage(masks={"all": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]], "labels": ["car"]}})
    stage.present((50, 0.9))
    stage.frame((150, 0.9), (100, 0.8), low=((20, 0.15),), min_score=0.95, classes=(1, 0))
    result, tracks = stage.looks[-1]
    assert result.detections.class_id.tolist() == [
        1,
        0,
    ]  # the first is masked, both are below what is worth a message
    assert len(result.low) == 1
    assert tracks is not None
    assert (tracks.label, tracks.detection.tolist()) == (("person",), [-1])  # not found in this frame
    untracked = Stage(track=False)
    untracked.frame((50, 0.9))
    assert untracked.looks[-1][1] is None
