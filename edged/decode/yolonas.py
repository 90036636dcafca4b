"""YOLO-NAS of super-gradients, with NMS in the graph (``flat`` or ``batch`` predictions) or without.

* Batch: ``num_predictions`` [1, 1], ``pred_boxes`` [1, N, 4], ``pred_scores`` [1, N], ``pred_classes`` [1, N]; rows
  behind the number are padding.
* Flat: ``flat_predictions`` [N, 7], rows of picture, x1, y1, x2, y2, score, class. Joining graphs puts ``graph2_``
  before the names.
* Without NMS: boxes [1, N, 4], then scores [1, N, C], a row a cell. PP-YOLOE of super-gradients does the same.

Corners are in pixels of the input. The usual export takes uint8 in RGB and prepares it by itself; what it was trained
to have (BGR after some fine-tunings) is inside. A float input is as exported without that: RGB, 0-1, as the COCO models
were trained.

Source: Deci-AI/super-gradients, ``documentation/source/models_export.md``,
``module_interfaces/exportable_detector.py``, ``conversion/onnx/nms.py``, ``training/processing/processing.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.corners import corners_of
from edged.decode.family import ULTRALYTICS, Array, Evidence, Recognition
from edged.decode.labels import COCO
from edged.decode.listed import ListDecoder
from edged.decode.nms import require_finite
from edged.detection import Detections

INPUT = ULTRALYTICS
"""RGB, 0-1, shape kept, 114 beside it; a uint8 input is not scaled."""
BATCH = ("num_predictions", "pred_boxes", "pred_scores", "pred_classes")
FLAT = ("flat_predictions", "final_decoded_boxes")
FLAT_ROW = (1, 2, 3, 4, 5, 6)
"""Columns of x1, y1, x2, y2, score, class."""

_PREPARED = (
    "takes float pictures, filled as the COCO models are (RGB, 0-1): one fine-tuned on BGR, or that divides by 255 "
    "itself, needs [input] in model.toml"
)


@dataclass(frozen=True, slots=True)
class BatchDecoder:
    """Number, boxes, scores and classes to candidates, which are the objects.

    Attributes:
        positions: Of the four outputs, as in `BATCH`.
    """

    positions: tuple[int, int, int, int]

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        number, boxes, scores, classes = (outputs[position] for position in self.positions)
        count = int(number.reshape(-1)[0])
        score = scores.reshape(-1)[:count].astype(np.float32)
        require_finite(score, "scores")
        chosen = np.flatnonzero(score >= min_score)
        xyxy = boxes.reshape(-1, 4)[chosen].astype(np.float32)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[chosen], classes.reshape(-1)[chosen].astype(np.int32))


class YoloNas:
    """See the head of this file."""

    name = "yolonas"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        return self._batch(evidence) or self._flat(evidence) or self._raw(evidence)

    def _batch(self, evidence: Evidence) -> Recognition | None:
        names = [spec.name for spec in evidence.outputs]
        found = [next((n for n, name in enumerate(names) if name.endswith(part)), None) for part in BATCH]
        if None in found or not _is_batch([evidence.trial[n] for n in found if n is not None]):
            return None
        number, boxes, scores, classes = (n for n in found if n is not None)
        kinds = evidence.trial[classes].reshape(-1)
        return self._chosen(
            evidence,
            f"{describe(evidence, boxes)} and the outputs beside it list what was found",
            BatchDecoder((number, boxes, scores, classes)),
            int(kinds.max(initial=-1)),
        )

    def _flat(self, evidence: Evidence) -> Recognition | str | None:
        if len(evidence.trial) != 1 or evidence.trial[0].ndim != 2 or evidence.trial[0].shape[1] != 7:
            return None
        told = evidence.outputs[0].name.endswith(FLAT) or evidence.named == self.name
        if not told or evidence.trial[0].dtype.kind != "f":
            return None
        what, decoder = describe(evidence, 0), ListDecoder(0, FLAT_ROW)
        if not decoder.may_read(evidence.trial[0]):
            return (
                f"{what} is named as YOLO-NAS names its rows, and they are not picture, x1, y1, x2, y2, score, class; "
                "export it in batch format"
            )
        why = f"{what} has rows of picture, x1, y1, x2, y2, score, class, already chosen by the model"
        return self._chosen(evidence, why, decoder, decoder.greatest_class(evidence.trial[0]))

    def _chosen(
        self, evidence: Evidence, why: str, decoder: BatchDecoder | ListDecoder, greatest: int
    ) -> Recognition:
        return Recognition(
            family=self.name,
            why=why,
            class_count=len(evidence.labels),
            input=INPUT,
            decoder=decoder,
            overlapping=False,
            notes=_notes(evidence),
            usual_labels=COCO if greatest < len(COCO) else (),
        )

    def _raw(self, evidence: Evidence) -> Recognition | str | None:
        found = corners_of(evidence)
        if found is None or found.decoder.boxes == found.decoder.scores or found.decoder.turned:
            return None
        boxes, scores = (describe(evidence, n) for n in (found.decoder.boxes, found.decoder.scores))
        if found.decoder.scores < found.decoder.boxes and evidence.named != self.name:
            return (
                f"{scores} and {boxes} are scores and corners of decoded cells, and YOLO-NAS gives the corners first; "
                f'if super-gradients made it, say family = "{self.name}" in model.toml'
            )
        return Recognition(
            family=self.name,
            why=f"{boxes} has corners for {found.grid}, {scores} their {count_of(found.class_count)}",
            class_count=found.class_count,
            input=INPUT,
            decoder=found.decoder,
            overlapping=True,
            notes=_notes(evidence),
        )


def _is_batch(outputs: Sequence[Array]) -> bool:
    number, boxes, scores, classes = outputs
    rows = scores.size
    whole = number.dtype.kind == "i" and number.size == 1 and classes.dtype.kind == "i"
    same = boxes.size == 4 * rows and classes.size == rows and boxes.shape[-1:] == (4,)
    if not whole or not same or boxes.dtype.kind != "f" or scores.dtype.kind != "f":
        return False
    said = scores.reshape(-1)[: int(number.reshape(-1)[0])].astype(np.float32)
    return not len(said) or are_probabilities(said)


def _notes(evidence: Evidence) -> tuple[str, ...]:
    raw = any(spec.dtype == "uint8" for spec in evidence.inputs)
    return () if raw else (_PREPARED,)
