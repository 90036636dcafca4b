"""SSD of the ONNX Model Zoo (SSD-ResNet34 of MLPerf): ``bboxes`` [1, N, 4], ``labels`` [1, N], ``scores`` [1, N].

Boxes are x1, y1, x2, y2 in fractions of the input, NMS is done. Labels are COCO's 80 classes in a row, counted from 1
behind the background. Pictures are resized to 1200 × 1200 without regard to their shape; RGB with ImageNet's mean and
deviation.

Source: onnx/models, ``vision/object_detection_segmentation/ssd``; mlcommons/inference,
``vision/classification_and_detection/python/coco.py`` (PostProcessCocoPt).
"""

from edged.decode.family import IMAGENET, Evidence, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO
from edged.decode.triples import first_number, has_whole_classes, listed, triple_named


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
        return listed(
            evidence,
            found,
            self.name,
            IMAGENET,
            units=Units.FRACTIONS,
            of=" of the input",
            first_class=first_number(evidence.labels),
            usual=COCO,
        )
