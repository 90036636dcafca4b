"""Boxes, scores and classes in an output each, a row an object, chosen by the model: NMS is done.

Many detectors end so, and the outputs hardly differ: what a box is measured in, where classes begin, and above all how
the picture is prepared is a matter of the family, which names, ranks and inputs must tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.grid import Units
from edged.decode.nms import require_finite
from edged.decode.rows import pixels_to_unit
from edged.detection import Detections

BACKGROUNDS = {"background", "__background__", "_background_", "--bg--", "bg", "???"}
"""What label files call the class that is none, in small letters."""

MAX_FRACTION = 2.0
"""Fractions of the input stay below this; a picture of two pixels is no picture."""


@dataclass(frozen=True, slots=True)
class Triple:
    """Where the three stand.

    Attributes:
        boxes: Position of the output [N, 4] or [1, N, 4].
        scores: Position of the output [N] or [1, N].
        classes: Position of the output [N] or [1, N].
        batched: Whether they have the axis of the batch.
    """

    boxes: int
    scores: int
    classes: int
    batched: bool

    def describe(self, evidence: Evidence) -> str:
        """As a person knows it: ``boxes [7, 4], labels [7] and scores [7]``, in the order of the model."""
        first, second, third = (
            describe(evidence, n) for n in sorted([self.boxes, self.scores, self.classes])
        )
        return f"{first}, {second} and {third}"

    def greatest_class(self, evidence: Evidence) -> int:
        """The greatest number of a class in the trial; -1 where it found nothing."""
        return int(evidence.trial[self.classes].max(initial=-1))

    def in_fractions(self, evidence: Evidence) -> bool:
        """Whether the trial's boxes can be fractions of the input; true where it found nothing."""
        boxes = evidence.trial[self.boxes]
        return not boxes.size or float(np.abs(boxes).max()) <= MAX_FRACTION


