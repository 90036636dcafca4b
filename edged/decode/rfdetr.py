"""RF-DETR: ``dets`` [1, Q, 4], centre and size in fractions, and ``labels`` [1, Q, K], logits, a sigmoid a column.

No NMS. RGB with ImageNet's mean and deviation, resized without regard to its shape. Masks of its segmentation models
are left out.

The published models have 91 columns, COCO's own numbers 0 to 90, of which 0 was never used. A model of one's own has
a column more than classes in most versions, which stands for nothing: the first where categories counted from 1, the
last where they counted from 0, and the file does not say which (pull request 1397 of the project). So the labels have
to name that column too, ``background``, unless there are as many as columns.

Source: roboflow/rf-detr, ``rfdetr/deploy/export.py``, ``rfdetr/detr.py``, ``rfdetr/models/lwdetr.py``, pull request
1397; roboflow/inference, its RFDETRObjectDetection.
"""

import numpy as np

from edged.decode.columns import count_of, describe
from edged.decode.detr import COCO_COLUMNS
from edged.decode.family import IMAGENET, Evidence, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO_90
from edged.decode.queries import (
    QueryDecoder,
    are_centres_in_fractions,
    column_range,
    masks_left_out,
    queries_named,
)
from edged.decode.rows import pixels_to_unit
from edged.decode.triples import BACKGROUNDS

MIN_SCORE = 0.5
ROBOFLOW_BACKGROUND = "background_class83422"


class RfDetr:
    """See the head of this file."""

    name = "rfdetr"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = queries_named(evidence, ("labels",), ("dets",))
        if found is None:
            return None
        if not are_centres_in_fractions(evidence, found):
            return (
                f"{found.describe(evidence)} are named as RF-DETR names them, and the boxes are no fractions of the "
                "input; export it with model.export() of that project"
            )
        names, notes = evidence.labels, masks_left_out(evidence)
        if found.columns == COCO_COLUMNS and names in {(), COCO_90}:
            columns, class_ids = column_range(1, len(COCO_90))
            class_count = len(columns)
        elif names and len(names) == found.columns - 1:
            return (
                f"{describe(evidence, found.logits)} has {found.columns} columns for {len(names)} labels, and the file "
                "does not say whether the first or the last stands for nothing; name it too in model.toml: "
                'labels = ["background", ...] if categories counted from 1, [..., "background"] if from 0'
            )
        else:
            columns, class_ids = column_range(0, found.columns)
            meant = [n for n, name in enumerate(names[: found.columns]) if not _is_background(name)]
            columns, class_ids = (columns[meant], class_ids[meant]) if names else (columns, class_ids)
            class_count = found.columns
            notes += () if names else ("one of its columns may stand for nothing; labels tell",)
        return Recognition(
            family=self.name,
            why=f"{found.describe(evidence)} have a box in fractions and logits of {count_of(class_count)} a query",
            class_count=class_count,
            input=IMAGENET,
            decoder=QueryDecoder(
                found,
                np.asarray(columns),
                class_ids,
                pixels_to_unit(Units.FRACTIONS, evidence.height, evidence.width),
            ),
            overlapping=False,
            notes=notes,
            usual_labels=COCO_90 if class_count == len(COCO_90) else (),
            min_score=MIN_SCORE,
        )


def _is_background(name: str) -> bool:
    return name.strip().lower() in {*BACKGROUNDS, ROBOFLOW_BACKGROUND}
