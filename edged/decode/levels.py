"""Boxes as four distances from a point in each cell of a few levels, each distance a distribution over bins.

Generalised focal loss (GFL, arXiv 2006.04388) gives each side of a box ``bins`` numbers: softmax makes them the chance
of 0, 1, 2 … strides, and their mean is the distance. NanoDet and PicoDet leave that to the reader. A level is the grid
of one stride; levels are known by their number of cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import softmax
from edged.decode.columns import are_probabilities, as_table, count_of, describe, is_table
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.grid import count_rows, make_grid
from edged.decode.nms import best_scores, require_finite
from edged.detection import Detections

STRIDES = (8, 16, 32, 64)
"""Of the levels, the finest first; the families here use the first three, or all."""
MIN_BINS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The rows of one level, or of all of them.

    Attributes:
        scores: Position of the output that holds the class scores, [1, N, C] or the first C of its columns.
        boxes: Position of the output that holds the distributions, [1, N, 4 * bins] or the last columns of the same.
        points: float32 (N, 2), pixels: where each row's distances begin.
        stride: float32 (N, 1), pixels to one unit of its distances.
    """

    scores: int
    boxes: int
    points: NDArray[np.float32]
    stride: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DistributionDecoder:
    """Scores and distributions to candidates: score = the greatest of the classes.

    Attributes:
        heads: Where the rows are.
        class_count: C.
    """

    heads: tuple[Head, ...]
    class_count: int

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        return joined([self._of(head, outputs, min_score) for head in self.heads])

    def _of(self, head: Head, outputs: Sequence[Array], min_score: float) -> Detections:
        scores = as_table(outputs[head.scores])[:, : self.class_count].T
        sides = as_table(outputs[head.boxes])
        if head.boxes == head.scores:
            sides = sides[:, self.class_count :]
        best = best_scores(scores)
        chosen = np.flatnonzero(best >= min_score)
        distances = mean_distances(sides[chosen].astype(np.float32)) * head.stride[chosen]
        require_finite(distances, "boxes")
        points = head.points[chosen]
        xyxy = np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)
        return Detections(xyxy, best[chosen], scores[:, chosen].argmax(axis=0).astype(np.int32))


def mean_distances(sides: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distributions to left, upper, right and lower distance: float32 (N, 4 * bins) to float32 (N, 4), in strides.

    Bins 0, 1, 2 of which the middle one is certain give 1.
    """
    bins = sides.reshape(len(sides), 4, sides.shape[1] // 4)
    steps: NDArray[np.float32] = np.arange(bins.shape[2], dtype=np.float32)
    distances: NDArray[np.float32] = softmax(bins) @ steps
    return distances


def joined(parts: Sequence[Detections]) -> Detections:
    """Candidates of several outputs in one."""
    return Detections(
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.class_id for part in parts]),
    )


def make_head(
    evidence: Evidence, scores: int, boxes: int, strides: tuple[int, ...], *, within: float
) -> Head:
    """The points of these levels; ``within`` is where in its cell a point lies, 0.5 in the middle."""
    grid = make_grid(evidence.height, evidence.width, strides)
    stride = grid.stride[:, None]
    return Head(scores, boxes, (grid.cells + np.float32(within)) * stride, stride)


def strides_of(rows: int, evidence: Evidence) -> tuple[int, ...] | None:
    """The levels that have so many cells together: the first three or all four; None where neither has."""
    several = (STRIDES[:3], STRIDES)
    return next((s for s in several if count_rows(evidence.height, evidence.width, s) == rows), None)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two outputs a level, one of scores and one of distributions.

    Attributes:
        strides: Of the levels.
        positions: Of the outputs, (scores, distributions) a level.
        class_count: Columns of scores.
        bins: Of a distribution.
    """

    strides: tuple[int, ...]
    positions: tuple[tuple[int, int], ...]
    class_count: int
    bins: int


def pairs_of(evidence: Evidence) -> Pairs | None:
    """Sort outputs [1, N, C] and [1, N, 4 * bins] by level, whatever their order and names.

    Scores are probabilities, distributions never are: one of the two is not enough, as a box of four numbers a cell
    would be. None where there are other outputs, or the cells are not those of the first three or of all levels.
    """
    trial = evidence.trial
    if not all(is_table(one) for one in trial):
        return None
    rows = [one.shape[-2] for one in trial]
    strides = STRIDES[: len(trial) // 2]
    cells = [count_rows(evidence.height, evidence.width, (stride,)) for stride in strides]
    if len(strides) not in {3, 4} or sorted(rows) != sorted(cells * 2):
        return None
    levels = [[n for n, count in enumerate(rows) if count == of_level] for of_level in cells]
    scored = [
        [n for n in level if are_probabilities(as_table(trial[n]).astype(np.float32))] for level in levels
    ]
    if any(len(level) != 2 for level in levels) or any(len(one) != 1 for one in scored):
        return None
    positions = tuple((scores, sum(level) - scores) for level, (scores,) in zip(levels, scored, strict=True))
    widths = {(trial[scores].shape[-1], trial[boxes].shape[-1]) for scores, boxes in positions}
    if len(widths) != 1:
        return None
    classes, sides = widths.pop()
    if sides % 4 or sides // 4 < MIN_BINS:
        return None
    return Pairs(strides, positions, classes, sides // 4)


def recognised_pairs(
    evidence: Evidence,
    pairs: Pairs,
    family: str,
    filled: InputDefaults,
    *,
    within: float,
    notes: tuple[str, ...] = (),
) -> Recognition:
    """A model of two outputs a level; ``within`` is where in its cell a point lies, 0.5 in the middle."""
    heads = tuple(
        make_head(evidence, scores, boxes, (stride,), within=within)
        for stride, (scores, boxes) in zip(pairs.strides, pairs.positions, strict=True)
    )
    scores, boxes = pairs.positions[0]
    return Recognition(
        family=family,
        why=(
            f"{describe(evidence, scores)} and {describe(evidence, boxes)} have {count_of(pairs.class_count)} and "
            f"{pairs.bins} bins a side for each cell at stride 8, and so on to stride {pairs.strides[-1]}"
        ),
        class_count=pairs.class_count,
        input=filled,
        decoder=DistributionDecoder(heads, pairs.class_count),
        overlapping=True,
        notes=notes,
    )
