"""YuNet of 2021 and 2022: ``loc [N, 14]``, ``conf [N, 2]`` and ``iou [N, 1]``, offsets from priors.

The first four of ``loc`` are SSD's offsets, the rest five keypoints; score = sqrt(conf[1] * iou), the IoU clamped to
0-1. BGR, 0-255, plain resize, scores from 0.6: ``yunet.py`` of the OpenCV Zoo before 2023
(``face_detection_yunet_2021dec``, ``face_detection_yunet_2022mar``). The network halves the input and drops what is
left over, so a row of cells that is not whole has no priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, as_table, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.nms import require_finite
from edged.decode.priors import FACE_STRIDES, KEYPOINTS_LEFT_OUT, by_columns, face_priors, from_offsets
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(color="BGR", scale=1.0, fit=Fit.STRETCH, pad=0)
MIN_SCORE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class YuNet2021Decoder:
    """``[N, 14]``, ``[N, 2]`` and ``[N, 1]`` to candidates.

    Attributes:
        loc: Position of the output.
        conf: Position of the output.
        iou: Position of the output.
        priors: float32 (N, 4), centre and size in pixels.
    """

    loc: int
    conf: int
    iou: int
    priors: NDArray[np.float32]

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        conf = as_table(outputs[self.conf])[:, 1].astype(np.float32)
        iou = as_table(outputs[self.iou])[:, 0].astype(np.float32)
        require_finite(conf, "scores")
        require_finite(iou, "scores")
        score = np.sqrt(np.clip(conf, 0, 1) * np.clip(iou, 0, 1))
        chosen = np.flatnonzero(score >= min_score)
        offsets = as_table(outputs[self.loc])[chosen, :4].astype(np.float32)
        xyxy = from_offsets(offsets, self.priors[chosen])
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[chosen], np.zeros(len(chosen), np.int32))


class YuNet2021:
    """See the head of this file."""

    name = "yunet2021"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        tables = by_columns(evidence)
        if {columns: len(indices) for columns, indices in tables.items()} != {14: 1, 2: 1, 1: 1}:
            return None
        (loc,), (conf,), (iou,) = tables[14], tables[2], tables[1]
        priors = yunet2021_priors(evidence.height, evidence.width)
        if len(evidence.outputs) != 3 or {evidence.trial[at].shape[-2] for at in (loc, conf, iou)} != {
            len(priors)
        }:
            return None
        what = ", ".join(describe(evidence, at) for at in (loc, conf, iou))
        if not are_probabilities(as_table(evidence.trial[conf]).astype(np.float32)):
            return (
                f"{what} are YuNet's of 2021, and {evidence.outputs[conf].name} holds no probabilities; "
                "export it with softmax"
            )
        return Recognition(
            family=self.name,
            why=f"{what} have a row for each of {len(priors)} priors: offsets, face or not, quality",
            class_count=1,
            input=INPUT,
            decoder=YuNet2021Decoder(loc, conf, iou, priors),
            overlapping=True,
            notes=(KEYPOINTS_LEFT_OUT,),
            usual_labels=("face",),
            min_score=MIN_SCORE,
        )


def yunet2021_priors(height: int, width: int) -> NDArray[np.float32]:
    """The priors of an input: float32 (N, 4), centre and size in pixels; 1076 at 160 × 120."""
    scales = []
    rows, columns = (height + 1) // 2 // 2, (width + 1) // 2 // 2
    for stride in FACE_STRIDES:
        rows, columns = rows // 2, columns // 2
        scales.append((rows, columns, stride, stride))
    return face_priors(scales)
