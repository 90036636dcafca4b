"""What stands behind the box in a row: classes, and what else the model gives and edged leaves out.

The tables here are the first axis of a batch of one, as float32, turned so that a row is a box: (N, columns).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.family import Array, Evidence

COCO_KEYPOINTS = 17 * 3
MAX_METADATA_CHARS = 1000
"""Of a short metadata value, ``kpt_shape``."""

_LOWEST, _HIGHEST = -0.02, 1.1  # of a probability; integer models overshoot


@dataclass(frozen=True, slots=True)
class Columns:
    """How the columns behind the box are shared out.

    Attributes:
        class_count: The first so many are the scores of the classes.
        notes: What the rest is, for a person.
    """

    class_count: int
    notes: tuple[str, ...]


def tables(evidence: Evidence) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The trial outputs that could hold a box a row or a column, with their positions: float32 (A, B)."""
    for index, output in enumerate(evidence.trial):
        if output.dtype.kind != "f" or output.ndim not in {2, 3} or (output.ndim == 3 and len(output) != 1):
            continue
        table = as_table(output)
        if min(table.shape) >= 5:
            yield index, table.astype(np.float32)


def is_table(output: Array) -> bool:
    """Whether a trial's output is [1, A, B] or [A, B] of real numbers, and not empty."""
    flat = output.ndim in {2, 3} and output.shape[:-2] in {(), (1,)}
    return output.dtype.kind == "f" and flat and output.size > 0


def as_table(output: Array) -> Array:
    """[1, A, B] or [A, B] as (A, B), without a copy."""
    return output[0] if output.ndim == 3 else output


def describe(evidence: Evidence, index: int) -> str:
    """An output as a person knows it: ``output0 [1, 84, 8400]``, with the sizes of the trial."""
    return f"{evidence.outputs[index].name} {list(evidence.trial[index].shape)}"


def prototypes(evidence: Evidence) -> int:
    """How many mask prototypes a segmentation model has, an output [1, n, H/4, W/4]; 0 where none."""
    quarter = (evidence.height // 4, evidence.width // 4)
    for output in evidence.trial:
        if output.ndim == 4 and output.shape[0] == 1 and output.shape[2:] == quarter:
            return int(output.shape[1])
    return 0


def keypoints(evidence: Evidence) -> int:
    """How many columns the metadata gives to keypoints, 51 for ``[17, 3]``; 0 where it says nothing."""
    text = evidence.metadata.get("kpt_shape", "")[:MAX_METADATA_CHARS]
    try:
        points, numbers = ast.literal_eval(text)
        return int(points) * int(numbers)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return 0


def share_columns(evidence: Evidence, rest: NDArray[np.float32]) -> Columns | str:
    """Say which columns are classes.

    Args:
        evidence: Labels, metadata and other outputs decide.
        rest: float32 (N, M), a trial's columns behind the box (and the objectness).

    Returns:
        The shares; or a sentence that says why there are none, and what settles it.
    """
    masks, points, names = prototypes(evidence), keypoints(evidence), len(evidence.labels)
    count = rest.shape[1] - masks - points
    notes = []
    if masks:
        notes.append("its masks are left out, boxes only")
    if not points and count == 1 + COCO_KEYPOINTS and names != count:
        beyond = rest[:, 1:count].max() > 2 * _HIGHEST
        if names != 1 and not beyond:
            return (
                f"{count} columns behind the box are 1 class with 17 keypoints or {count} classes, "
                "and nothing says which; "
                'name them in model.toml, labels = ["person"] or all of them'
            )
        count, points = 1, COCO_KEYPOINTS
    if points:
        notes.append("its keypoints are left out, boxes only")
    if count < 1:
        return (
            f"{rest.shape[1]} columns behind the box are too few for {masks + points} of masks and keypoints"
        )
    scores = rest[:, :count]
    if not are_probabilities(scores):
        span = f"{scores.min():.3g} to {scores.max():.3g}"
        return f"scores of {span} are no probabilities; export it with its activation"
    return Columns(count, tuple(notes))


def count_of(classes: int) -> str:
    """``1 class``, ``80 classes``."""
    return f"{classes} class" if classes == 1 else f"{classes} classes"


def are_probabilities(values: NDArray[np.float32]) -> bool:
    """Whether trial values lie in 0-1, give or take what integer arithmetic adds."""
    return bool(values.min() >= _LOWEST and values.max() <= _HIGHEST)
