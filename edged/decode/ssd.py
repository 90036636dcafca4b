"""SSD of the ONNX Model Zoo (SSD-ResNet34 of MLPerf): ``bboxes`` [1, N, 4], ``labels`` [1, N], ``scores`` [1, N].

Boxes are x1, y1, x2, y2 in fractions of the input, NMS is done. Labels are COCO's 80 classes in a row, counted from 1
behind the background. Pictures are resized to 1200 × 1200 without regard to their shape; RGB with ImageNet's mean and
deviation.

Source: onnx/models, ``vision/object_detection_segmentation/ssd``; mlcommons/inference,
``vision/classification_and_detection/python/coco.py`` (PostProcessCocoPt).
"""

from edged.decode.family import Evidence, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO
from edged.decode.rows import pixels_to_unit
from edged.decode.triples import (
    IMAGENET,
    TripleDecoder,
    first_number,
    has_whole_classes,
    too_few_labels,
    triple_named,
    usual_or_none,
)


class Ssd:
    """See the head of this file."""

    name = "ssd"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = triple_named(evidence, "bboxes", "scores", "labels")
        if found is None or not found.batched or not has_whole_classes(evidence, found):
            return None
        if not found.in_fractions(evidence):
            return (
                f"{found.describe(evidence)} are named as SSD of the ONNX Model Zoo names them, and the boxes are no "
                "fractions of the input; export it with its boxes in 0-1"
            )
        first = first_number(evidence.labels)
        wrong = too_few_labels(evidence, found, first)
        if wrong:
            return wrong
        scale = pixels_to_unit(Units.FRACTIONS, evidence.height, evidence.width)
        return Recognition(
            family=self.name,
            why=f"{found.describe(evidence)} list what was found, corners in fractions of the input",
            class_count=len(evidence.labels),
            input=IMAGENET,
            decoder=TripleDecoder(found, scale, first),
            overlapping=False,
            usual_labels=usual_or_none(evidence, found, first, COCO),
        )
