"""Videos that are made for a run, from those of the assets; never committed.

All are H.264 (libx264, through PyAV), with a key frame every two seconds, as a camera sends it.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

FULL_HD = (1920, 1080)
RATE = 25
NOISE = 1.5
"""Standard deviation of a camera's noise, of 255."""


def cut(source: Path, target: Path, frames: int) -> Path:
    """The first frames of a video, byte for byte."""
    if not target.is_file():
        with av.open(str(source)) as given, av.open(str(target), "w") as made:
            stream = given.streams.video[0]
            out = made.add_stream_from_template(stream)
            for count, packet in enumerate(given.demux(stream)):
                if packet.dts is None or count == frames:
                    break
                packet.stream = out
                made.mux(packet)
    return target


def repeated(source: Path, target: Path, times: int) -> Path:
    """A video several times over, byte for byte: long enough that it is not opened again while somebody measures."""
    if not target.is_file():
        with av.open(str(target), "w") as made:
            out, begin = None, 0
            for _ in range(times):
                with av.open(str(source)) as given:
                    stream = given.streams.video[0]
                    out = out or made.add_stream_from_template(stream)
                    for packet in given.demux(stream):
                        if packet.dts is not None and packet.pts is not None:
                            packet.pts, packet.dts, packet.stream = (
                                packet.pts + begin,
                                packet.dts + begin,
                                out,
                            )
                            made.mux(packet)
                    begin += stream.duration or 0
    return target


def full_hd(source: Path, target: Path, seconds: float) -> Path:
    """A video scaled to 1920 × 1080 at 25 frames a second."""
    if not target.is_file():
        _encode(target, _scaled(source, round(seconds * RATE)), FULL_HD)
    return target


def idle(
    source: Path, target: Path, seconds: float, size: tuple[int, int] = FULL_HD, rate: int = RATE
) -> Path:
    """A fixed camera at which nothing moves: one picture, with the noise of a sensor."""
    if not target.is_file():
        still = next(_scaled(source, 1, size))
        _encode(target, _noisy(still, round(seconds * rate)), size, rate)
    return target


def _scaled(source: Path, frames: int, size: tuple[int, int] = FULL_HD) -> Iterator[av.VideoFrame]:
    made = 0
    while made < frames:
        with av.open(str(source)) as given:
            for frame in given.decode(video=0):
                yield frame.reformat(*size, format="yuv420p")
                made += 1
                if made == frames:
                    return


def _noisy(still: av.VideoFrame, frames: int) -> Iterator[av.VideoFrame]:
    picture = still.to_ndarray()
    noise = np.random.default_rng(1)
    some = [noise.normal(0, NOISE, picture.shape).astype(np.int8) for _ in range(8)]
    for number in range(frames):
        turned = np.roll(some[number % 8], 17 * number, axis=1)
        moved = np.clip(picture.astype(np.int16) + turned, 0, 255).astype(np.uint8)
        yield av.VideoFrame.from_ndarray(moved, format="yuv420p")


def _encode(target: Path, frames: Iterator[av.VideoFrame], size: tuple[int, int], rate: int = RATE) -> None:
    part = target.with_suffix(".part.mp4")
    with av.open(str(part), "w") as made:
        stream = made.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 2 * rate
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            frame.pict_type = PictureType.NONE  # else key frames would stand where they stood in the source
            for packet in stream.encode(frame):
                made.mux(packet)
        for packet in stream.encode():
            made.mux(packet)
    part.rename(target)
