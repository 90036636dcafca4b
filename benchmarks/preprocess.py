"""What preparing a frame costs, beside converting the whole frame first: medians over many runs.

    python benchmarks/preprocess.py [--runs 300] [--threads 1]

The two sides alternate, so that a busy machine is busy for both; the other side empties the caches, so a first column
gives the same work alone, over planes that are still warm, as they are when a decoder has just written them. Wall time
and CPU time of the process; OpenCV is held to one thread unless told otherwise: one thread's work is what a box pays.
Targets: 0.8 ms for 1920 x 1080 to 640, 0.4 ms for 768 x 432 to 416 (yuv420p to float32 NCHW).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.frame import ColorMatrix, Frame, PixelLayout
from edged.geometry import place
from edged.manifest import InputRecipe
from edged.preprocess import Preparer

SIZES = ((1920, 1080, 640), (1280, 720, 640), (768, 432, 416), (3840, 2160, 640))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(given.threads)
    print(
        f"{'frame':22} {'tensor':22} {'warm ms':>8} {'ms':>7} {'CPU ms':>7} {'whole first ms':>15} {'CPU ms':>7}"
    )
    for width, height, size in SIZES:
        for layout in (PixelLayout.YUV, PixelLayout.NV12, PixelLayout.BGR):
            for dtype in ("float32", "float16", "uint8"):
                row(make_frame(width, height, layout), size, dtype, given.runs)
    print(f"medians of {given.runs} runs a side, alternating; OpenCV threads: {given.threads}")


def row(frame: Frame, size: int, dtype: Any, runs: int) -> None:
    """Measure one pair."""
    if dtype != "float32" and frame.layout is not PixelLayout.YUV:
        return
    recipe = InputRecipe(size, size, dtype=dtype, scale=1.0 if dtype == "uint8" else 1 / 255)
    preparer, out = Preparer(recipe), np.zeros(recipe.shape, dtype)
    warm_ms = statistics.median(timed(preparer.prepare, frame, out)[0] for _ in range(runs))
    ours, plain = [], []
    for _ in range(runs):
        ours.append(timed(preparer.prepare, frame, out))
        plain.append(timed(whole_first, frame, recipe))
    figures = [statistics.median(figure) for side in (ours, plain) for figure in zip(*side, strict=True)]
    name = f"{frame.layout.value} {frame.width} x {frame.height}"
    print(
        f"{name:22} {dtype + ' NCHW ' + str(size):22} {warm_ms:8.3f} {figures[0]:7.3f} {figures[1]:7.3f} "
        f"{figures[2]:15.3f} {figures[3]:7.3f}"
    )


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """Milliseconds of one call, by the wall and of CPU."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - wall_s) * 1000, (time.process_time() - cpu_s) * 1000


def make_frame(width: int, height: int, layout: PixelLayout) -> Frame:
    """Noise over gradients, limited range BT.709 as cameras send it."""
    rng = np.random.default_rng(0)

    def plane(*shape: int) -> NDArray[np.uint8]:
        return rng.integers(16, 236, shape, np.uint8)

    half = (height // 2, width // 2)
    planes: tuple[NDArray[np.uint8], ...] = (plane(height, width, 3),)
    if layout is PixelLayout.YUV:
        planes = (plane(height, width), plane(*half), plane(*half))
    elif layout is PixelLayout.NV12:
        planes = (plane(height, width), plane(*half, 2))
    return Frame(
        "benchmark", 0, 0.0, 0.0, width, height, layout, planes, matrix=ColorMatrix.BT709, full_range=False
    )


def whole_first(frame: Frame, recipe: InputRecipe) -> NDArray[Any]:
    """What most programs do: BGR of the whole frame, resize, pad, turn over, scale."""
    if frame.layout is PixelLayout.YUV:
        packed = np.concatenate([plane.ravel() for plane in frame.planes]).reshape(-1, frame.width)
        picture = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420)
    elif frame.layout is PixelLayout.NV12:
        picture = cv2.cvtColorTwoPlane(frame.planes[0], frame.planes[1], cv2.COLOR_YUV2BGR_NV12)
    else:
        picture = frame.planes[0]
    placement = place(frame.width, frame.height, recipe.width, recipe.height, recipe.fit)
    small = cv2.resize(picture, placement.resized, interpolation=cv2.INTER_LINEAR)
    (x, y), (width, height) = placement.origin, placement.resized
    canvas = np.full((recipe.height, recipe.width, 3), recipe.pad, np.uint8)
    canvas[y : y + height, x : x + width] = small
    tensor = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1)[None])
    if recipe.dtype == "uint8":
        return tensor
    return (tensor.astype(np.float32) * np.float32(recipe.scale)).astype(recipe.dtype)


if __name__ == "__main__":
    main()
