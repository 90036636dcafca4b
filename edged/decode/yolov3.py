"""YOLOv3 and Tiny YOLOv3 of the ONNX Model Zoo: boxes, scores, and the indices of what its own NMS chose.

Inputs are ``input_1`` [1, 3, H, W] and ``image_shape`` [1, 2], height and width of the original picture. Outputs are
boxes ``[1, N, 4]`` as y1, x1, y2, x2 in pixels of that picture, scores ``[1, C, N]``, and int32 indices ``[n, 3]`` (of
the tiny one ``[1, n, 3]``): batch, class, box. edged says that the picture is as large as the input, so boxes come in
input pixels; what the indices name are the objects. RGB, 0-1, letterbox in the middle padded with 128.

Source: onnx/models, ``vision/object_detection_segmentation/yolov3`` and ``tiny-yolov3``; onnx/keras-onnx,
``applications/yolov3/yolov3.py``, from which they were converted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.grid import is_grid
from edged.decode.nms import require_finite
from edged.detection import Detections
from edged.errors import InferenceFailed
from edged.fit import Fit

INPUT = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.LETTERBOX, pad=128)
ANCHORS = 3


@dataclass(frozen=True, slots=True)
class YoloV3Decoder:
    """Boxes, scores and indices to candidates, which are the objects.

    Attributes:
        boxes: Position of the output.
        scores: Position of the output.
        indices: Position of the output.
    """

    boxes: int
    scores: int
    indices: int

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes, or indices of boxes that are not there.
        """
        scores = outputs[self.scores][0]
        require_finite(
            scores.max(initial=0), "scores"
        )  # nothing is chosen from NaN: it would look like an empty picture
        chosen = outputs[self.indices].reshape(-1, 3)
        chosen = chosen[(chosen >= 0).all(axis=1)]  # OpenVINO pads what NMS chose with -1
        if (chosen >= (1, *scores.shape)).any():
            raise InferenceFailed("model", "chose boxes that are not among its outputs", "export it anew")
        class_id, row = chosen[:, 1], chosen[:, 2]
        score = scores[class_id, row].astype(np.float32)
        keep = score >= min_score
        yxyx = outputs[self.boxes][0, row[keep]].astype(np.float32)
        require_finite(yxyx, "boxes")
        return Detections(yxyx[:, [1, 0, 3, 2]], score[keep], class_id[keep].astype(np.int32))


class YoloV3:
    """See the head of this file."""

    name = "yolov3"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = _outputs(evidence)
        if found is None or evidence.input("image_shape") is None:
            return None
        boxes, scores, indices = found
        classes = int(evidence.trial[scores].shape[1])
        what = ", ".join(describe(evidence, index) for index in found)
        if not are_probabilities(evidence.trial[scores].astype(np.float32)):
            return f"{what} are laid out as YOLOv3 does, but its scores are no probabilities"
        return Recognition(
            family=self.name,
            why=f"image_shape beside the picture; {what} are boxes as y1, x1, y2, x2, {count_of(classes)} and the "
            "indices of what the model chose",
            class_count=classes,
            input=INPUT,
            decoder=YoloV3Decoder(boxes, scores, indices),
            overlapping=False,
            notes=(
                "it chooses its objects itself, by thresholds in the file: a lower min_score may find no more",
            ),
        )


def _outputs(evidence: Evidence) -> tuple[int, int, int] | None:
    """Positions of boxes, scores and indices, told by their types and shapes; None where the outputs are others."""
    trial = evidence.trial
    whole = [n for n, one in enumerate(trial) if one.dtype.kind == "i" and one.ndim in {2, 3}]
    real = [n for n, one in enumerate(trial) if one.dtype.kind == "f" and one.ndim == 3 and len(one) == 1]
    if len(trial) != 3 or len(whole) != 1 or len(real) != 2:
        return None
    for boxes, scores in (real, real[::-1]):
        rows = trial[boxes].shape[1]
        if trial[boxes].shape[2] == 4 and trial[scores].shape[2] == rows and trial[whole[0]].shape[-1] == 3:
            grid = is_grid(rows, evidence.height, evidence.width, ANCHORS)
            return (boxes, scores, whole[0]) if grid else None
    return None
