import itertools
import time

import pytest
from camera_doubles import Recorder
from clips import counting_clip, write_picture

from edged.errors import BadInput, ConfigurationError, InputNotFound, NotAllowed
from edged.sources.camera import SourceStatus


@pytest.fixture
def recorder():
    return Recorder()


def test_once_reads_every_frame_once_and_says_that_it_has_finished(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 40)), once=True) as camera:
        assert camera.finished.wait(10)
    frames = recorder.taken()
    assert [frame.sequence for frame in frames] == list(range(40))
    assert {frame.source for frame in frames} == {"front"}
    assert camera.error is None
    assert (camera.statistics.captured, camera.statistics.chosen) == (40, 40)


def test_once_waits_for_the_one_who_takes_the_frames(tmp_path, recorder):
    camera = recorder.camera(str(counting_clip(tmp_path / "a.mkv", 10)), once=True)
    taken = []

    def take(frame):
        taken.append(camera.statistics.captured)
        time.sleep(0.01)

    camera._deliver = take
    with camera:
        assert camera.finished.wait(10)
    assert taken == list(range(1, 11))


def test_fps_chooses_by_the_clock_of_the_recording_however_fast_it_is_read(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 100, fps=25)), once=True, fps=5) as camera:
        assert camera.finished.wait(10)
    assert len(recorder.taken()) in {20, 21}
    assert camera.statistics.captured == 100


def test_a_recording_is_played_again_at_its_own_speed_and_the_sequence_goes_on(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 5, fps=50))):
        frames = [recorder.frame() for _ in range(30)]
    assert [frame.sequence for frame in frames] == list(range(30))
    assert [int(frame.planes[0][0, 0]) - 16 for frame in frames] == [n % 5 for n in range(30)]
    assert frames[-1].captured_monotonic_s - frames[0].captured_monotonic_s == pytest.approx(
        29 / 50, abs=0.05
    )


def test_a_recording_of_one_frame_is_looked_at_again_and_again_and_no_more_often_than_asked_for(
    tmp_path, recorder
):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 1, fps=50)), fps=10) as camera:
        numbers = [recorder.frame().sequence for _ in range(5)][
            1:
        ]  # the first one lies in the middle of its slot
    assert [later - earlier for earlier, later in itertools.pairwise(numbers)] == [5, 5, 5]
    assert camera.statistics.skipped >= 12


def test_the_scene_of_one_frame_goes_on_where_it_is_read_as_fast_as_it_can_be(tmp_path, recorder):
    path = counting_clip(tmp_path / "a.mkv", 1, fps=10)
    with recorder.camera(str(path), realtime=False):
        scenes = [recorder.frame().scene_s for _ in range(4)]
    assert scenes == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_realtime_holds_for_once_too_where_it_is_asked_for(tmp_path, recorder):
    began_s = time.monotonic()
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 26)), once=True, realtime=True) as camera:
        assert camera.finished.wait(10)
    assert time.monotonic() - began_s >= 1.0


def test_both_clocks_of_a_frame_tell_the_same_moment(tmp_path, recorder):
    with recorder.camera(str(counting_clip(tmp_path / "a.mkv", 5))):
        frame = recorder.frame()
    assert time.time() - frame.captured_at_s == pytest.approx(
        time.monotonic() - frame.captured_monotonic_s, abs=0.05
    )


def test_it_is_offline_until_the_first_frame_and_then_online_with_size_and_rate(tmp_path, recorder):
    camera = recorder.camera(str(counting_clip(tmp_path / "a.mkv", 5, fps=20)))
    assert (camera.state.status, camera.state.why) == (SourceStatus.OFFLINE, "connecting")
    with camera:
        state = recorder.online()
        assert (state.width, state.height, state.fps, state.why) == (64, 48, 20.0, "")
        assert abs(state.since_s - time.time()) < 10
        for _ in range(20):
            recorder.frame()
        assert recorder.states.empty()  # playing it again is no change


def test_pictures_of_different_sizes_are_one_online_source(tmp_path, recorder):
    write_picture(tmp_path / "1.png", width=40)
    write_picture(tmp_path / "2.png", width=60)
    with recorder.camera(str(tmp_path), fps=100):
        widths = [recorder.frame().width for _ in range(4)]
    assert widths == [40, 60, 40, 60]
    assert recorder.online().width == 40
    assert recorder.states.empty()


def test_pictures_are_shown_for_the_time_that_fps_gives_them(tmp_path, recorder):
    with recorder.camera(str(write_picture(tmp_path / "1.png")), fps=20):
        frames = [recorder.frame() for _ in range(5)]
    steps = [b.captured_monotonic_s - a.captured_monotonic_s for a, b in itertools.pairwise(frames)]
    assert steps == pytest.approx([0.05] * 4, abs=0.03)


def test_a_broken_picture_is_counted_and_the_others_follow(tmp_path, recorder):
    write_picture(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    write_picture(tmp_path / "3.png")
    with recorder.camera(str(tmp_path), once=True) as camera:
        assert camera.finished.wait(10)
    assert [frame.sequence for frame in recorder.taken()] == [0, 2]
    assert camera.statistics.unreadable == 1
    assert camera.error is None


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none.mp4", None, InputNotFound),
        ("broken.mp4", b"broken", BadInput),
        ("broken.png", b"broken", BadInput),
        ("none", None, InputNotFound),
    ],
)
def test_once_ends_with_the_error_of_a_bad_file(tmp_path, recorder, name, content, error):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with recorder.camera(str(tmp_path / name), once=True) as camera:
        assert camera.finished.wait(10)
    assert type(camera.error) is error
    assert name in str(camera.error)
    assert recorder.offline().why == camera.error.problem


def test_a_missing_file_is_waited_for_and_read_when_it_comes(tmp_path, recorder):
    path = tmp_path / "late.mkv"
    with recorder.camera(str(path)) as camera:
        assert recorder.offline().why == "no such file or folder"
        counting_clip(tmp_path / "made.mkv", 5).rename(path)
        recorder.online()
        assert camera.error is None
        assert not camera.finished.is_set()


def test_an_address_whose_secret_is_gone_is_a_state_and_not_a_crash(recorder):
    address = "rtsp://joe:${credential:gone}@cam/1"
    with recorder.camera(address) as camera:
        assert "gone" in recorder.offline().why
        assert camera.stop(1)
    with recorder.camera(address, once=True) as camera:
        assert camera.finished.wait(5)
    assert isinstance(camera.error, ConfigurationError)


def test_a_bug_in_the_taker_shows_as_a_state(tmp_path, recorder):
    camera = recorder.camera(str(counting_clip(tmp_path / "a.mkv", 5)), once=True)

    def fail(_frame):
        raise RuntimeError("a bug")

    camera._deliver = fail
    with camera:
        assert camera.finished.wait(5)
    assert camera.error is not None
    assert camera.error.exit_code == 70
    assert "RuntimeError" in recorder.offline().why


def test_a_camera_that_was_never_started_can_be_stopped(recorder):
    assert recorder.camera("/nowhere.mp4").stop(0.1)


def test_what_may_not_be_read_is_not_allowed(tmp_path, recorder, monkeypatch):
    path = write_picture(tmp_path / "1.png")

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with recorder.camera(str(path), once=True) as camera:
        assert camera.finished.wait(5)
    assert isinstance(camera.error, NotAllowed)
