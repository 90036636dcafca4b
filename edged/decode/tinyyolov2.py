"""One grid of YOLOv2, ``[1, 5 * (5 + C), H / 32, W / 32]``: Tiny YOLOv2 of the ONNX Model Zoo, and Azure Custom Vision.

Five anchors a cell, a channel for each number, none of them activated. Centre = (sigmoid(xy) + cell) * 32, size =
exp(wh) * anchor, score = sigmoid(objectness) * softmax of the classes. Anchors are not in the file, and the two have
different ones and different pictures: what they call their input and output tells them apart.

Tiny YOLOv2 (ML.NET's tutorial model), ``image`` to ``grid``: RGB, 0-255 (the graph scales them), stretched, the 20
classes of PASCAL VOC. Source: onnx/models, ``vision/object_detection_segmentation/tiny-yolov2``; hollance/
YOLO-CoreML-MPSNNGraph (``Helpers.swift``, ``YOLO.swift``, ``ViewController.swift``), from which it was converted.

Custom Vision's compact object detection, ``data`` to ``model_outputs0``: stretched; colour and range as its metadata
says (``Image.BitmapPixelFormat``, ``Image.NominalPixelRange``), or BGR, 0-255 without metadata, as the reader in its
exports does. Source: that reader, ``object_detection.py`` and ``onnxruntime_predict.py``; Azure-Samples/
customvision-export-samples, ``samples/python/onnx/object_detection/predict.py``. The first applies sigmoid to x and y,
the second does not: the trial tells whether the graph has done so.
"""

from dataclasses import replace

import numpy as np

from edged.decode.activations import sigmoid, softmax
from edged.decode.anchors import AnchorDecoder, Floats, Reading, Sizes, as_given, exponential, lay_rows
from edged.decode.columns import count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.labels import VOC
from edged.fit import Fit

STRIDE = 32
ANCHORS = 5
TINY_YOLOV2: Sizes = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
CUSTOM_VISION: Sizes = ((0.573, 0.677), (1.87, 2.06), (3.34, 5.47), (7.88, 3.53), (9.77, 9.17))
"""Cells."""
RAW = Reading(centre=sigmoid, growth=exponential, objectness=sigmoid, classes=softmax)

LEAST_NEGATIVE = -0.1
"""Raw objectness goes below this in any trial; a map of ReLU or of probabilities never does."""


class TinyYoloV2:
    """See the head of this file."""

    name = "tinyyolov2"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        rows = _rows_of(evidence)
        if rows is None:
            return None
        named = evidence.named == self.name
        if not named and _called(evidence, "data", "model_outputs0"):
            return None
        if named or rows.shape[1] - 5 == len(VOC):
            return self._recognised(evidence, rows)
        if _called(evidence, "image", "grid"):
            return (
                f"{describe(evidence, 0)} is laid out as Tiny YOLOv2 does, with anchors that the file does not hold; "
                f'if it was trained with those of Tiny YOLOv2, say family = "{self.name}" in model.toml'
            )
        return None

    def _recognised(self, evidence: Evidence, rows: Floats) -> Recognition:
        return Recognition(
            family=self.name,
            why=_why(evidence, rows),
            class_count=rows.shape[1] - 5,
            input=InputDefaults(color="RGB", scale=1.0, fit=Fit.STRETCH, pad=0),
            decoder=_decoder(evidence, TINY_YOLOV2, RAW),
            overlapping=True,
            notes=("its anchors are not in the file: the published Tiny YOLOv2's are used",),
            usual_labels=VOC,
        )


class CustomVisionGrid:
    """See the head of this file."""

    name = "customvision-grid"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        rows = _rows_of(evidence)
        if rows is None:
            return None
        if evidence.named != self.name and not _called(evidence, "data", "model_outputs0"):
            if _called(evidence, "image", "grid"):
                return None
            if rows.shape[1] - 5 != len(VOC):
                return (
                    f"{describe(evidence, 0)} may be the grid of a YOLOv2, with anchors that the file does not hold; "
                    f'if Azure Custom Vision exported it, say family = "{self.name}" in model.toml'
                )
        placed = bool(rows[:, :2].min() >= 0 and rows[:, :2].max() <= 1)
        usual, notes = _custom_vision_input(evidence)
        return Recognition(
            family=self.name,
            why=_why(evidence, rows),
            class_count=rows.shape[1] - 5,
            input=usual,
            decoder=_decoder(evidence, CUSTOM_VISION, replace(RAW, centre=as_given) if placed else RAW),
            overlapping=True,
            notes=notes,
        )


def _custom_vision_input(evidence: Evidence) -> tuple[InputDefaults, tuple[str, ...]]:
    """As Microsoft's sample code reads the metadata; as its older code did where there is none."""
    said = {key: value for key, value in evidence.metadata.items() if key.startswith("Image.")}
    if not said:
        return InputDefaults(color="BGR", scale=1.0, fit=Fit.STRETCH, pad=0), (
            "nothing says how its pictures are filled: as Custom Vision's sample code does (BGR, 0-255)",
        )
    whole = said.get("Image.NominalPixelRange") == "NominalRange_0_255"
    bgr = said.get("Image.BitmapPixelFormat", "")[:3].lower() == "bgr"
    return InputDefaults("BGR" if bgr else "RGB", 1.0 if whole else 1 / 255, Fit.STRETCH, 0), ()


def _rows_of(evidence: Evidence) -> Floats | None:
    """The rows of the trial, (N, 5 + C); None where its one output is no such grid."""
    if len(evidence.trial) != 1:
        return None
    grid = evidence.trial[0]
    if grid.dtype.kind != "f" or grid.ndim not in {3, 4} or (grid.ndim == 4 and len(grid) != 1):
        return None
    channels, *cells = grid.shape[-3:]
    if cells != [-(-evidence.height // STRIDE), -(-evidence.width // STRIDE)]:
        return None
    if channels % ANCHORS or channels // ANCHORS < 6:
        return None
    rows: Floats = _as_rows(grid).astype(np.float32)
    return rows if rows[:, 4].min() < LEAST_NEGATIVE else None


def _as_rows(grid: Array) -> Array:
    """[1, 5 * (5 + C), H, W] as (5 * H * W, 5 + C), by anchor, y and x."""
    columns = grid.shape[-3] // ANCHORS
    return grid.reshape(ANCHORS, columns, -1).transpose(0, 2, 1).reshape(-1, columns)


def _called(evidence: Evidence, picture: str, grid: str) -> bool:
    return evidence.input(picture) is not None and evidence.output(grid) is not None


def _why(evidence: Evidence, rows: Floats) -> str:
    names = [spec.name for spec in evidence.inputs[:1]]
    return (
        f"{' '.join(names)} to {describe(evidence, 0)}, {ANCHORS} anchors a cell at stride {STRIDE}, raw boxes, "
        f"objectness and {count_of(rows.shape[1] - 5)}"
    )


def _decoder(evidence: Evidence, anchors: Sizes, reading: Reading) -> AnchorDecoder:
    pixels = [(width * STRIDE, height * STRIDE) for width, height in anchors]
    levels = [(STRIDE, pixels, 1.0)]
    return AnchorDecoder((0,), _as_rows, lay_rows(evidence.height, evidence.width, levels), reading)
