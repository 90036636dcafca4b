"""Write the golden pictures of a model folder, and what must come out into its ``model.toml``.

    python models/parcel-codes/train/golden.py models/parcel-codes/1 models/parcel-codes-int8/1

The boxes are those that the pictures were rendered with. A picture whose codes the model does not all find is an
error: another seed is to be chosen.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import cv2
import numpy as np
import scenes
import symbols
from accuracy import iou
from evaluate import SEED, found_in

from edged.preprocess import Preparer
from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel

SIZE = 416
FIRST = 500_000  # behind the pictures of the evaluation
CLEAR = 0.75  # overlap that a golden box must be found with

HEAD = """\
# Written by train/golden.py. Labels, size and scaling stand in the model's own metadata.
task = "detect"
family = "yolov8"

[output]
min_score = {score}
iou = 0.45
max_detections = 100
"""


def choose() -> list[tuple[str, int]]:
    """Names and numbers of four pictures: one for each label, with several codes, and one without any."""
    chosen: dict[str, int] = {}
    for number in range(FIRST, FIRST + 400):
        drawn = scenes.render((SEED, number), SIZE)
        boxes, classes = drawn.boxes, drawn.classes
        large = len(boxes) and (boxes[:, 2:] - boxes[:, :2]).min() > 40 and drawn.contrast.min() > 30
        if not len(boxes):
            chosen.setdefault("none", number)
        for kind, label in enumerate(symbols.LABELS):
            if large and 1 <= len(boxes) <= 4 and (classes == kind).all():
                chosen.setdefault(label, number)
        if len(chosen) == len(symbols.LABELS) + 1:
            break
    return sorted(chosen.items())


def write(folder: Path, score: float) -> None:
    """Pictures into ``folder/golden``, expectations into ``folder/model.toml``."""
    (folder / "golden").mkdir(exist_ok=True)
    text = HEAD.format(score=score)
    model = LoadedModel(LoadRequest(path=str(folder / "model.onnx"), providers=("cpu",), min_score=score))
    preparer = Preparer(model.description.input)
    for name, number in choose():
        drawn = scenes.render((SEED, number), SIZE)
        boxes, classes = drawn.boxes, drawn.classes
        path = folder / "golden" / f"{name}.jpg"
        cv2.imwrite(str(path), drawn.picture, (cv2.IMWRITE_JPEG_QUALITY, 85))
        found, _, kinds = found_in(model, preparer, cv2.imread(str(path)))
        best = (iou(boxes, found) * (classes[:, None] == kinds[None])).max(1, initial=0.0)
        if len(found) != len(boxes) or (best < CLEAR).any():
            raise SystemExit(f"{path}: {len(found)} found of {len(boxes)}, overlaps {np.round(best, 2)}")
        expected = ", ".join(
            f'{{ label = "{symbols.LABELS[kind]}", box = {np.round(box, 1).tolist()} }}'
            for kind, box in zip(classes, boxes.astype(float), strict=True)
        )
        text += f'\n[[golden]]\ninput = "golden/{path.name}"\nexpect = [{expected}]\n'
    (folder / "model.toml").write_text(text)
    (folder / "labels.txt").write_text("\n".join(symbols.LABELS) + "\n")
    print(f"{folder}: {len(choose())} golden pictures")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--score", type=float, default=0.4, help="threshold that the model is served with")
    options = parser.parse_args()
    for each in options.folders:
        write(each, options.score)
