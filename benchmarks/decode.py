"""What decoding and suppression cost, on outputs with a handful of objects: medians over many runs.

    python benchmarks/decode.py [--runs 500]

Compared with the plain way (turn the output over, compute every box, then look at the scores), and suppression with
``cv2.dnn.NMSBoxesBatched`` on the same candidates (its x, y, width, height made from ours), in turn, so that a busy
machine is busy for all. Targets: 0.5 ms for [1, 84, 8400].
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.decode.end2end import EndToEndDecoder
from edged.decode.family import Decoder
from edged.decode.grid import Units, make_grid
from edged.decode.nms import suppress
from edged.decode.rows import RowDecoder
from edged.decode.yolov8 import ColumnDecoder
from edged.detection import Detections

MIN_SCORE, IOU, MAX_DETECTIONS = 0.25, 0.45, 300
ONE = np.ones(4, np.float32)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=500)
    runs = parser.parse_args().runs
    print(
        f"{'outputs':34} {'candidates':>10} {'kept':>5} {'decode ms':>10} {'NMS ms':>8} {'cv2 ms':>8} {'plain ms':>9}"
    )
    for name, output, decoder, plain in cases():
        candidates = decoder([output], MIN_SCORE)
        decode_ms, nms_ms, cv2_ms, plain_ms = [], [], [], []
        for _ in range(runs):
            decode_ms.append(timed(decoder, [output], MIN_SCORE))
            nms_ms.append(timed(suppressed, candidates))
            cv2_ms.append(timed(suppressed_by_opencv, candidates))
            plain_ms.append(timed(plain, output))
        kept = len(suppressed(candidates))
        medians = [statistics.median(times) for times in (decode_ms, nms_ms, cv2_ms, plain_ms)]
        print(
            f"{name:34} {len(candidates):10} {kept:5} {medians[0]:10.3f} {medians[1]:8.3f} {medians[2]:8.3f}"
            f" {medians[3]:9.3f}"
        )
    print(f"medians of {runs} runs, alternating")


def timed(work: Callable[..., Any], *arguments: Any) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - started) * 1000


def suppressed(candidates: Detections) -> Detections:
    """As the worker does it."""
    return suppress(candidates, iou=IOU, max_detections=MAX_DETECTIONS)


def suppressed_by_opencv(candidates: Detections) -> Detections:
    """The same by OpenCV, which wants corners as x, y, width, height, and lists or arrays of doubles."""
    xywh = candidates.xyxy.copy()
    xywh[:, 2:] -= xywh[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        xywh, candidates.score, candidates.class_id, 0.0, IOU, top_k=MAX_DETECTIONS
    )
    return candidates.take(np.asarray(kept, np.intp).reshape(-1))


Case = tuple[str, NDArray[Any], Decoder, Callable[[NDArray[Any]], Any]]


def cases() -> list[Case]:
    """Outputs of each layout with eight objects, found by twenty rows each."""
    rng = np.random.default_rng(0)
    grid = make_grid(416, 416, (8, 16, 32))
    columns = fill(rng.random((8400, 84), np.float32) * 0.01, rng, 4)
    rows = fill(rng.random((25200, 85), np.float32) * 0.01, rng, 5)
    raw = fill(rng.random((3549, 85), np.float32) * 0.01, rng, 5)
    raw[:, :4] = rng.normal(size=(3549, 4))
    crowd = fill(columns.copy(), rng, 4, rows_each=150)
    objects = rng.random((300, 6), np.float32) * 0.2
    objects[:8, 4] = 0.9
    turned = np.ascontiguousarray(columns.T[None])
    whole = RowDecoder(0, 80, ONE)
    return [
        ("yolov8 [1, 84, 8400] float32", turned, ColumnDecoder(0, 80, ONE), plain_columns),
        ("yolov8 [1, 84, 8400] float16", turned.astype(np.float16), ColumnDecoder(0, 80, ONE), plain_columns),
        ("yolov8 turned [1, 8400, 84]", columns[None], ColumnDecoder(0, 80, ONE, turned=True), plain_turned),
        (
            "yolov8 crowd [1, 84, 8400]",
            np.ascontiguousarray(crowd.T[None]),
            ColumnDecoder(0, 80, ONE),
            plain_columns,
        ),
        ("yolov5 [1, 25200, 85] float32", rows[None], whole, plain_rows),
        ("yolov5 [1, 25200, 85] float16", rows[None].astype(np.float16), whole, plain_rows),
        ("yolox [1, 3549, 85], scattered", raw[None], RowDecoder(0, 80, ONE, grid), plain_rows),
        ("end2end [1, 300, 6]", objects[None], EndToEndDecoder(0, 640, 640, Units.PIXELS), plain_objects),
    ]


def fill(
    table: NDArray[np.float32], rng: np.random.Generator, first_class: int, rows_each: int = 20
) -> NDArray[np.float32]:
    """Put eight objects into a table of rows."""
    for _ in range(8):
        chosen = rng.choice(len(table), rows_each, replace=False)
        centre = rng.random(4) * 300 + 100
        table[chosen, :4] = centre + rng.normal(size=(rows_each, 4)) * 4
        table[chosen, 4] = rng.random(rows_each) * 0.3 + 0.65
        table[chosen, first_class + rng.integers(0, 79)] = rng.random(rows_each) * 0.3 + 0.65
    return table


def plain_columns(output: NDArray[Any]) -> Any:
    """Turn over, all boxes, all best classes, then the scores."""
    return plain_turned(np.ascontiguousarray(output[0].T)[None])


def plain_turned(output: NDArray[Any]) -> Any:
    """All boxes, all best classes, then the scores."""
    table = output[0].astype(np.float32)
    boxes = np.concatenate([table[:, :2] - table[:, 2:4] / 2, table[:, :2] + table[:, 2:4] / 2], axis=1)
    classes, scores = table[:, 4:].argmax(axis=1), table[:, 4:].max(axis=1)
    keep = scores >= MIN_SCORE
    return boxes[keep], scores[keep], classes[keep]


def plain_rows(output: NDArray[Any]) -> Any:
    """As `plain_turned`, with objectness."""
    table = output[0].astype(np.float32)
    scores = table[:, 5:] * table[:, 4:5]
    return plain_turned(np.concatenate([table[:, :4], scores], axis=1)[None])


def plain_objects(output: NDArray[Any]) -> Any:
    """One mask."""
    return output[0][output[0][:, 4] >= MIN_SCORE]


if __name__ == "__main__":
    main()
