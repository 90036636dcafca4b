"""What turns logits into probabilities, where the graph leaves that to its reader."""

import numpy as np
from numpy.typing import NDArray


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + exp(-x)), without overflow."""
    half = np.float32(0.5)
    result: NDArray[np.float32] = half + half * np.tanh(half * values)
    return result


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis, without overflow: (…, C) to (…, C); NaN where one is NaN, for the caller to find."""
    with np.errstate(invalid="ignore"):
        raised: NDArray[np.float32] = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chances: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True, dtype=np.float32)
    return chances
