"""Cameras against real servers, on good days and bad, and every hostile file."""

import errno
import os
import queue
import signal
import time
from pathlib import Path

import av
import pytest
from camera_doubles import Recorder, mjpeg_server, silent_server
from clips import passing_clip, solid_frame, write_clip
from mosquitto_broker import until

from edged.errors import EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.sources.camera import SourceStatus
from edged.sources.stream import read_frames

SECRET = "s3cr3t-w0rd"


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A minute of 320 x 240 at 25 frames a second, a key frame every second."""
    frames = [solid_frame(320, 240, (16 + n % 200, 128, 128)) for n in range(25 * 60)]
    path = tmp_path_factory.mktemp("clips") / "live.mp4"
    return write_clip(
        path, frames, codec="libx264", options={"g": "25", "preset": "ultrafast", "tune": "zerolatency"}
    )


@pytest.fixture
def recorder():
    return Recorder()


@pytest.mark.parametrize("transport", ["auto", "tcp", "udp"])
def test_frames_arrive_over_rtsp_at_the_rate_asked_for(rtsp_server, free_port, clip, recorder, transport):
    port = free_port()
    rtsp_server(port, {"front": clip})
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front", transport=transport, fps=5) as camera:
        state = recorder.online()
        frames = [recorder.frame() for _ in range(16)][5:]  # the first came in a burst, while it was opened
    assert (state.width, state.height, state.fps) == (320, 240, 25.0)
    moments = [frame.captured_monotonic_s for frame in frames]
    assert moments[-1] - moments[0] == pytest.approx(2.0, abs=0.3)
    assert frames[-1].sequence - frames[0].sequence == pytest.approx(50, abs=3)
    assert camera.statistics.chosen < camera.statistics.captured / 4


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_while_nothing_moves_over_rtsp_packets_gather_and_what_moves_is_not_missed(
    rtsp_server, free_port, tmp_path, recorder, transport
):
    port = free_port()
    rtsp_server(port, {"front": passing_clip(tmp_path / "a.mp4", fps=25, still_s=7, moving_s=9, end_s=10)})
    motion = {"gate": "stream", "hold": 0.5, "recheck": 60}
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front", transport=transport, motion=motion) as camera:
        recorder.online()
        assert until(lambda: camera.statistics.still > 20, 15)
        recorder.taken()
        first = recorder.frame()
        late_s = time.monotonic() - first.captured_monotonic_s
        recorder.offline()
        rest = recorder.taken()
    assert late_s < 1.0
    assert len(rest) > 25
    numbers = [first.sequence, *(frame.sequence for frame in rest)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_server_that_refuses_tcp_is_asked_for_udp(monkeypatch, clip, recorder):
    asked, real = [], av.open

    def opened(_target, **given):
        asked.append(given["options"].pop("rtsp_transport"))
        if asked[-1] == "tcp":  # as FFmpeg reports "461 Unsupported Transport"
            raise av.FFmpegError(errno.EPROTONOSUPPORT, "Protocol not supported")
        return real(str(clip))

    monkeypatch.setattr("edged.sources.video.av.open", opened)
    with recorder.camera("rtsp://127.0.0.1:1/x") as camera:
        recorder.frame()
    assert asked[:2] == ["tcp", "udp"]
    assert camera.error is None


def test_after_each_restart_of_the_server_frames_are_back_within_five_seconds(
    rtsp_server, free_port, clip, recorder
):
    port = free_port()
    server = rtsp_server(port, {"front": clip})
    last = -1
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front") as camera:
        recorder.online()
        for away_s in (0.0, 4.0):
            last = recorder.frame().sequence
            server.kill()
            server.wait()
            gone = recorder.offline()
            assert gone.why
            if away_s:
                recorder.offline(why="refuses the connection")
                with pytest.raises(queue.Empty):  # it stays away, and the state with it
                    recorder.states.get(timeout=away_s)
            last = max([last, *(frame.sequence for frame in recorder.taken())])
            server = rtsp_server(port, {"front": clip})
            began_s = time.monotonic()
            state = recorder.online(5)
            assert time.monotonic() - began_s < 5
            assert state.since_s > gone.since_s
            assert recorder.frame().sequence > last
    assert camera.statistics.reconnects == 2


def test_a_camera_that_comes_back_with_another_resolution_is_followed(
    rtsp_server, free_port, clip, tmp_path, recorder
):
    port = free_port()
    wide = [solid_frame(480, 272, (100, 128, 128))] * 100
    other = write_clip(tmp_path / "wide.mp4", wide, codec="libx264", options={"g": "25"})
    server = rtsp_server(port, {"front": clip})
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front"):
        state, frame = recorder.online(), recorder.frame()
        assert (state.width, state.height, frame.width, frame.height) == (320, 240, 320, 240)
        server.kill()
        server.wait()
        recorder.offline()
        recorder.taken()
        rtsp_server(port, {"front": other})
        state, frame = recorder.online(), recorder.frame()
        assert (state.width, state.height, frame.width, frame.height) == (480, 272, 480, 272)


def test_a_server_that_freezes_is_seen_within_six_seconds(rtsp_server, free_port, clip, recorder):
    port = free_port()
    server = rtsp_server(port, {"front": clip})
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front") as camera:
        recorder.online()
        recorder.frame()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            recorder.offline(6, why="stalled")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        recorder.online(10)
    assert camera.statistics.stalls == 1


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_silent_server_is_reported_within_six_seconds_and_a_stop_does_not_wait_for_it(recorder, scheme):
    with silent_server() as port, recorder.camera(f"{scheme}://joe:{SECRET}@127.0.0.1:{port}/x") as camera:
        assert recorder.offline(6).why == "no answer from 127.0.0.1 within 5 s"
        began_s = time.monotonic()
        assert camera.stop(5)
        assert time.monotonic() - began_s < 0.5


def test_a_wrong_password_is_a_state_that_does_not_repeat_it(rtsp_server, free_port, clip, recorder, capsys):
    port = free_port()
    rtsp_server(port, {"front": clip}, "--user", "joe", "--password", "right")
    url = f"rtsp://joe:{SECRET}@127.0.0.1:{port}/front"
    with recorder.camera(url):
        assert "refuses the user or password (401)" in recorder.offline().why
    with recorder.camera(url, once=True) as camera:
        assert camera.finished.wait(10)
    assert isinstance(camera.error, NotAllowed)
    with pytest.raises(NotAllowed) as caught:
        next(read_frames(url, name="front"))
    output = capsys.readouterr()
    seen = [
        str(camera.error),
        repr(camera.state),
        str(recorder.history),
        str(caught.value),
        output.out,
        output.err,
    ]
    assert "joe:***@" in str(camera.error)
    assert not any(SECRET in text for text in seen)


def test_a_password_from_a_credential_opens_the_camera(
    rtsp_server, free_port, clip, recorder, tmp_path, monkeypatch
):
    port = free_port()
    rtsp_server(port, {"front": clip}, "--user", "joe", "--password", "p@ss/w:rd#")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "front-password").write_text("p@ss/w:rd#\n")
    with recorder.camera("rtsp://joe:${credential:front-password}@127.0.0.1:" + f"{port}/front"):
        recorder.frame()
        assert recorder.online().width == 320


def test_a_path_that_the_server_does_not_have_is_named_as_such(rtsp_server, free_port, clip, recorder):
    port = free_port()
    rtsp_server(port, {"front": clip})
    with recorder.camera(f"rtsp://127.0.0.1:{port}/back", once=True) as camera:
        assert camera.finished.wait(10)
    assert isinstance(camera.error, InputNotFound)
    assert "404" in str(camera.error)


def test_a_host_that_does_not_resolve_is_named(recorder):
    with recorder.camera("rtsp://no-such-camera.invalid/x", once=True) as camera:
        assert camera.finished.wait(20)
    assert isinstance(camera.error, SourceLost)
    assert "no-such-camera.invalid does not resolve" in str(camera.error)


def test_once_reads_a_stream_to_the_end_that_the_server_gives_it(rtsp_server, free_port, assets, recorder):
    port = free_port()
    rtsp_server(port, {"front": assets / "videos" / "person_bicycle_car_7s.mp4"})
    with recorder.camera(f"rtsp://127.0.0.1:{port}/front", once=True) as camera:
        assert camera.finished.wait(30)
    assert camera.error is None
    assert len(recorder.taken()) == pytest.approx(84, abs=2)


def test_http_pictures_are_stamped_when_they_arrive(recorder):
    with mjpeg_server(every_s=0.1) as port, recorder.camera(f"http://127.0.0.1:{port}/video"):
        frames = [recorder.frame() for _ in range(14)][4:]
        assert recorder.online().width == 64
    moments = [frame.captured_monotonic_s for frame in frames]
    assert moments[-1] - moments[0] == pytest.approx(0.9, abs=0.3)
    assert all(frame.full_range for frame in frames)


def test_an_http_camera_that_falls_silent_is_seen_within_six_seconds(recorder):
    with mjpeg_server(pictures=10) as port, recorder.camera(f"http://127.0.0.1:{port}/video") as camera:
        recorder.online()
        recorder.offline(6.5, why="stalled")
    assert camera.statistics.stalls == 1


def test_packets_that_nobody_can_decode_are_a_stall_as_well(recorder):
    with (
        mjpeg_server(junk=True) as port,
        recorder.camera(f"http://127.0.0.1:{port}/video", read_timeout=2) as camera,
    ):
        recorder.online()
        assert "picture that can be decoded" in recorder.offline(6).why
    assert camera.statistics.unreadable > 10


@pytest.mark.parametrize(("status", "error"), [(401, NotAllowed), (403, NotAllowed), (404, InputNotFound)])
def test_what_an_http_camera_answers_decides_the_error(recorder, status, error):
    url = f"joe:{SECRET}@127.0.0.1"
    with (
        mjpeg_server(status=status) as port,
        recorder.camera(f"http://{url}:{port}/video", once=True) as camera,
    ):
        assert camera.finished.wait(10)
    assert type(camera.error) is error
    assert str(status) in str(camera.error)
    assert SECRET not in str(camera.error)


def hostile_names() -> list[str]:
    shared = Path(__file__).parents[3] / "shared" / "assets"
    folder = Path(os.environ.get("EDGED_ASSETS") or shared) / "hostile"
    found = (path for part in ("img", "vid", "derived") for path in (folder / part).glob("*"))
    return sorted(str(path.relative_to(folder)) for path in found) or ["img/truncated_jpeg.jpg"]


@pytest.mark.assets
@pytest.mark.parametrize("name", hostile_names())
def test_a_hostile_file_gives_frames_or_one_clear_error_within_ten_seconds(assets, recorder, name):
    path, error = assets / "hostile" / name, None
    began_s = time.monotonic()
    try:
        count = sum(frame.planes[0].size > 0 for frame in read_frames(str(path), name="x"))
    except EdgedError as caught:
        count, error = 0, caught
    with recorder.camera(str(path), once=True) as camera:
        assert camera.finished.wait(10)
    assert time.monotonic() - began_s < 10
    assert (count > 0) is (error is None)
    assert len(recorder.taken()) == count
    assert (camera.error is None) is (error is None)
    if error is not None:
        assert error.exit_code == 65
        assert path.name in str(error)
        assert "\n" not in str(error)


@pytest.mark.assets
@pytest.mark.parametrize("name", ["truncated_jpeg.jpg", "broken.png"])
def test_a_hostile_file_is_waited_at_in_the_daemon(assets, recorder, name):
    with recorder.camera(str(assets / "hostile" / "img" / name)) as camera:
        assert "cannot be decoded" in recorder.offline().why
        assert not camera.finished.is_set()
    assert camera.state.status is SourceStatus.OFFLINE


@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        ("person_bicycle_car_7s.mp4", 84, (768, 432)),
        ("basic_426x240.mp4", 431, (426, 240)),
        ("mpeg4part2_10frames.mp4", 10, (640, 480)),
    ],
)
def test_real_videos_give_the_frames_that_are_in_them(assets, name, count, size):
    sizes = [(frame.width, frame.height) for frame in read_frames(str(assets / "videos" / name), name="x")]
    assert sizes == [size] * count


@pytest.mark.assets
def test_the_rotated_asset_comes_out_upright_as_opencv_turns_it(assets):
    import cv2

    path = str(assets / "hostile" / "vid" / "video_rotation_90.mp4")
    upright = next(read_frames(path, name="x")).planes[0].astype(float)
    video = cv2.VideoCapture(path)
    try:
        reference = cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2GRAY).astype(float)
    finally:
        video.release()
    assert upright.shape == reference.shape == (100, 60)
    differences = [abs(upright - turned).mean() for turned in (reference, reference[::-1, ::-1])]
    assert differences[0] < 25
    assert differences[0] <= differences[1]
