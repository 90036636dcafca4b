"""The figures of the model card: accuracy on rendered pictures that training did not see, and speed.

    python models/parcel-codes/train/evaluate.py models/parcel-codes/1 models/parcel-codes-int8/1

Pictures go the way they go in the daemon: edged prepares, runs, decodes and suppresses. Needs edged with a runtime;
no torch.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import numpy as np
import scenes
import symbols
from accuracy import Tally, iou, recall_at_precision

from edged.frame import Frame, PixelLayout
from edged.manifest import model_files, read_manifest
from edged.preprocess import Preparer
from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel

SEED = 20_000_000  # training draws from seeds (1, n)
PRECISION = 0.85
BANDS = ((0, 20), (20, 40), (40, 96), (96, 10_000))


def found_in(
    model: LoadedModel, preparer: Preparer, picture: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4) xyxy in pixels of ``picture`` (uint8 BGR), scores and classes."""
    height, width = picture.shape[:2]
    frame = Frame("picture", 0, 0.0, time.monotonic(), width, height, PixelLayout.BGR, (picture,))
    tensor = np.empty(model.description.input.shape, model.description.input.dtype)
    transform = preparer.prepare(frame, tensor)
    found = model.answer(tensor).detections
    return transform.to_frame(found.xyxy), found.score, found.class_id


def measure(path: Path, pictures: int, size: int, provider: str) -> None:
    """Print a model's table: all codes, and those that can be seen."""
    model = LoadedModel(LoadRequest(path=str(path), providers=(provider,), min_score=0.001))
    preparer = Preparer(model.description.input)
    every, visible = [Tally() for _ in symbols.LABELS], [Tally() for _ in symbols.LABELS]
    bands = [[0, 0] for _ in BANDS]
    served = model_score(path)
    for number in range(pictures):
        drawn = scenes.render((SEED, number), size)
        xyxy, scores, kinds = found_in(model, preparer, drawn.picture)
        for kind in range(len(symbols.LABELS)):
            true = drawn.classes == kind
            found = (xyxy[kinds == kind], scores[kinds == kind], drawn.boxes[true])
            every[kind].add(*found)
            visible[kind].add(*found, drawn.contrast[true] < scenes.FAINTEST)
        _count_by_size(bands, drawn.boxes, drawn.classes, xyxy[scores >= served], kinds[scores >= served])
    description = model.description
    print(
        f"{path}: {pictures} pictures of {size} × {size}, provider {description.provider}, {description.digest}"
    )
    _print_table("all codes", every)
    _print_table(f"contrast {scenes.FAINTEST} and more", visible)
    shares = (f"{low}–{high} px {hit}/{all_}" for (low, high), (hit, all_) in zip(BANDS, bands, strict=True))
    print(f"of all, found at score {served} by size: {', '.join(shares)}")
    print(f"{description.latency_ms:.1f} ms an inference, {description.threads} thread(s)\n")


def _print_table(title: str, tallies: list[Tally]) -> None:
    print(
        f"{title:22}{'codes':>7}{'AP50':>8}{'AP50:95':>9}{f'recall at precision {PRECISION}':>28}{'score':>8}"
    )
    precisions = np.array([tally.average_precision() for tally in tallies])
    for label, tally, values in zip(symbols.LABELS, tallies, precisions, strict=True):
        recall, score = recall_at_precision(tally, PRECISION)
        print(f"{label:22}{tally.wanted:7}{values[0]:8.4f}{values.mean():9.4f}{recall:28.4f}{score:8.3f}")
    count = sum(tally.wanted for tally in tallies)
    print(f"{'mean':22}{count:7}{precisions[:, 0].mean():8.4f}{precisions.mean():9.4f}")


def model_score(path: Path) -> float:
    """The score threshold that the model is served with."""
    return read_manifest(model_files(path).manifest).output.min_score or 0.25


def _count_by_size(
    bands: list[list[int]], boxes: np.ndarray, classes: np.ndarray, found: np.ndarray, kinds: np.ndarray
) -> None:
    overlaps = iou(boxes, found) * (classes[:, None] == kinds[None])
    for box, row in zip(boxes, overlaps, strict=True):
        extent = float(np.sqrt((box[2:] - box[:2]).prod()))
        band = next(number for number, (low, high) in enumerate(BANDS) if low <= extent < high)
        bands[band][0] += bool((row >= 0.5).any())
        bands[band][1] += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--provider", default="cpu")
    options = parser.parse_args()
    for each in options.models:
        measure(each, options.pictures, options.size, options.provider)
