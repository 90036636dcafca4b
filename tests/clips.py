"""Makes small videos and pictures whose pixels are known."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

Solid = tuple[int, int, int]
"""Y, U, V of a whole frame."""


def solid_frame(width: int, height: int, yuv: Solid, form: str = "yuv420p") -> av.VideoFrame:
    """A frame of one colour in any planar 8-bit format."""
    frame = av.VideoFrame(width, height, form)
    for plane, value in zip(frame.planes, yuv, strict=False):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def write_clip(
    path: Path,
    frames: Sequence[av.VideoFrame],
    *,
    fps: int = 25,
    codec: str = "ffv1",
    rotation: int = 0,
    colorspace: int | None = None,
    color_range: int | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode the frames, by default without loss; the suffix of the path chooses the container."""
    first = frames[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        stream.time_base = Fraction(1, fps)
        if colorspace is not None:
            stream.codec_context.colorspace = colorspace
        if color_range is not None:
            stream.codec_context.color_range = color_range
        if rotation:
            stream.set_display_rotation(rotation)
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, fps)
            if colorspace is not None:
                frame.colorspace = colorspace
            if color_range is not None:
                frame.color_range = color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def counting_clip(path: Path, count: int, *, fps: int = 25, width: int = 64, height: int = 48) -> Path:
    """A clip whose frame n has the luma 16 + n, so that each frame tells its number."""
    return write_clip(
        path, [solid_frame(width, height, (16 + n % 200, 128, 128)) for n in range(count)], fps=fps
    )


def passing_clip(path: Path, *, fps: int, still_s: int, moving_s: int, end_s: int) -> Path:
    """A noisy still pattern, 320 x 240, through which something passes from ``still_s`` to ``moving_s``.

    It has a key frame every 30 frames and no B-frames, as a camera's stream.
    """
    random = np.random.default_rng(1)
    pattern = np.kron(random.integers(60, 120, (15, 20)), np.ones((16, 16)))
    passing = np.kron(random.integers(30, 230, (40, 30)), np.ones((2, 2)))
    frames = []
    for number in range(end_s * fps):
        luma = pattern + random.normal(0, 1.5, pattern.shape)
        if still_s * fps <= number < moving_s * fps:
            left = 240 * (number - still_s * fps) // ((moving_s - still_s) * fps)
            luma[100:180, left : left + 60] = np.roll(passing, number, axis=0)
        planes = np.concatenate([luma, np.full((120, 320), 128)]).clip(0, 255).astype(np.uint8)
        frames.append(av.VideoFrame.from_ndarray(planes, "yuv420p"))
    options = {"g": "30", "bf": "0", "preset": "veryfast", "crf": "26", "sc_threshold": "0"}
    return write_clip(path, frames, fps=fps, codec="libx264", options=options)


def write_picture(
    path: Path, bgr: tuple[int, int, int] = (10, 20, 30), width: int = 40, height: int = 30
) -> Path:
    """A picture of one colour."""
    assert cv2.imwrite(str(path), np.full((height, width, 3), bgr, np.uint8))
    return path
