"""Classifiers: one row of numbers, ``[1, C]`` or ``[1, C, 1, 1]``, a number a class of the whole picture.

Whether the row holds probabilities is seen in the trial; logits go through softmax, and what a sigmoid makes, a score
that each class has by itself, stays as it is.

A row alone could as well be an embedding or a regression, so something else must say that it is a classifier: the
task, names as many as numbers, the 1000 or 1001 classes of ImageNet, or probabilities that sum to one. Azure Custom
Vision gives a map from name to probability instead, beside the best name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edged.decode.activations import softmax
from edged.decode.family import IMAGENET, Array, Evidence, InputDefaults, Recognition
from edged.decode.nms import require_finite
from edged.detection import Detections
from edged.fit import Fit

TOP = 5
"""Labels given to a picture, best first."""
IMAGENET_CLASSES = 1000

TORCHVISION = replace(IMAGENET, fit=Fit.CROP)
"""``torchvision.transforms`` as in its reference training, and in most of the ONNX Model Zoo."""
ULTRALYTICS = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.CROP, pad=114)
CUSTOM_VISION = InputDefaults(color="BGR", scale=1.0, fit=Fit.CROP, pad=114)

_SUM_TOLERANCE = 0.02
_SQUASHING = frozenset(
    {"Sigmoid", "HardSigmoid", "Softmax", "com.microsoft:QLinearSigmoid", "com.microsoft:QLinearSoftmax"}
)
"""What makes scores. Others may lie in 0 to 1 in the trial by chance, and are logits."""
_INDEPENDENT = "its scores do not sum to 1: each class has a probability of its own"


@dataclass(frozen=True, slots=True)
class ClassDecoder:
    """A row of numbers to the five best classes, each with the whole input as its box.

    Attributes:
        output: Position of the output.
        height: Pixels of the input.
        width: Pixels of the input.
        softmax: Whether the numbers are logits.
    """

    output: int
    height: int
    width: int
    softmax: bool

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among the numbers.
        """
        row = outputs[self.output].reshape(-1).astype(np.float32)
        require_finite(row, "scores")
        best = np.argsort(-row, kind="stable")[:TOP]
        score = softmax(row) if self.softmax else np.clip(row, 0, 1)
        best = best[score[best] >= min_score]
        box = np.array([0, 0, self.width, self.height], np.float32)
        return Detections(np.tile(box, (len(best), 1)), score[best], best.astype(np.int32))


@dataclass(frozen=True, slots=True)
class MapDecoder:
    """A map of names to probabilities to the five best classes, each with the whole input as its box.

    Attributes:
        output: Position of the output, a sequence of one map.
        names: Keys of the map in the order of the classes.
        height: Pixels of the input.
        width: Pixels of the input.
    """

    output: int
    names: tuple[str, ...]
    height: int
    width: int

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among the numbers.
        """
        found = outputs[self.output][0]
        row = np.array([[found.get(name, 0.0) for name in self.names]], np.float32)
        return ClassDecoder(0, self.height, self.width, softmax=False)([row], min_score)


class Classify:
    """See the head of this file."""

    name = "classify"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        named = next((n for n, output in enumerate(evidence.trial) if _is_map(output)), None)
        if named is not None:
            return self._of_map(evidence, named)
        rows = [n for n, output in enumerate(evidence.trial) if _is_row(output)]
        others = [output for n, output in enumerate(evidence.trial) if n not in rows]
        if len(rows) != 1 or any(output.size > 1 for output in others):
            return None
        row = evidence.trial[rows[0]].reshape(-1).astype(np.float32)
        what = f"{evidence.outputs[rows[0]].name} {list(evidence.trial[rows[0]].shape)}"
        sure = bool(row.min() >= 0 and abs(float(row.sum()) - 1) < _SUM_TOLERANCE)
        reason = _reason(evidence, len(row), sure=sure)
        if not reason:
            return (
                f"{what} may be a classifier's answer, an embedding or a regression; "
                'say task = "classify" and its labels in model.toml'
            )
        usual, notes = _usual_input(evidence)
        single = not sure and evidence.endings.get(evidence.outputs[rows[0]].name) in _SQUASHING
        if single:
            notes = (*notes, _INDEPENDENT)
        made = "probabilities" if sure or single else "numbers that softmax makes probabilities"
        return Recognition(
            family=self.name,
            why=f"{what} holds {len(row)} {made}, one a class; {reason}",
            class_count=len(row),
            input=usual,
            decoder=ClassDecoder(rows[0], evidence.height, evidence.width, softmax=not (sure or single)),
            overlapping=False,
            notes=notes,
            task="classify",
            min_score=0.0,
        )

    def _of_map(self, evidence: Evidence, output: int) -> Recognition | str:
        keys = tuple(evidence.trial[output][0])
        if evidence.labels and set(evidence.labels) != set(keys):
            return (
                f"{evidence.outputs[output].name} names its classes itself ({', '.join(keys):.80}), and the labels "
                "name others; correct labels in model.toml or labels.txt, or leave them out"
            )
        usual, notes = _usual_input(evidence)
        return Recognition(
            family=self.name,
            why=f"{evidence.outputs[output].name} maps {len(keys)} names to probabilities",
            class_count=len(keys),
            input=usual,
            decoder=MapDecoder(output, evidence.labels or keys, evidence.height, evidence.width),
            overlapping=False,
            notes=notes,
            task="classify",
            usual_labels=keys,
            min_score=0.0,
        )


def _is_map(output: Array) -> bool:
    """A sequence of one map from names to numbers, as ONNX's ZipMap makes it."""
    if output.dtype.kind != "O" or output.shape != (1,) or not isinstance(output[0], dict):
        return False
    items = output[0].items()
    return len(items) > 1 and all(isinstance(k, str) and isinstance(v, float) for k, v in items)


def _is_row(output: Array) -> bool:
    if output.dtype.kind != "f" or output.ndim not in {1, 2, 4}:
        return False
    channels_last = output.ndim == 4 and output.shape[:3] == (1, 1, 1)
    flat = output.ndim == 1 or output.shape[0] == 1
    return bool(
        flat and output.size >= 2 and (output.ndim < 3 or channels_last or output.shape[2:] == (1, 1))
    )


def _reason(evidence: Evidence, count: int, *, sure: bool) -> str:
    if "classify" in {evidence.metadata.get("task"), evidence.task} or evidence.named == "classify":
        return "its task says so"
    if len(evidence.labels) == count:
        return f"there are {count} names for it"
    if sure:
        return "they sum to 1"
    return "as many as ImageNet has" if count in {IMAGENET_CLASSES, IMAGENET_CLASSES + 1} else ""


def _usual_input(evidence: Evidence) -> tuple[InputDefaults, tuple[str, ...]]:
    if evidence.metadata.get("task") == "classify":
        return ULTRALYTICS, ()
    if any(key.startswith("Image.") for key in evidence.metadata):  # Windows ML says the rest
        return CUSTOM_VISION, ()
    return TORCHVISION, (
        "nothing says how its pictures were prepared: as torchvision does it (RGB, ImageNet's mean and deviation); "
        "[input] in model.toml says otherwise",
    )
