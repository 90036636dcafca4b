"""Every frame that a camera captures comes to exactly one end."""

import time

import pytest
from camera_doubles import Recorder
from clips import counting_clip, write_picture

from edged.sources.camera import Camera
from edged.sources.capture import SourceStatistics


def counted(camera: Camera) -> dict[str, int]:
    """What became of captured frames, as far as it happened."""
    kinds = ("chosen", "still", "skipped", "damaged", "ended", "failed")
    found = {kind: getattr(camera.statistics, kind) for kind in kinds}
    assert sum(found.values()) == camera.statistics.captured
    return {kind: count for kind, count in found.items() if count}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_frames_that_fps_does_not_choose_are_skipped(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 100, fps=25)), once=True, fps=5) as camera:
        assert camera.finished.wait(10)
    assert counted(camera) == {"chosen": len(recorder.taken()), "skipped": 100 - camera.statistics.chosen}


def test_pictures_that_cannot_be_read_are_damaged(tmp_path, recorder):
    for number in range(3):
        write_picture(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    with recorder.camera(str(tmp_path), once=True) as camera:
        assert camera.finished.wait(10)
    assert counted(camera) == {"chosen": 2, "damaged": 1}
    assert camera.statistics.unreadable == 1


def test_a_frame_that_is_not_due_when_the_camera_ends_is_counted_as_that(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 9, fps=1))) as camera:
        recorder.frame()
        deadline_s = time.monotonic() + 5
        while camera.statistics.captured < 2 and time.monotonic() < deadline_s:
            time.sleep(0.005)
    assert counted(camera) == {"chosen": 1, "ended": 1}


def test_a_frame_over_which_reading_fails_is_counted_as_that(tmp_path, recorder):
    camera = recorder.camera(str(counting_clip(tmp_path / "a.mkv", 9)), once=True)

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    camera._selection.deliver = fail
    with camera:
        assert camera.finished.wait(10)
    assert counted(camera) == {"failed": 1}


def test_what_is_settled_stays_settled():
    statistics = SourceStatistics(captured=3, chosen=2)
    for _ in range(2):
        statistics.settle()
        assert statistics.failed == 1
