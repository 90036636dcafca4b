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


def difference(reference: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> float:
    """How far an answer is from the reference: 0 for the same, 1 for an answer of zeros.

    Rows that a model chose by their score may come in another order where scores are close; the order does not count.

    Args:
        reference: An array an output.
        outputs: As the reference.

    Returns:
        The greatest root mean square of the deviation, relative to that of the reference, of all numeric outputs;
        infinity where shapes differ or only one of the two is finite; 0 where there is nothing to compare.
    """
    return max((_of_one(a, b) for a, b in zip(reference, outputs, strict=True)), default=0.0)


def _of_one(reference: NDArray[Any], output: NDArray[Any]) -> float:
    if not np.issubdtype(reference.dtype, np.floating):
        return 0.0
    if reference.shape != output.shape:
        return float("inf")
    a, b = reference.astype(np.float64), output.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0 if np.array_equal(np.isfinite(a), np.isfinite(b)) else float("inf")
    if not a.size:
        return 0.0
    deviation = np.sqrt(((a - b) ** 2).mean())
    if a.ndim > 1:
        deviation = min(deviation, np.sqrt(((np.sort(a, axis=-2) - np.sort(b, axis=-2)) ** 2).mean()))
    scale = np.sqrt((a**2).mean())
    return float(deviation / scale) if scale else (float("inf") if deviation else 0.0)
