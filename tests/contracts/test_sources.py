"""What every kind of source promises, whichever it is."""

import threading
import time
from contextlib import contextmanager

import pytest
from camera_doubles import Recorder, mjpeg_server
from clips import counting_clip, write_picture

from edged.frame import PixelLayout
from edged.sources.camera import SourceStatus
from edged.sources.stream import read_frames

RECORDED = ["video", "folder", "picture"]
LIVE = ["http", "rtsp"]
SIZE = (64, 48)


@pytest.fixture
def url_of(tmp_path, request):
    """Gives the address of a source of a kind: 64 x 48 pixels, whatever it is."""

    @contextmanager
    def make(kind):
        if kind == "video":
            yield str(counting_clip(tmp_path / "a.mkv", 20))
        elif kind == "folder":
            folder = tmp_path / "pictures"
            folder.mkdir()
            for number in range(5):
                write_picture(folder / f"{number}.png", width=SIZE[0], height=SIZE[1])
            yield str(folder)
        elif kind == "picture":
            yield str(write_picture(tmp_path / "one.png", width=SIZE[0], height=SIZE[1]))
        elif kind == "http":
            with mjpeg_server() as port:
                yield f"http://127.0.0.1:{port}/video"
        else:
            yield request.getfixturevalue("rtsp_camera")

    return make


@pytest.fixture
def rtsp_camera(tmp_path, rtsp_server, free_port):
    """An RTSP camera of 64 x 48 pixels at 25 frames a second, a key frame every second."""
    from clips import solid_frame, write_clip

    frames = [solid_frame(*SIZE, (16 + n % 200, 128, 128)) for n in range(25 * 20)]
    clip = write_clip(
        tmp_path / "live.mp4", frames, codec="libx264", options={"g": "25", "tune": "zerolatency"}
    )
    port = free_port()
    rtsp_server(port, {"front": clip})
    return f"rtsp://127.0.0.1:{port}/front"


@pytest.mark.parametrize("kind", RECORDED + LIVE)
def test_frames_are_upright_whole_and_numbered(url_of, kind):
    recorder = Recorder()
    with url_of(kind) as url, recorder.camera(url, fps=20 if kind in RECORDED else 0):
        frames = [recorder.frame() for _ in range(6)]
        state = recorder.online()
    assert [(frame.width, frame.height) for frame in frames] == [SIZE] * 6
    assert (state.width, state.height) == SIZE
    numbers = [frame.sequence for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    for frame in frames:
        assert frame.planes[0].shape[:2] == (SIZE[1], SIZE[0])
        assert len(frame.planes) == {PixelLayout.YUV: 3, PixelLayout.BGR: 1}[frame.layout]
        assert all(plane.dtype == "uint8" and plane.strides[-1] == 1 for plane in frame.planes)


@pytest.mark.parametrize("kind", RECORDED + LIVE)
def test_no_frame_is_from_the_future_and_time_goes_on(url_of, kind):
    recorder = Recorder()
    seen = []
    with url_of(kind) as url:
        camera = recorder.camera(url, fps=20 if kind in RECORDED else 0)
        camera._deliver = lambda frame: (seen.append(time.monotonic()), recorder.frames.put(frame))
        with camera:
            frames = [recorder.frame() for _ in range(6)]
    captured = [frame.captured_monotonic_s for frame in frames]
    assert all(moment <= now for moment, now in zip(captured, seen, strict=False))
    assert captured[-1] > captured[0]


@pytest.mark.parametrize("kind", RECORDED)
def test_once_ends_after_the_last_frame(url_of, kind):
    recorder = Recorder()
    with url_of(kind) as url, recorder.camera(url, once=True) as camera:
        assert camera.finished.wait(10)
    assert [frame.sequence for frame in recorder.taken()] == list(
        range({"video": 20, "folder": 5, "picture": 1}[kind])
    )
    assert camera.error is None


@pytest.mark.parametrize("kind", RECORDED)
def test_a_command_reads_the_same_frames(url_of, kind):
    with url_of(kind) as url:
        assert len(list(read_frames(url, name="x"))) == {"video": 20, "folder": 5, "picture": 1}[kind]


@pytest.mark.parametrize("kind", RECORDED + LIVE)
def test_it_stops_at_once_and_leaves_no_thread(url_of, kind):
    recorder = Recorder()
    with url_of(kind) as url, recorder.camera(url, fps=1) as camera:
        recorder.frame()
        began_s = time.monotonic()
        assert camera.stop(5)
        assert time.monotonic() - began_s < 0.5
        assert camera.finished.is_set()
        assert not any(thread.name == "camera-front" for thread in threading.enumerate())


@pytest.mark.parametrize("kind", RECORDED + LIVE)
def test_a_stop_while_the_taker_blocks_is_bounded_and_holds_when_it_returns(url_of, kind):
    recorder, blocked, free = Recorder(), threading.Event(), threading.Event()
    with url_of(kind) as url:
        camera = recorder.camera(url, once=True)
        camera._deliver = lambda _frame: (blocked.set(), free.wait(30))
        camera.start()
        assert blocked.wait(10)
        began_s = time.monotonic()
        assert not camera.stop(0.2)
        assert time.monotonic() - began_s < 1
        free.set()
        assert camera.stop(2)
        assert camera.statistics.chosen == 1


def test_a_stop_while_it_waits_for_the_next_attempt_holds_at_once(free_port):
    recorder = Recorder()
    with recorder.camera(f"rtsp://127.0.0.1:{free_port()}/x") as camera:
        recorder.offline(why="refuses the connection")
        began_s = time.monotonic()
        assert camera.stop(5)
        assert time.monotonic() - began_s < 0.5
        assert camera.state.status is SourceStatus.OFFLINE
