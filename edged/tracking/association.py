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
        first: Of tracks (M, 4): x1, y1, x2, y2.
        second: Of detections (N, 4).
        reach: (M, 2), pixels to each side, across and down.
    """
    x, y = reach[:, 0:1], reach[:, 1:2]
    wide = np.minimum(first[:, 2:3], second[:, 2]) - np.maximum(first[:, 0:1], second[:, 0]) + 2 * x
    high = np.minimum(first[:, 3:4], second[:, 3]) - np.maximum(first[:, 1:2], second[:, 1]) + 2 * y
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    area = (first[:, 2:3] - first[:, 0:1] + 2 * x) * (first[:, 3:4] - first[:, 1:2] + 2 * y)
    other = (second[:, 2] - second[:, 0] + 2 * x) * (second[:, 3] - second[:, 1] + 2 * y)
    return np.asarray(shared / np.maximum(area + other - shared, 1e-9))


def assign(likeness: Array, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns that go together: most likeness in all, where each pair left out counts as ``least``.

    Args:
        likeness: (M, N), 0-1.
        least: No pair is less alike.
    """
    if not likeness.size:
        return _NOTHING, _NOTHING
    near = likeness > least
    of_row, of_column = near.sum(axis=1), near.sum(axis=0)
    rows = of_row.nonzero()[0]
    if not len(rows):
        return _NOTHING, _NOTHING
    if of_row.max() == of_column.max() == 1:  # nobody has a choice
        return rows, near[rows].argmax(axis=1)
    from lap import lapjv  # noqa: PLC0415  # loaded by the first track that has a choice

    columns = of_column.nonzero()[0]
    cost = 1 - likeness[rows[:, None], columns]
    _, column_of, _ = lapjv(cost, extend_cost=True, cost_limit=1 - least)
    met = (column_of >= 0).nonzero()[0]
    return rows[met], columns[column_of[met]]
