"""YOLOv5 and YOLOv7 that leave the decoding to the caller: rows relative to cells and anchors.

Three heads ``[1, 3, H / 8, W / 8, 5 + C]``, … / 16, … / 32 come from YOLOv5 exported in training mode, from YOLOv7 and
YOLOv5-Lite exported without ``--grid``, raw or (edited for a runtime of its own) with sigmoid applied. One table
``[1, N, 5 + C]``, ordered by level, anchor, y and x, with sigmoid applied, comes from YOLOv5-Lite alone (``--concat``).
Centre = (2 * sigmoid - 0.5 + cell) * stride, size = (2 * sigmoid)^2 * anchor. RGB, 0-1, letterbox in the middle padded
with 114.

Anchors are not in the file, and YOLOv7's are not YOLOv5's (YOLOv7-tiny's are). The table of a model with COCO's 80
classes is a published YOLOv5-Lite; for all else a person says whose anchors they are.

Source: ultralytics/yolov5, ``models/yolo.py`` (Detect) and ``models/hub/anchors.yaml``; WongKinYiu/yolov7,
``cfg/deploy``; ppogg/YOLOv5-Lite, ``models/yolo.py`` (cat_forward) and ``python_demo/onnxruntime/v5lite.py``.
"""

import numpy as np

from edged.decode.activations import sigmoid
from edged.decode.anchors import (
    AnchorDecoder,
    Floats,
    Reading,
    Rows,
    Sizes,
    as_given,
    lay_rows,
    levels_of,
    sigmoid_growth,
    square_of_double,
)
from edged.decode.columns import are_probabilities, as_table, count_of, describe, tables
from edged.decode.family import ULTRALYTICS, Array, Evidence, Recognition
from edged.decode.grid import Units, count_rows, fit_grid
from edged.decode.labels import COCO

STRIDES = (8, 16, 32)
ANCHORS = 3
SPREAD = 2.0
YOLOV5: tuple[Sizes, ...] = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
YOLOV7: tuple[Sizes, ...] = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)
"""Pixels, a level a row."""
RAW = Reading(centre=sigmoid, growth=sigmoid_growth, objectness=sigmoid, classes=sigmoid)
APPLIED = Reading(centre=as_given, growth=square_of_double, objectness=as_given, classes=as_given)

LEAST_NEGATIVE = -0.1
"""Raw numbers go below this in any trial; what sigmoid gave, never."""


class YoloV5Raw:
    """See the head of this file."""

    name = "yolov5raw"
    anchors = YOLOV5
    whose = "YOLOv5's default"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        heads = _heads(evidence)
        if heads:
            return self._of_heads(evidence, heads)
        found = _table(evidence)
        if found is None:
            return None
        index, table, units = found
        if units is Units.CELLS:
            return self._of_table(evidence, index, table)
        if evidence.named == self.name:
            return f'{describe(evidence, index)} is decoded in the graph; say family = "yolov5" in model.toml'
        return None

    def _of_heads(self, evidence: Evidence, heads: tuple[int, ...]) -> Recognition | str:
        what = f"{describe(evidence, heads[0])} and what follows"
        numbers = np.concatenate([_as_rows(evidence.trial[position]) for position in heads]).astype(
            np.float32
        )
        applied = are_probabilities(numbers)
        if not applied and numbers.min(axis=0).max() > LEAST_NEGATIVE:
            return f"{what} have the shapes of YOLOv5's heads, and neither logits nor probabilities in them"
        made = "with sigmoid applied" if applied else "raw"
        classes = numbers.shape[1] - 5
        return Recognition(
            family=self.name,
            why=f"{what} have {ANCHORS} anchors a cell at strides 8/16/32, objectness and {count_of(classes)}, {made}",
            class_count=classes,
            input=ULTRALYTICS,
            decoder=AnchorDecoder(heads, _as_rows, self._rows(evidence), APPLIED if applied else RAW),
            overlapping=True,
            notes=self._notes(),
        )

    def _of_table(self, evidence: Evidence, index: int, table: Floats) -> Recognition | str:
        what, classes = describe(evidence, index), table.shape[1] - 5
        if not are_probabilities(table):
            return (
                f"{what} has YOLOv5's shape, but its boxes are still relative to cells and anchors; "
                "export it with the decoding in the graph (YOLOv5's export.py, YOLOv7's --grid)"
            )
        published = classes == len(COCO) and self.anchors is YOLOV5
        if not published and evidence.named != self.name:
            return (
                f"{what} has YOLOv5's shape, but its boxes are still relative to cells and anchors; "
                "export it with the decoding in the graph (YOLOv5-Lite's --grid), or say "
                f'family = "{YoloV5Raw.name}" in model.toml if its anchors are YOLOv5\'s default ones'
            )
        return Recognition(
            family=self.name,
            why=f"{what} has a row for {ANCHORS} anchors in each cell at strides 8/16/32, relative to them, sigmoid "
            f"applied, with objectness and {count_of(classes)}",
            class_count=classes,
            input=ULTRALYTICS,
            decoder=AnchorDecoder((index,), as_table, self._rows(evidence), APPLIED),
            overlapping=True,
            notes=self._notes(),
        )

    def _rows(self, evidence: Evidence) -> Rows:
        levels = [(stride, sizes, SPREAD) for stride, sizes in zip(STRIDES, self.anchors, strict=True)]
        return lay_rows(evidence.height, evidence.width, levels)

    def _notes(self) -> tuple[str, ...]:
        return (f"its anchors are not in the file: {self.whose} ones are used",)


class YoloV7Raw(YoloV5Raw):
    """The same with the anchors of YOLOv7 and YOLOv7-X."""

    name = "yolov7raw"
    anchors = YOLOV7
    whose = "YOLOv7's default"


def _heads(evidence: Evidence) -> tuple[int, ...]:
    """Positions of the three heads, the finest first; empty where the outputs are others."""
    trial = evidence.trial
    if len(trial) != len(STRIDES) or any(one.ndim not in {4, 5} or one.dtype.kind != "f" for one in trial):
        return ()
    shapes = [one.shape if one.ndim == 4 else one.shape[1:] for one in trial]
    alike = len({(shape[0], shape[3]) for shape in shapes}) == 1
    if not alike or any(one.ndim == 5 and len(one) != 1 for one in trial):
        return ()
    if shapes[0][0] != ANCHORS or shapes[0][3] < 6:
        return ()
    return levels_of([shape[1:3] for shape in shapes], evidence.height, evidence.width, STRIDES)


def _as_rows(head: Array) -> Array:
    """[1, 3, H, W, 5 + C] as (3 * H * W, 5 + C)."""
    return head.reshape(-1, head.shape[-1])


def _table(evidence: Evidence) -> tuple[int, Floats, Units] | None:
    """An output with three rows a cell, and what its centres are relative to."""
    wanted = count_rows(evidence.height, evidence.width, STRIDES, ANCHORS)
    for index, table in tables(evidence):
        if len(table) == wanted and table.shape[1] >= 6:
            fitted = fit_grid(table[:, :2], evidence.height, evidence.width, ANCHORS)
            if fitted is not None:
                return index, table, fitted[1]
    return None
