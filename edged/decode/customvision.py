"""Azure Custom Vision, object detection with NMS in the graph (General (compact) [S1] and later).

``detected_boxes`` [1, N, 4] are x1, y1, x2, y2 in fractions of the input, beside them ``detected_classes`` [1, N],
counted from 0 as in the ``labels.txt`` of the export, and ``detected_scores`` [1, N]. Pictures are resized without
regard to their shape; colour and range are those of the metadata (``Image.BitmapPixelFormat``,
``Image.NominalPixelRange``), RGB in 0-1 where it is silent. The export of General (compact) is a grid, and of the
family ``customvision-grid``.

Source: Azure-Samples/customvision-export-samples, ``samples/python/onnx/object_detection_s1/predict.py``.
"""

from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.grid import Units
from edged.decode.triples import listed, triple_named
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.STRETCH, pad=0)


class CustomVision:
    """See the head of this file."""

    name = "customvision"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = triple_named(evidence, "detected_boxes", "detected_scores", "detected_classes")
        if found is None:
            return None
        if not found.in_fractions(evidence):
            return (
                f"{found.describe(evidence)} are named as Custom Vision names them, and the boxes are no fractions of "
                "the input; export it from Custom Vision anew"
            )
        return listed(
            evidence, found, self.name, INPUT, units=Units.FRACTIONS, of=" of the input", first_class=0
        )
