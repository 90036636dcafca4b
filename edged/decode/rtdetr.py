"""RT-DETR, RT-DETRv2, D-FINE, DEIM and DEIMv2. No NMS; RGB, 0-1, resized without regard to its shape.

* As their own projects export them: ``images`` and ``orig_target_sizes`` (width and height of the picture) to
  ``labels`` [1, 300], ``boxes`` [1, 300, 4] and ``scores`` [1, 300], or the same without the batch. Boxes are corners
  in pixels of the given size: edged says that the picture is as large as the input. Labels are COCO's 80 classes in a
  row.
* As Hugging Face exports them: ``logits`` [1, 300, C] and ``pred_boxes`` [1, 300, 4], a sigmoid a column; without the
  boxes brought to pixels in the graph, ``pred_logits``. Deformable DETR looks the same: 80 columns are COCO's of these,
  anything else is asked.
* As Ultralytics exports them: ``[1, 300, 4 + C]``, centre and size in fractions, then scores.

DEIMv2 of the sizes S, M, L and X (DINOv3) wants ImageNet's mean and deviation, which nothing in its file says: a note
does. PaddleDetection's export has rows of six, and is of its family.

Source: lyuwenyu/RT-DETR, ``rtdetrv2_pytorch/tools/export_onnx.py`` and ``src/zoo/rtdetr/rtdetr_postprocessor.py``;
PINTO0309/DEIMv2, ``tools/inference/onnx_inf.py``; huggingface/transformers, ``models/rt_detr``;
ultralytics/ultralytics, ``models/rtdetr/predict.py``.
"""

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, count_of, describe, tables
from edged.decode.detr import BOXES, LOGITS, is_coco_in_a_row
from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.grid import Units, is_grid
from edged.decode.labels import COCO
from edged.decode.queries import (
    QueryDecoder,
    are_centres_in_fractions,
    column_range,
    masks_left_out,
    queries_named,
)
from edged.decode.rows import pixels_to_unit
from edged.decode.triples import (
    has_whole_classes,
    left_out,
    listed,
    triple_named,
)
from edged.decode.yolov8 import ColumnDecoder
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.STRETCH, pad=0)
SIZES = "orig_target_sizes"
MAX_QUERIES = 1000

_DEIMV2 = (
    "pictures are filled as RT-DETR, D-FINE and DEIM want them; DEIMv2 of the sizes S, M, L and X needs [input] "
    "mean = [0.485, 0.456, 0.406] and std = [0.229, 0.224, 0.225] in model.toml"
)


class RtDetr:
    """See the head of this file."""

    name = "rtdetr"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        return self._listed(evidence) or self._queries(evidence) or self._joined(evidence)

    def _listed(self, evidence: Evidence) -> Recognition | str | None:
        found = triple_named(evidence, "boxes", "scores", "labels")
        if found is None or evidence.input(SIZES) is None or not has_whole_classes(evidence, found):
            return None
        return listed(
            evidence,
            found,
            self.name,
            INPUT,
            units=Units.PIXELS,
            of=f" of the size that {SIZES} says",
            first_class=0,
            usual=COCO,
            notes=(*left_out(evidence, found), _DEIMV2),
        )

    def _queries(self, evidence: Evidence) -> Recognition | str | None:
        found = queries_named(evidence, LOGITS, BOXES)
        if found is None or evidence.input("pixel_mask") is not None:
            return None
        may_be = is_coco_in_a_row(evidence, found) or len(evidence.labels) == found.columns
        if (evidence.named != self.name and not may_be) or not are_centres_in_fractions(evidence, found):
            return None
        return Recognition(
            family=self.name,
            why=f"{found.describe(evidence)} have logits of {count_of(found.columns)} and a box in fractions a query",
            class_count=found.columns,
            input=INPUT,
            decoder=QueryDecoder(
                found,
                *column_range(0, found.columns),
                pixels_to_unit(Units.FRACTIONS, evidence.height, evidence.width),
            ),
            overlapping=False,
            notes=masks_left_out(evidence),
        )

    def _joined(self, evidence: Evidence) -> Recognition | None:
        if len(evidence.trial) != 1:
            return None
        for index, table in tables(evidence):
            if not self._may_be_joined(evidence, table):
                continue
            count = table.shape[1] - 4
            return Recognition(
                family=self.name,
                why=f"{describe(evidence, index)} has a box in fractions and {count_of(count)} a query",
                class_count=count,
                input=INPUT,
                decoder=ColumnDecoder(
                    index,
                    count,
                    pixels_to_unit(Units.FRACTIONS, evidence.height, evidence.width),
                    turned=True,
                ),
                overlapping=False,
            )
        return None

    def _may_be_joined(self, evidence: Evidence, table: NDArray[np.float32]) -> bool:
        rows, columns = table.shape
        told = "rt-detr" in _description(evidence) or "rtdetr" in _description(evidence)
        known = told or evidence.named == self.name or columns - 4 == (len(evidence.labels) or len(COCO))
        few = rows <= MAX_QUERIES and not is_grid(rows, evidence.height, evidence.width, anchors=1)
        return known and (few or told) and are_probabilities(table)


def _description(evidence: Evidence) -> str:
    return evidence.metadata.get("description", "").lower()
