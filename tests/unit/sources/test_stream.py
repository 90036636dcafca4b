from pathlib import Path

import av
import numpy as np
import pytest
from clips import counting_clip, solid_frame, write_clip, write_picture

from edged.errors import BadInput, ConfigurationError, InputNotFound
from edged.frame import ColorMatrix, PixelLayout
from edged.sources.stream import read_frames


def luma(frame):
    return int(frame.planes[0][0, 0])


def test_every_frame_of_a_video_comes_once_in_order(tmp_path):
    frames = list(read_frames(str(counting_clip(tmp_path / "a.mkv", 30)), name="clip"))
    assert [luma(frame) for frame in frames] == [16 + n for n in range(30)]
    assert [frame.sequence for frame in frames] == list(range(30))
    assert {frame.source for frame in frames} == {"clip"}


def test_every_nth_frame_keeps_its_number(tmp_path):
    frames = list(read_frames(str(counting_clip(tmp_path / "a.mkv", 30)), name="clip", every=7))
    assert [(frame.sequence, luma(frame)) for frame in frames] == [(n, 16 + n) for n in (0, 7, 14, 21, 28)]


@pytest.mark.parametrize(("width", "height"), [(35, 23), (64, 48), (17, 64)])
def test_odd_sizes_come_out_with_every_pixel(tmp_path, width, height):
    path = write_clip(tmp_path / "odd.mkv", [solid_frame(width, height, (77, 90, 200))] * 3)
    frame = next(read_frames(str(path), name="clip"))
    assert (frame.width, frame.height, frame.layout) == (width, height, PixelLayout.YUV)
    assert [set(plane.ravel().tolist()) for plane in frame.planes] == [{77}, {90}, {200}]


@pytest.mark.parametrize(
    ("rotation", "size", "white"),
    [
        (0, (64, 32), np.s_[:, :32]),
        (90, (32, 64), np.s_[32:, :]),
        (-90, (32, 64), np.s_[:32, :]),
        (180, (64, 32), np.s_[:, 32:]),
    ],
)
def test_a_rotated_video_is_upright(tmp_path, rotation, size, white):
    left_white = solid_frame(64, 32, (16, 128, 128))
    rows = np.frombuffer(bytes(left_white.planes[0]), np.uint8).reshape(32, -1).copy()
    rows[:, :32] = 235
    left_white.planes[0].update(rows.tobytes())
    path = write_clip(
        tmp_path / "turned.mp4", [left_white] * 2, codec="mpeg4", rotation=rotation, options={"qscale": "1"}
    )
    frame = next(read_frames(str(path), name="clip"))
    assert (frame.width, frame.height) == size
    assert frame.planes[0][white].mean() > 225
    assert frame.planes[0].mean() == pytest.approx(125, abs=5)
    assert frame.planes[1].shape == (size[1] // 2, size[0] // 2)


def test_a_new_resolution_in_the_middle_is_followed(tmp_path):
    parts = []
    for number, size in enumerate([(64, 48), (96, 32)]):
        part = tmp_path / f"{number}.h264"
        write_clip(
            part, [solid_frame(*size, (100, 128, 128))] * 5, codec="libx264", options={"tune": "zerolatency"}
        )
        parts.append(part.read_bytes())
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(parts))
    sizes = [(frame.width, frame.height) for frame in read_frames(str(both), name="clip")]
    assert sizes == [(64, 48)] * 5 + [(96, 32)] * 5


def test_matrix_and_range_are_read_from_the_stream(tmp_path):
    frames = [solid_frame(64, 48, (100, 128, 128))] * 2
    path = write_clip(tmp_path / "hd.mp4", frames, codec="libx264", colorspace=1, color_range=2)
    frame = next(read_frames(str(path), name="clip"))
    assert (frame.matrix, frame.full_range) == (ColorMatrix.BT709, True)


def test_pictures_of_a_folder_say_their_path_and_the_broken_ones_are_told(tmp_path):
    write_picture(tmp_path / "2.png", (1, 2, 3))
    write_picture(tmp_path / "10.png", (4, 5, 6))
    (tmp_path / "3.png").write_bytes(b"broken")
    bad = []
    frames = list(read_frames(str(tmp_path), name="folder", on_bad=bad.append))
    assert [(frame.source, frame.sequence) for frame in frames] == [
        (str(tmp_path / "2.png"), 0),
        (str(tmp_path / "10.png"), 2),
    ]
    assert [error.subject for error in bad] == [str(tmp_path / "3.png")]


