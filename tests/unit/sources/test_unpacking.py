"""Whatever is asked for, every frame is counted once, in order, and what is decoded is what it always was."""

import threading

import av
import numpy as np
import pytest
from clips import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.sources.capture import SourceStatistics
from edged.sources.packets import Treatment
from edged.sources.stream import open_source

COUNT = 26
ENCODERS = {
    "no B": ("libx264", {"g": "10", "bf": "0"}),
    "B": ("libx264", {"g": "10", "bf": "2", "b-pyramid": "none"}),
    "B pyramid, open": (
        "libx264",
        {"g": "10", "bf": "3", "x264-params": "open-gop=1:b-adapt=0:b-pyramid=normal"},
    ),
    "one group": ("libx264", {"g": "250", "bf": "0"}),
    "pictures": ("mjpeg", {}),
}


def moving_frame(number):
    """A block that goes from left to right over a still pattern."""
    luma = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
    luma[20:40, number : number + 16] = 235
    planes = np.concatenate([luma, np.full((32, 96), 128, np.uint8)])
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


@pytest.fixture(scope="module", params=list(ENCODERS))
def clip(request, tmp_path_factory):
    codec, options = ENCODERS[request.param]
    frames = [moving_frame(number) for number in range(COUNT)]
    if codec == "mjpeg":
        frames = [frame.reformat(format="yuvj420p") for frame in frames]
    path = tmp_path_factory.mktemp("clips") / "a.mkv"
    return write_clip(
        path, frames, codec=codec, options={"preset": "ultrafast", "keyint_min": "10"} | options
    )


def captures(clip, treatment=None):
    """Time stamp and luma of each capture, None where it was not decoded."""
    with open_source(
        str(clip), name="front", stop=threading.Event(), statistics=SourceStatistics()
    ) as source:
        return [
            (capture.pts_s, capture.pixels and capture.pixels().planes[0].tobytes())
            for capture in source.captures(treatment)
        ]


@settings(max_examples=6, deadline=None)
@given(asked=st.lists(st.integers(0, 5), min_size=COUNT, max_size=COUNT))
def test_every_frame_is_counted_once_in_order_and_decoded_frames_are_the_same(clip, asked):
    everything, wishes = captures(clip), iter(asked)
    seen = []

    def treatment(packet):
        wish = next(wishes)
        seen.append(packet)
        if wish == 0:
            return Treatment.DECODE
        return Treatment.LOOK if packet.key and wish == 1 else Treatment.PASS

    found = captures(clip, treatment)
    assert [pts_s for pts_s, _ in found] == [pts_s for pts_s, _ in everything]
    assert len(seen) == COUNT
    for (_, luma), (_, whole) in zip(found, everything, strict=True):
        assert luma in {None, whole}


def test_what_is_asked_for_is_decoded_and_little_else(clip):
    keys = []

    def treatment(packet):
        keys.append(packet.key)
        return Treatment.LOOK if packet.key else Treatment.PASS

    decoded = [luma is not None for _, luma in captures(clip, treatment)]
    assert sum(decoded) == sum(keys)


def test_decoding_catches_up_from_the_key_frame_that_was_kept(clip):
    everything, number = captures(clip), iter(range(COUNT))

    def treatment(packet):
        return Treatment.DECODE if next(number) >= COUNT - 4 else Treatment.PASS

    found = captures(clip, treatment)
    assert found[-4:] == everything[-4:]
    assert sum(luma is not None for _, luma in found) <= 10


def test_a_group_that_grows_too_long_is_decoded_and_nothing_is_lost(clip, monkeypatch):
    monkeypatch.setattr("edged.sources.group.MAX_PACKETS", 4)
    everything, number = captures(clip), iter(range(COUNT))

    def treatment(packet):
        return Treatment.DECODE if next(number) >= COUNT - 2 else Treatment.PASS

    found = captures(clip, treatment)
    assert [pts_s for pts_s, _ in found] == [pts_s for pts_s, _ in everything]
    assert found[-1] == everything[-1]
    assert all(luma in {None, whole} for (_, luma), (_, whole) in zip(found, everything, strict=True))


def test_without_a_question_frames_and_time_stamps_are_those_that_were_asked_for(clip):
    assert captures(clip) == captures(clip, lambda _packet: Treatment.DECODE)
