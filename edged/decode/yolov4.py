"""YOLOv4 of the ONNX Model Zoo: heads ``[1, H / 8, W / 8, 3, 5 + C]``, / 16 and / 32, relative to cells and anchors.

The export has applied sigmoid to objectness and classes, and left x, y, width and height raw. Centre = (sigmoid(xy) *
spread - (spread - 1) / 2 + cell) * stride, with a spread of 1.2, 1.1 and 1.05 by level; size = exp(wh) * anchor. The
input is NHWC, RGB, 0-1, letterbox in the middle padded with 128.

Anchors are not in the file. The published ones are used where the model has COCO's 80 classes, or where a person says
that the model is of this family.

Source: onnx/models, ``vision/object_detection_segmentation/yolov4`` (README, ``postprocess_bbbox``); hunglc007/
tensorflow-yolov4-tflite, ``core/yolov4.py`` (``decode``), from which it was exported.
"""

from edged.decode.activations import sigmoid
from edged.decode.anchors import AnchorDecoder, Reading, as_given, exponential, lay_rows, levels_of
from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.labels import COCO
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.LETTERBOX, pad=128)
LEVELS = (
    (8, ((12, 16), (19, 36), (40, 28)), 1.2),
    (16, ((36, 75), (76, 55), (72, 146)), 1.1),
    (32, ((142, 110), (192, 243), (459, 401)), 1.05),
)
"""Stride, anchors in pixels, spread."""
ANCHORS = 3
READING = Reading(centre=sigmoid, growth=exponential, objectness=as_given, classes=as_given)

LEAST_NEGATIVE = -0.1
"""Raw coordinates go below this in any trial; probabilities never."""


class YoloV4:
    """See the head of this file."""

    name = "yolov4"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        heads = _heads(evidence)
        if not heads:
            return None
        what = f"{describe(evidence, heads[0])} and what follows"
        rows = [_as_rows(evidence.trial[position]) for position in heads]
        if not all(are_probabilities(table[:, 4:].astype("float32")) for table in rows):
            return (
                f"{what} have YOLOv4's shapes, but their scores are no probabilities; "
                "export it with its activation, as save_model.py of tensorflow-yolov4-tflite does"
            )
        if all(table[:, :4].min() > LEAST_NEGATIVE for table in rows):
            return f"{what} have YOLOv4's shapes, and no boxes in their first four columns"
        classes = rows[0].shape[1] - 5
        if classes != len(COCO) and evidence.named != self.name:
            return (
                f"{what} are laid out as YOLOv4 does, with anchors that the file does not hold; "
                f'if it was trained with those of YOLOv4, say family = "{self.name}" in model.toml'
            )
        return Recognition(
            family=self.name,
            why=f"{what} have {ANCHORS} anchors a cell at strides 8/16/32, raw boxes, objectness and "
            f"{count_of(classes)}",
            class_count=classes,
            input=INPUT,
            decoder=AnchorDecoder(
                heads, _as_rows, lay_rows(evidence.height, evidence.width, LEVELS, anchor_last=True), READING
            ),
            overlapping=True,
            notes=("its anchors are not in the file: the published YOLOv4's are used",),
        )


def _heads(evidence: Evidence) -> tuple[int, ...]:
    """Positions of the three heads, the finest first; empty where the outputs are others."""
    trial = evidence.trial
    if len(trial) != len(LEVELS) or any(one.ndim not in {4, 5} or one.dtype.kind != "f" for one in trial):
        return ()
    shapes = [one.shape if one.ndim == 4 else one.shape[1:] for one in trial]
    if any(one.ndim == 5 and len(one) != 1 for one in trial) or len({shape[2:] for shape in shapes}) != 1:
        return ()
    anchors, columns = shapes[0][2:]
    if anchors != ANCHORS or columns < 6:
        return ()
    strides = [stride for stride, *_ in LEVELS]
    return levels_of([shape[:2] for shape in shapes], evidence.height, evidence.width, strides)


def _as_rows(head: Array) -> Array:
    """[1, H, W, 3, 5 + C] as (H * W * 3, 5 + C), a row an anchor."""
    return head.reshape(-1, head.shape[-1])