def test_a_folder_of_broken_pictures_only_is_bad_input(tmp_path):
    (tmp_path / "1.png").write_bytes(b"broken")
    with pytest.raises(BadInput):
        list(read_frames(str(tmp_path), name="folder", on_bad=lambda _: None))


@pytest.mark.parametrize("name", ["broken.mp4", "broken.jpg", "no-suffix"])
def test_what_is_neither_video_nor_picture_is_bad_input(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing to see here" * 100)
    with pytest.raises(BadInput, match=name):
        list(read_frames(str(tmp_path / name), name="x"))


def test_a_video_cannot_make_ffmpeg_open_something_else(tmp_path, free_port):
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:{free_port()}/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(BadInput):
        list(read_frames(str(playlist), name="x"))


def test_what_is_not_there_or_no_address_says_so(tmp_path):
    with pytest.raises(InputNotFound):
        list(read_frames(str(tmp_path / "none.mp4"), name="x"))
    with pytest.raises(ConfigurationError):
        list(read_frames("gopher://host/x", name="x"))


def test_a_sound_file_has_no_video(tmp_path):
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000)
    with pytest.raises(BadInput, match="no video"):
        list(read_frames(str(tmp_path / "a.wav"), name="x"))


def threads():
    return {task.name for task in Path("/proc/self/task").iterdir()}


def test_frames_of_common_size_are_decoded_by_the_thread_that_reads_them(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [solid_frame(64, 48, (100, 128, 128))] * 3, codec="libx264")
    before = threads()
    assert [threads() - before for _ in read_frames(str(path), name="clip")] == [set()] * 3


def test_a_video_of_a_codec_that_nobody_knows_says_so(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", [solid_frame(64, 48, (77, 90, 200))] * 3, codec="libx264")
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(BadInput, match="its codec is not known"):
        next(read_frames(str(clip), name="clip"))


@pytest.mark.parametrize(("suffix", "declared"), [(".avi", "of 100 frames"), (".mkv", "of 4.0 s")])
def test_a_recording_that_was_cut_off_is_read_and_then_told(tmp_path, suffix, declared):
    random = np.random.default_rng(1)
    noise = [
        av.VideoFrame.from_ndarray(random.integers(0, 255, (72, 64), np.uint8), "yuv420p") for _ in range(100)
    ]
    whole, told = tmp_path / f"whole{suffix}", []
    write_clip(whole, noise, codec="mpeg4")
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert 30 < len(list(read_frames(str(cut), name="x", on_warning=told.append))) < 60
    assert len(told) == 1
    assert str(cut) in str(told[0])
    assert "ends early, after" in str(told[0])
    assert declared in str(told[0])
    assert len(list(read_frames(str(whole), name="x", on_warning=told.append))) == 100
    assert len(told) == 1


def test_sound_that_goes_on_after_the_last_frame_is_no_early_end(tmp_path):
    path, told = tmp_path / "a.mkv", []
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=10), container.add_stream("mp2", rate=48000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = solid_frame(64, 48, (90, 128, 128))
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for number in range(100):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), "s16", "stereo")
            silence.sample_rate, silence.pts = 48000, number * 1152
            container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    assert len(list(read_frames(str(path), name="x", on_warning=told.append))) == 5
    assert told == []


def test_a_recording_whose_beginning_is_cut_by_its_edit_list_is_whole(tmp_path):
    """As phones and ``ffmpeg -ss … -c copy`` trim: frames before the cut are there, and are not shown."""
    whole = counting_clip(tmp_path / "whole.mp4", 100)
    trimmed, told = tmp_path / "trimmed.mp4", []
    with (
        av.open(str(whole)) as before,
        av.open(str(trimmed), "w", options={"avoid_negative_ts": "disabled"}) as after,
    ):
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                shift = round(2 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                after.mux(packet)
    with av.open(str(trimmed)) as container:
        assert container.streams.video[0].frames == 100
    assert len(list(read_frames(str(trimmed), name="x", on_warning=told.append))) == 50
    assert told == []