@dataclass(frozen=True, slots=True, eq=False)
class TripleDecoder:
    """Boxes, scores and classes to candidates, which are the objects. N may change from picture to picture, and be 0.

    Attributes:
        at: Where they stand.
        scale: float32 (4,), input pixels to one unit of x1, y1, x2, y2.
        first_class: The number of the first label; what has a lower one is background.
        order: Columns of x1, y1, x2, y2.
        count: Position of the output that says how many rows are meant; None where all are.
    """

    at: Triple
    scale: NDArray[np.float32]
    first_class: int
    order: tuple[int, int, int, int] = (0, 1, 2, 3)
    count: int | None = None

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores, or the classes or boxes of what is chosen.
        """
        score = outputs[self.at.scores].reshape(-1).astype(np.float32)
        if self.count is not None:
            count = outputs[self.count].reshape(-1)[:1]
            require_finite(count, "numbers of objects")
            score = score[: int(count[0])]
        require_finite(score, "scores")
        chosen = np.flatnonzero(score >= min_score)
        numbers = outputs[self.at.classes].reshape(-1)[chosen]
        require_finite(numbers, "classes")
        class_id = np.rint(numbers).astype(np.int32) - np.int32(self.first_class)
        chosen, class_id = chosen[class_id >= 0], class_id[class_id >= 0]
        boxes = outputs[self.at.boxes].reshape(-1, 4)[chosen][:, list(self.order)].astype(np.float32)
        xyxy = boxes * self.scale
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[chosen], class_id)


def triple_named(evidence: Evidence, boxes: str, scores: str, classes: str) -> Triple | None:
    """Find three outputs by their names; None where one is missing or they are not of one length."""
    at = [evidence.output(name) for name in (boxes, scores, classes)]
    found = [one for one in at if one is not None]
    return _triple(evidence, *found) if len(found) == 3 else None


def triple_unnamed(evidence: Evidence) -> Triple | None:
    """Find them by their kinds: the boxes first, whole numbers for classes, and nothing else of one row an object.

    Masks [N, 1, H, W] and keypoints [N, K, 3] with their scores [N, K] may stand beside them.
    """
    trial = evidence.trial
    if len(trial) < 3 or trial[0].shape[-1:] != (4,):
        return None
    flat = [n for n, output in enumerate(trial) if output.ndim == trial[0].ndim - 1]
    whole = [n for n in flat if trial[n].dtype.kind in "iu"]
    scores = [n for n in flat if trial[n].dtype.kind == "f"]
    rest = [output for n, output in enumerate(trial) if n and n not in flat]
    if len(whole) != 1 or len(scores) != 1 or not all(_is_shape_of_objects(one) for one in rest):
        return None
    return _triple(evidence, 0, scores[0], whole[0])


def _is_shape_of_objects(output: Array) -> bool:
    masks = output.ndim == 4 and output.shape[1] == 1
    return output.dtype.kind == "f" and (masks or output.ndim in {2, 3})


def _triple(evidence: Evidence, boxes: int, scores: int, classes: int) -> Triple | None:
    box, score, kind = (evidence.trial[n] for n in (boxes, scores, classes))
    batched = box.ndim == 3
    batch = (1,) if batched else ()
    alike = score.shape == kind.shape and box.shape == (*score.shape, 4) and score.ndim == 1 + batched
    floats = box.dtype.kind == "f" and score.dtype.kind == "f"
    if not alike or not floats or box.shape[:-2] != batch or not _are_classes(kind) or not _are_scores(score):
        return None
    return Triple(boxes, scores, classes, batched)


def _are_classes(output: Array) -> bool:
    return output.dtype.kind in "iu" or (output.dtype.kind == "f" and bool((output == np.rint(output)).all()))


def _are_scores(output: Array) -> bool:
    return bool(output.min(initial=0) >= -0.02 and output.max(initial=0) <= 1.1)


def has_whole_classes(evidence: Evidence, found: Triple) -> bool:
    """Whether classes are integers in the file too, as PyTorch exports them."""
    return evidence.trial[found.classes].dtype.kind in "iu"


def names_background(labels: Sequence[str]) -> bool:
    """Whether the first label is what is none: then the numbers of the outputs count from it."""
    return bool(labels) and labels[0].strip().lower() in BACKGROUNDS


def first_number(labels: Sequence[str], background: int = 0) -> int:
    """The number in the outputs of the first label, where ``background`` is that of what is none."""
    return background + (0 if names_background(labels) else 1)


def too_few_labels(evidence: Evidence, found: Triple, first_class: int) -> str | None:
    """A sentence where the trial found a class that the labels do not name."""
    greatest, named = found.greatest_class(evidence) - first_class, len(evidence.labels)
    if not named or greatest < named:
        return None
    what = describe(evidence, found.classes)
    return (
        f"{what} found class {greatest} (counted from 0) in its trial, and the labels name {named}; "
        "correct labels in model.toml or labels.txt"
    )


def usual_or_none(
    evidence: Evidence, found: Triple, first_class: int, usual: tuple[str, ...]
) -> tuple[str, ...]:
    """The names of the published models, where the trial found no class beyond them."""
    return usual if found.greatest_class(evidence) - first_class < len(usual) else ()


def listed(
    evidence: Evidence,
    found: Triple,
    family: str,
    filled: InputDefaults,
    *,
    units: Units,
    first_class: int,
    where: str = "corners",
    of: str = "",
    order: tuple[int, int, int, int] = (0, 1, 2, 3),
    count: int | None = None,
    usual: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    min_score: float | None = None,
) -> Recognition | str:
    """A model of such outputs, or a sentence where its labels do not fit.

    Args:
        evidence: Of the model.
        found: Where the three stand.
        family: Its name.
        filled: How its pictures are.
        units: Of the boxes.
        first_class: As `TripleDecoder`.
        where: What a box's numbers are, for a person.
        of: What the units are those of, for a person.
        order: As `TripleDecoder`.
        count: As `TripleDecoder`.
        usual: Names of the published models.
        notes: For a person.
        min_score: Of the family's own demo.
    """
    wrong = too_few_labels(evidence, found, first_class)
    if wrong:
        return wrong
    scale = pixels_to_unit(units, evidence.height, evidence.width)
    measure = "fractions" if units is Units.FRACTIONS else "pixels"
    return Recognition(
        family=family,
        why=f"{found.describe(evidence)} list what was found, {where} in {measure}{of}",
        class_count=len(evidence.labels),
        input=filled,
        decoder=TripleDecoder(found, scale, first_class, order, count),
        overlapping=False,
        notes=notes,
        usual_labels=usual_or_none(evidence, found, first_class, usual),
        min_score=min_score,
    )


def left_out(evidence: Evidence, found: Triple) -> tuple[str, ...]:
    """Notes on masks and keypoints, by the shapes of the outputs beside the three."""
    beside = [
        evidence.trial[n].ndim
        for n in range(len(evidence.trial))
        if n not in {found.boxes, found.scores, found.classes}
    ]
    notes = {
        4: "its masks are left out, boxes only",
        3: "its keypoints are left out, boxes only",
    }
    return tuple(note for axes, note in notes.items() if axes in beside)
