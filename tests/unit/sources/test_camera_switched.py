"""A camera that is switched off and on, and asked for a frame."""

import threading
import time
from pathlib import Path

import pytest
from camera_doubles import Recorder, mjpeg_server, silent_server
from clips import counting_clip, write_picture
from mosquitto_broker import until

from edged.sources.camera import SourceStatus


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_switched_off_it_closes_its_source_and_says_so(tmp_path, recorder):
    before = open_files()
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 50, fps=25))) as camera:
        recorder.frame()
        recorder.online()
        assert open_files() > before
        camera.switch(False)
        state = recorder.disabled()
        assert (state.why, state.width, state.height) == ("switched off by command", 64, 48)
        assert open_files() == before
        recorder.taken()
        time.sleep(0.2)
        assert recorder.taken() == []
        assert not camera.finished.is_set()
        assert camera.error is None


def test_switched_on_it_begins_anew_and_its_sequence_goes_on(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 50, fps=50))) as camera:
        recorder.online()
        camera.switch(False)
        recorder.disabled()
        last = [recorder.frame(), *recorder.taken()][-1].sequence
        camera.switch(True)
        assert recorder.offline().why == "connecting"
        recorder.online()
        assert recorder.frame().sequence > last


def test_one_that_begins_switched_off_opens_nothing(tmp_path, recorder):
    camera = recorder.camera(str(counting_clip(tmp_path / "a.mkv", 50)), enabled=False)
    assert (camera.state.status, camera.state.why) == (SourceStatus.DISABLED, "switched off by command")
    with camera:
        time.sleep(0.2)
        assert recorder.taken() == []
        assert recorder.states.empty()
        camera.switch(True)
        recorder.online()
        recorder.frame()


def test_it_is_switched_off_also_while_it_waits_for_a_server_that_says_nothing(recorder):
    with silent_server() as port, recorder.camera(f"rtsp://127.0.0.1:{port}/a") as camera:
        time.sleep(0.3)
        camera.switch(False)
        recorder.disabled(2)
        camera.switch(True)
        assert recorder.offline(2).why == "connecting"
        camera.switch(False)
        recorder.disabled(2)
        assert camera.stop(2)


def test_it_is_switched_off_also_while_it_waits_to_try_again_and_then_tries_at_once(tmp_path, recorder):
    path = tmp_path / "none.mkv"
    with recorder.camera(str(path)) as camera:
        for _ in range(3):
            recorder.offline(why="no such file")
            camera.switch(False)
            recorder.disabled(1)
            assert camera.error is None
            camera.switch(True)
            recorder.offline(1, why="connecting")
        counting_clip(tmp_path / "made.mkv", 5).rename(path)
        recorder.online(2)


def test_off_and_on_at_once_never_ends_in_the_wrong_state(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 500, fps=25))) as camera:
        recorder.online()
        for _ in range(200):
            camera.switch(False)
            camera.switch(True)
        assert until(lambda: camera.state.status is SourceStatus.ONLINE, 5)
        recorder.taken()
        recorder.frame()
        for _ in range(200):
            camera.switch(True)
            camera.switch(False)
        assert until(lambda: camera.state.status is SourceStatus.DISABLED, 5)


def test_a_camera_that_is_switched_off_can_be_stopped(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 50)), enabled=False) as camera:
        began_s = time.monotonic()
        assert camera.stop(5)
        assert time.monotonic() - began_s < 1
    assert camera.finished.is_set()


def test_the_next_frame_is_given_also_where_it_is_not_chosen(recorder):
    with mjpeg_server() as port, recorder.camera(f"http://127.0.0.1:{port}/v", fps=0.01) as camera:
        recorder.online()
        recorder.frame()
        first = camera.next_frame(2)
        second = camera.next_frame(2)
        assert first is not None
        assert second is not None
        assert second.sequence > first.sequence > 0
        assert (first.width, first.height) == (64, 48)
        assert recorder.taken() == []


def test_several_who_ask_get_the_same_frame_and_the_models_get_it_too(tmp_path, recorder):
    frames = []
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 200, fps=5))) as camera:
        recorder.online()
        threads = [threading.Thread(target=lambda: frames.append(camera.next_frame(5))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert len({frame.sequence for frame in frames}) == 1
        delivered = recorder.frame()
        while delivered.sequence < frames[0].sequence:
            delivered = recorder.frame()
        assert delivered is frames[0]


def test_nobody_waits_for_a_frame_longer_than_asked_or_after_the_end(tmp_path, recorder):
    write_picture(tmp_path / "1.png")
    with recorder.camera(str(tmp_path / "1.png"), fps=0.01) as camera:
        recorder.online()
        began_s = time.monotonic()
        assert camera.next_frame(0.2) is None
        assert time.monotonic() - began_s < 1
        for end in (lambda: camera.switch(False), lambda: camera.stop(1)):
            timer = threading.Timer(0.2, end)
            timer.start()
            began_s = time.monotonic()
            assert camera.next_frame(10) is None
            assert time.monotonic() - began_s < 2
            timer.join()


def test_a_frame_that_must_be_looked_at_is_delivered_though_it_was_not_chosen(recorder):
    with mjpeg_server() as port, recorder.camera(f"http://127.0.0.1:{port}/v", fps=0.01) as camera:
        recorder.online()
        recorder.frame()
        asked = camera.next_frame(2, deliver=True)
        assert recorder.frame() is asked
        assert camera.next_frame(2) is not None
        assert recorder.taken() == []
        assert until(lambda: camera.statistics.chosen == 2, 2)
