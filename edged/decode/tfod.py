"""Detectors of the TensorFlow Object Detection API through tf2onnx: SSD-MobileNet and others.

``detection_boxes`` [1, N, 4] are y1, x1, y2, x2 in fractions of the picture, beside them ``detection_scores`` [1, N],
``detection_classes`` [1, N] (floats, counted from 1) and ``num_detections`` [1]; rows behind that number are padding.
NMS is done. Names may end in ``:0``. The graph resizes and normalises by itself: uint8 (or float of the same values),
[1, H, W, 3], RGB, 0-255, of any size. Masks and raw predictions that stand beside them are left out.

Exports for TensorFlow Lite end in ``TFLite_Detection_PostProcess`` (boxes), ``:1`` (classes, counted from 0), ``:2``
(scores) and ``:3`` (their number); a float input takes -1 to 1, as MobileNet does.

Source: onnx/models, ``vision/object_detection_segmentation/ssd-mobilenetv1``; tensorflow/models,
``research/object_detection/exporter.py`` and ``export_tflite_ssd_graph.py``; tensorflow/tensorflow,
``lite/kernels/detection_postprocess.cc``.
"""

from dataclasses import replace

from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO_90
from edged.decode.triples import (
    Triple,
    first_number,
    listed,
    triple_named,
)
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1.0, fit=Fit.STRETCH, pad=0)
LITE_INPUT = replace(INPUT, scale=1 / 128, mean=(1.0, 1.0, 1.0))
YXYX = (1, 0, 3, 2)
"""Columns of x1, y1, x2, y2."""
LITE = "TFLite_Detection_PostProcess"

_NAMES = ("detection_boxes", "detection_scores", "detection_classes")


class TensorFlowObjectDetection:
    """See the head of this file."""

    name = "tfod"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        for end in ("", ":0"):
            boxes, scores, classes = (f"{name}{end}" for name in _NAMES)
            found = triple_named(evidence, boxes, scores, classes)
            if found is not None:
                count = evidence.output(f"num_detections{end}")
                return self._recognised(evidence, found, count, background=0, filled=INPUT)
        for boxes in (LITE, f"{LITE}:0"):
            found = triple_named(evidence, boxes, f"{LITE}:2", f"{LITE}:1")
            if found is not None:
                count = evidence.output(f"{LITE}:3")
                return self._recognised(evidence, found, count, background=-1, filled=LITE_INPUT)
        return None

    def _recognised(
        self, evidence: Evidence, found: Triple, count: int | None, *, background: int, filled: InputDefaults
    ) -> Recognition | str:
        if not found.in_fractions(evidence):
            return (
                f"{found.describe(evidence)} are named as the TensorFlow Object Detection API names them, and the "
                "boxes are no fractions of the picture; export it with exporter_main_v2.py of that project"
            )
        masks = any(spec.name.startswith("detection_masks") for spec in evidence.outputs)
        return listed(
            evidence,
            found,
            self.name,
            filled,
            units=Units.FRACTIONS,
            of=" of the picture",
            where="y before x,",
            first_class=first_number(evidence.labels, background),
            order=YXYX,
            count=count,
            usual=COCO_90,
            notes=("its masks are left out, boxes only",) if masks else (),
        )
