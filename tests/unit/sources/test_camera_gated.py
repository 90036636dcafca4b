"""A camera with a motion gate, on a stream that a real encoder made of a still scene with something passing through."""

import time

import pytest
from camera_doubles import Recorder
from clips import counting_clip, passing_clip

from edged.sections import CameraSettings
from edged.sources.camera import Camera

FPS, STILL_S, MOVING_S, END_S = 10, 9, 11, 16


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Something passes from second 9 to 11; a key frame every three seconds."""
    path = tmp_path_factory.mktemp("clips") / "passing.mp4"
    return passing_clip(path, fps=FPS, still_s=STILL_S, moving_s=MOVING_S, end_s=END_S)


def numbers_and_camera(clip, **settings):
    recorder = Recorder()
    with recorder.camera(str(clip), once=True, **settings) as camera:
        assert camera.finished.wait(20)
    assert camera.error is None
    return [frame.sequence for frame in recorder.taken()], camera


@pytest.mark.parametrize(("gate", "within_s"), [("stream", 0.6), ("pixels", 0.2), ("auto", 0.6)])
def test_what_passes_through_is_delivered_and_the_still_scene_is_not(clip, gate, within_s):
    numbers, camera = numbers_and_camera(clip, motion={"gate": gate, "hold": 0.5, "recheck": 30})
    first = next(number for number in numbers if number >= STILL_S * FPS)
    assert first / FPS - STILL_S <= within_s
    moving = set(range(first, MOVING_S * FPS))
    assert moving <= set(numbers)
    asleep = set(range(7 * FPS, STILL_S * FPS)) | set(range(13 * FPS, END_S * FPS))
    assert not asleep & set(numbers)
    counts = camera.statistics
    assert (counts.captured, counts.chosen + counts.still) == (END_S * FPS, END_S * FPS)
    assert camera.state.gate == ("pixels" if gate == "pixels" else "stream")


def test_a_still_scene_is_looked_at_every_recheck(clip):
    numbers, _ = numbers_and_camera(clip, motion={"gate": "stream", "hold": 0.5, "recheck": 3})
    assert [number for number in numbers if number >= 125] == [
        150
    ]  # the key frames after the passing: 12 s, 15 s


def test_a_gate_chooses_among_what_fps_chooses_and_the_first_moving_frame_besides(clip):
    numbers, camera = numbers_and_camera(clip, fps=2, motion={"gate": "stream", "hold": 0.5, "recheck": 30})
    passing = [number for number in numbers if STILL_S * FPS <= number < MOVING_S * FPS]
    assert passing[0] <= STILL_S * FPS + 6
    assert len(passing) <= 2 * (MOVING_S - STILL_S) + 1
    assert camera.statistics.captured == END_S * FPS


def test_a_recording_of_one_frame_falls_asleep_and_is_rechecked(tmp_path):
    recorder, path = Recorder(), counting_clip(tmp_path / "a.mkv", 1, fps=50)
    motion = {"gate": "pixels", "hold": 0.1, "recheck": 1}
    with recorder.camera(str(path), realtime=False, motion=motion) as camera:
        deadline_s = time.monotonic() + 10
        while camera.statistics.still < 60 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        recorder.taken()
        recorder.frame()
    assert camera.statistics.still >= 60


def test_without_a_section_every_frame_is_looked_at(clip):
    numbers, camera = numbers_and_camera(clip)
    assert numbers == list(range(END_S * FPS))
    assert (camera.statistics.still, camera.state.gate, camera.state.decoder) == (0, "", "h264")


def test_pictures_know_no_motion_and_say_so(tmp_path, clip):
    from clips import write_picture

    write_picture(tmp_path / "1.png")
    numbers, camera = numbers_and_camera(tmp_path, motion={"gate": "auto"})
    assert numbers == [0]
    assert camera.state.gate.startswith("off (")


def test_while_it_sleeps_it_is_online_and_gives_a_picture_when_asked(clip):
    recorder = Recorder()
    settings = {"gate": "stream", "hold": 0.5, "recheck": 300}
    with recorder.camera(str(clip), realtime=True, motion=settings) as camera:
        deadline_s = time.monotonic() + 15
        while camera.statistics.still < 5 and time.monotonic() < deadline_s:
            camera.stop(0.05) if camera.finished.is_set() else camera.finished.wait(0.05)
        assert camera.statistics.still >= 5
        assert not camera.motion
        delivered, captured = camera.statistics.chosen, camera.statistics.captured
        frame = camera.next_frame(3)
        assert frame is not None
        assert frame.planes[0].shape == (240, 320)
        assert captured <= frame.sequence <= captured + FPS  # the next one, but for what was read meanwhile
        assert camera.statistics.chosen == delivered
        assert camera.state.status.value == "online"


def test_a_recording_is_read_ahead_while_it_sleeps_and_shown_on_time_when_something_moves(clip):
    late_s = []
    camera = Camera(
        "front",
        CameraSettings(url=str(clip), models=("m",), realtime=True, motion={"gate": "stream", "hold": 0.5}),
        once=True,
        deliver=lambda frame: late_s.append((frame.sequence, time.monotonic() - frame.captured_monotonic_s)),
        on_state=lambda _state: None,
    )
    with camera:
        assert camera.finished.wait(END_S + 10)
    moving = [late for number, late in late_s if STILL_S * FPS <= number < MOVING_S * FPS]
    assert len(moving) >= (MOVING_S - STILL_S) * FPS - 6
    assert min(late for _, late in late_s) >= 0
    assert camera.statistics.captured == END_S * FPS
