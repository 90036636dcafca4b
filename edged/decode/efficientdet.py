"""EfficientDet of google/automl through tf2onnx: ``detections`` ``[1, N, 7]``.

Rows are picture, y1, x1, y2, x2, score, class, in pixels of what was given, classes from 1. The graph normalises and
resizes by itself: ``image_arrays`` is uint8, ``[1, height, width, 3]``, RGB. It keeps the picture's shape, lies it in
the upper left corner, and pads with what becomes 0 after normalisation: ImageNet's mean.

Source: google/automl, ``efficientdet/inference.py`` (det_post_process), ``efficientdet/dataloader.py``; the result
format in onnx/tensorflow-onnx, ``tutorials/efficientdet.ipynb``. EfficientDet of the TensorFlow Object Detection API
and of TensorFlow Lite has other outputs, and is of other families.
"""

from edged.decode.columns import describe
from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.labels import COCO_90
from edged.decode.listed import ListDecoder
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1.0, fit=Fit.LETTERBOX_TOPLEFT, pad=114)
PICTURES, ROWS = ("image_arrays:0", "image_arrays"), ("detections:0", "detections")
ROW = (2, 1, 4, 3, 5, 6)
"""Columns of x1, y1, x2, y2, score, class."""


class EfficientDet:
    """See the head of this file."""

    name = "efficientdet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        if len(evidence.trial) != 1 or evidence.trial[0].dtype.kind != "f":
            return None
        rows = evidence.trial[0]
        told = any(evidence.input(name) for name in PICTURES) or evidence.outputs[0].name in ROWS
        if (
            rows.ndim != 3
            or len(rows) != 1
            or rows.shape[2] != 7
            or not (told or evidence.named == self.name)
        ):
            return None
        decoder = ListDecoder(0, ROW, first_class=1)
        if rows[..., 0].any() or not decoder.may_read(rows):
            return None
        return Recognition(
            family=self.name,
            why=f"{describe(evidence, 0)} has rows of picture, y1, x1, y2, x2, score, class, chosen by the model",
            class_count=len(evidence.labels),
            input=INPUT,
            decoder=decoder,
            overlapping=False,
            usual_labels=COCO_90 if decoder.greatest_class(rows) < len(COCO_90) else (),
        )
