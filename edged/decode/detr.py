"""DETR and what answers as it does: ``pred_logits`` (or ``logits``) [1, Q, K] and ``pred_boxes`` [1, Q, 4].

* DETR, YOLOS, Table Transformer: softmax over K columns, the last of which is "no object".
* Deformable DETR and Conditional DETR: a sigmoid a column, none for "no object".

The published models have a column for each of COCO's own numbers 0 to 90, of which 0 was never used: 92 columns with
"no object", 91 without. Otherwise the number of labels tells which of the two it is. Pictures are RGB with ImageNet's
mean and deviation. They are trained with their shape kept; here they fill the input, because exports have no mask for
what lies beside the picture, or are told that all of it counts (``pixel_mask``).

RT-DETR and D-FINE as Hugging Face exports them have the same outputs and other pictures (`edged.decode.rtdetr`).

Source: facebookresearch/detr, ``models/detr.py`` (PostProcess) and ``test_all.py``; huggingface/transformers,
``models/detr`` and ``models/conditional_detr``, ``image_processing_*.py``; facebookresearch/detr, issue 164.
"""

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import count_of
from edged.decode.family import IMAGENET, Evidence, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO, COCO_90
from edged.decode.queries import (
    Queries,
    QueryDecoder,
    are_centres_in_fractions,
    column_range,
    masks_left_out,
    queries_named,
)
from edged.decode.rows import pixels_to_unit

LOGITS, BOXES = ("pred_logits", "logits"), ("pred_boxes",)
COCO_COLUMNS = 91
"""COCO's own numbers, 0 to 90."""
MIN_SCORE = 0.7


class Detr:
    """See the head of this file."""

    name = "detr"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = queries_named(evidence, LOGITS, BOXES)
        if found is None or (evidence.named != self.name and is_coco_in_a_row(evidence, found)):
            return None
        what = found.describe(evidence)
        if not are_centres_in_fractions(evidence, found):
            return f"{what} are named as DETR names them, and the boxes are no fractions of the input; export it anew"
        read = _columns(evidence, found)
        if read is None:
            return (
                f"{what} have {found.columns} columns, and nothing says whether the last is 'no object'; "
                f"name its classes in model.toml: {found.columns - 1} labels if it is (DETR, YOLOS), "
                f"{found.columns} if not (Deformable and Conditional DETR, RT-DETR, D-FINE)"
            )
        (columns, class_ids), softmax = read
        made = "softmax, the last column for no object" if softmax else "a sigmoid a column"
        return Recognition(
            family=self.name,
            why=f"{what} have logits of {count_of(len(columns))} ({made}) and a box in fractions for each query",
            class_count=len(columns),
            input=IMAGENET,
            decoder=QueryDecoder(
                found,
                columns,
                class_ids,
                pixels_to_unit(Units.FRACTIONS, evidence.height, evidence.width),
                softmax,
            ),
            overlapping=False,
            notes=masks_left_out(evidence),
            usual_labels=COCO_90 if len(columns) == len(COCO_90) else (),
            min_score=MIN_SCORE,
        )


def is_coco_in_a_row(evidence: Evidence, found: Queries) -> bool:
    """Whether columns are COCO's 80 classes, as those of RT-DETR and D-FINE are and of DETR never."""
    return found.columns == len(COCO) and evidence.labels in {(), COCO}


def _columns(
    evidence: Evidence, found: Queries
) -> tuple[tuple[NDArray[np.intp], NDArray[np.int32]], bool] | None:
    """The columns of classes and the classes, and whether softmax makes their scores."""
    names = len(evidence.labels)
    published = evidence.labels in {(), COCO_90}
    if published and found.columns in {COCO_COLUMNS, COCO_COLUMNS + 1}:
        return column_range(1, len(COCO_90)), found.columns > COCO_COLUMNS
    if not names:
        return None
    return column_range(0, found.columns - (names != found.columns)), names != found.columns
