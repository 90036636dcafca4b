"""Pictures that a broker keeps, and when they are taken back."""

import json
from pathlib import Path
from typing import Any

import pytest

from edged.sections import CameraSettings
from edged.service.kept_pictures import FILE, MAX_LABELS, KeptPictures

ROOT = "edged/box"


def section(**more: Any) -> CameraSettings:
    given: dict[str, Any] = {"url": "x.mp4", "models": ["m"], "snapshots": True}
    return CameraSettings.model_validate(given | more)


MASKED = section(privacy={"masks": [[[0, 0], [1, 0], [1, 1]]]})


class Box:
    def __init__(self, folder: Path) -> None:
        self.cameras = {"front": section()}
        self.broker: dict[str, bytes] = {}
        self.kept = KeptPictures(folder, lambda: self.cameras, self.broker.__setitem__, self._clear)

    def _clear(self, topic: str) -> None:
        self.broker[topic] = b""

    def put(
        self, label: str = "person", made_under: CameraSettings | None = None, picture: bytes = b"jpeg"
    ) -> str:
        topic = f"{ROOT}/camera/front/snapshot/{label}"
        self.kept.put(topic, "front", label, picture, made_under or self.cameras["front"])
        return topic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.parametrize(
    "now",
    [
        None,
        section(snapshots=False),
        section(snapshots={"labels": ["car"]}),
        MASKED,
        section(privacy={"blur": ["person"]}),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_may_not_be_there_any_more_is_taken_back(
    box: Box, tmp_path: Path, now: CameraSettings | None, restarted: bool
) -> None:
    topic = box.put()
    assert box.broker == {topic: b"jpeg"}
    box.kept.review(root=ROOT)
    assert box.broker == {topic: b"jpeg"}
    if restarted:
        box = Box(tmp_path)
    box.cameras = {"front": now} if now else {}
    box.kept.review(root=ROOT)
    assert box.broker == {topic: b""}
    assert box.kept.topics == ()
    assert not (tmp_path / FILE).exists()


def test_what_has_nothing_to_do_with_privacy_takes_nothing_back(box: Box) -> None:
    topic = box.put()
    box.cameras = {"front": section(snapshots={"quality": 50}, fps=3, min_score=0.7)}
    box.kept.review(root=ROOT)
    assert box.broker == {topic: b"jpeg"}


def test_another_name_of_the_device_takes_back_what_was_said_under_the_old_one(box: Box) -> None:
    topic = box.put()
    box.kept.review(root="edged/box-2")
    assert box.broker == {topic: b""}


def test_a_picture_that_was_made_under_older_rules_is_not_kept(box: Box) -> None:
    box.cameras = {"front": MASKED}
    box.put(made_under=section())
    assert box.broker == {}
    box.put(made_under=MASKED)
    assert len(box.broker) == 1


def test_a_camera_has_so_many_at_most(box: Box) -> None:
    topics = [box.put(f"label{at}") for at in range(MAX_LABELS + 2)]
    assert [topic for topic in topics if not box.broker[topic]] == topics[:2]
    assert set(box.kept.topics) == set(topics[2:])


def test_the_file_is_written_before_the_picture_is_sent_and_not_for_each(box: Box, tmp_path: Path) -> None:
    path, order = tmp_path / FILE, []

    def sent(topic: str, picture: bytes) -> None:
        order.append((path.exists(), picture))

    kept = KeptPictures(tmp_path, lambda: box.cameras, sent, lambda _: None)
    kept.put("t", "front", "person", b"1", box.cameras["front"])
    path.unlink()
    kept.put("t", "front", "person", b"2", box.cameras["front"])
    assert order == [(True, b"1"), (False, b"2")]


def named(topic: str) -> str:
    return json.dumps({"topics": {topic: {"camera": "front", "label": "person", "rules": ""}}})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"topics": 3}',
        '{"topics": {"t": {"camera": 1}}}',
        "[" * 100_000,
        '{"topics":' * 50_000,
        *map(
            named, ["#", "other/state", "+/camera/front/snapshot/person", f"{ROOT}/camera/front/snapshot/car"]
        ),
        named("\ud800/camera/front/snapshot/person"),
        named("x" * 65_535 + "/camera/front/snapshot/person"),
    ],
)
def test_a_damaged_file_is_told_of_and_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    box = Box(tmp_path)
    assert box.kept.topics == ()
    box.put()
    assert len(json.loads((tmp_path / FILE).read_text())["topics"]) == 1


def test_a_disk_that_fails_costs_no_picture(box: Box, tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    topic = box.put()
    assert box.broker[topic] == b"jpeg"
