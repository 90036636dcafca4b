"""A camera whose thread does not come back from native code."""

import threading

import pytest
from camera_doubles import Recorder
from clips import counting_clip

from edged.heartbeat import hearts
from edged.sources.camera import HANGS, SourceStatus


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_while_it_hangs_it_is_offline_with_the_reason_and_then_what_it_was(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 50, fps=25))) as camera:
        recorder.online()
        (heart,) = [one for one in hearts() if one.name == "camera-front"]
        heart.late = True  # as supervision finds it
        assert camera.hangs
        assert (camera.state.status, camera.state.why) == (SourceStatus.OFFLINE, HANGS)
        heart.late = False
        assert camera.state.status is SourceStatus.ONLINE
        assert 0 < heart.patience_s < float("inf")
    assert heart.patience_s == float("inf")  # one that was stopped is missed by nobody


def test_who_hears_of_states_and_fails_does_not_end_its_thread(tmp_path, recorder):
    heard = threading.Semaphore(0)

    def fail(_state: object) -> None:
        heard.release()
        raise KeyError("a bug")

    camera = recorder.camera(str(tmp_path / "none.mkv"))
    camera._on_state = fail
    with camera:
        assert heard.acquire(timeout=10)
        camera.switch(False)
        assert heard.acquire(timeout=10)
        assert not camera.finished.is_set()
