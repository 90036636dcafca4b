"""Which track goes with which detection: how alike they are, and the best assignment."""

import numpy as np
from numpy.typing import NDArray

from edged.tracking.motion import Array

_NOTHING = np.zeros(0, np.intp)


def overlap_within(first: Array, second: Array, reach: Array) -> Array:
    """The overlap that a track and a detection would have were both larger by what is uncertain of the track.

    At a high frame rate that is hardly more than the IoU. What was last seen long ago, or only once, meets boxes
    beside its own, too.

    Args:
        first: Of tracks (4, M): x1, y1, x2, y2.
        second: Of detections (4, N).
        reach: (2, M), pixels to each side, across and down.
    """
    twice = (2 * reach)[:, :, np.newaxis]
    sides = first[2:] - first[:2] + twice[:, :, 0]
    others = (second[2:] - second[:2])[:, np.newaxis] + twice
    spans = np.minimum(first[2:, :, np.newaxis], second[2:, np.newaxis])
    spans -= np.maximum(first[:2, :, np.newaxis], second[:2, np.newaxis])
    spans += twice
    np.maximum(spans, 0, out=spans)
    shared = spans[0] * spans[1]
    union = others[0] * others[1]
    union += (sides[0] * sides[1])[:, np.newaxis]
    union -= shared
    np.maximum(union, 1e-9, out=union)
    shared /= union
    return np.asarray(shared)


def assign(likeness: Array, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns that go together: most likeness in all, where each pair left out counts as ``least``.

    Args:
        likeness: (M, N), 0-1.
        least: No pair is less alike.
    """
    if not likeness.size:
        return _NOTHING, _NOTHING
    near = likeness > least
    rows, columns = near.nonzero()
    if len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows):  # nobody has a choice
        return rows, columns
    from lap import lapjv  # noqa: PLC0415  # loaded by the first track that has a choice

    of_row, of_column = np.count_nonzero(near, axis=1), np.count_nonzero(near, axis=0)
    chooses = (of_row[rows] > 1) | (of_column[columns] > 1)
    some, others = _different(rows[chooses], len(near)), _different(columns[chooses], near.shape[1])
    side = max(len(some), len(others))
    cost = np.full((side, side), 1 - least)  # a square without a limit is what `lapjv` is quickest with
    cost[: len(some), : len(others)] -= np.maximum(likeness[some[:, np.newaxis], others] - least, 0)
    _, column_of, _ = lapjv(cost)
    column_of = column_of[: len(some)]
    met = (column_of < len(others)).nonzero()[0]
    met = met[near[some[met], others[column_of[met]]]]
    return (
        np.concatenate((rows[~chooses], some[met])),
        np.concatenate((columns[~chooses], others[column_of[met]])),
    )


def _different(numbers: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Each once, ascending; all are below ``count``."""
    there = np.zeros(count, np.bool_)
    there[numbers] = True
    return there.nonzero()[0]
