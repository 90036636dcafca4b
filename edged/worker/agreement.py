"""Whether two providers give the same answer: what is fast and wrong must not be served.

Seen: OpenVINO 2026.1 on an AMD processor runs statically quantised models three times as fast as the CPU provider, and
puts their boxes elsewhere. Differences of the arithmetic are small beside that (measured root mean squares, relative to
the answer: float32 and float16 below 0.02, the wrong answers from 0.14 on).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DIFFERENCE = 0.1
FEW_ROWS = 4
"""So many rows more or less are what stood at a threshold inside the graph; of many, a quarter."""


def difference(reference: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> float:
    """How far an answer is from the reference: 0 for the same, 1 for an answer of zeros.

    Rows that a model chose by their score may come in another order where scores are close, and with a threshold in the
    graph a few more or fewer; neither counts, and the rows are compared column by column as distributions.

    Args:
        reference: An array an output.
        outputs: As the reference.

    Returns:
        The greatest root mean square of the deviation, relative to that of the reference, of all numeric outputs;
        infinity where shapes differ by more than a few rows, or only one of the two is finite; 0 where there is nothing
        to compare.
    """
    return max((_of_one(a, b) for a, b in zip(reference, outputs, strict=True) if a is not b), default=0.0)


def _of_one(reference: NDArray[Any], output: NDArray[Any]) -> float:
    if not np.issubdtype(reference.dtype, np.floating):
        return 0.0
    a, b = reference.astype(np.float64), output.astype(np.float64)
    if a.shape != b.shape:
        alike = _alike_rows(a, b)
        if alike is None:
            return float("inf")
        a, b = alike
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0 if np.array_equal(np.isfinite(a), np.isfinite(b)) else float("inf")
    if not a.size:
        return 0.0
    deviation = np.sqrt(((a - b) ** 2).mean())
    if a.ndim > 1:
        deviation = min(deviation, np.sqrt(((np.sort(a, axis=-2) - np.sort(b, axis=-2)) ** 2).mean()))
    scale = np.sqrt((a**2).mean())
    return float(deviation / scale) if scale else (float("inf") if deviation else 0.0)


def _alike_rows(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Both with as many rows, sorted in each column and thinned evenly; None where more than a few rows differ."""
    if a.ndim != b.ndim:
        return None
    (axes,) = np.nonzero(np.array(a.shape) != np.array(b.shape))
    if len(axes) != 1:
        return None
    axis = int(axes[0])
    if axis == a.ndim - 1 and a.ndim > 1:
        return None  # columns
    rows = sorted((a.shape[axis], b.shape[axis]))
    if rows[1] - rows[0] > max(FEW_ROWS, rows[1] // 4):
        return None
    return _thinned(a, axis, rows[0]), _thinned(b, axis, rows[0])


def _thinned(values: NDArray[np.float64], axis: int, rows: int) -> NDArray[np.float64]:
    picked = np.linspace(0, values.shape[axis] - 1, rows).round().astype(np.intp)
    return np.take(np.sort(values, axis=axis), picked, axis=axis)
