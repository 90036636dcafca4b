"""How many pictures to give to one inference: measured on the session that will serve, never assumed.

A batch pays where it makes more frames a second: it saves what an inference costs beside its arithmetic. On a CPU that
is little for a large network and much for a small one. It costs age, because the first picture waits for the last.
So a batch must be quicker, by a margin that is above noise, take no longer than it may, and say of each picture what
the model says of that picture alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.manifest import InputRecipe
from edged.worker.agreement import difference
from edged.worker.picture import texture

Array = NDArray[Any]
Run = Callable[[Array], Sequence[Array]]

SIZES = (2, 4, 8, 16, 32, 64)
MIN_GAIN = 1.05
"""A larger batch must make so many times the frames a second of the smaller one."""
MAX_DEVIATION = 0.02
"""Of an answer in a batch from the answer alone, as `edged.worker.agreement` has it: sums are rounded otherwise."""
MAX_SLOT_BYTES = 32 * 1024**2
"""Of a caller's tensors in shared memory."""
RUNS, BUDGET_S = 3, 2.0
"""The least of so many runs counts; no further size is tried after so many seconds."""


def measure(run: Run, recipe: InputRecipe, *, most: int, max_ms: float) -> Iterator[tuple[int, float]]:
    """Milliseconds of an inference of one picture, two, four …, as far as that makes sense.

    Args:
        run: Infers a tensor (N, …), N as large as wanted; see `split` for what it may return.
        recipe: Of one picture.
        most: Pictures at most.
        max_ms: An inference that takes longer is not worth trying a larger one.

    Yields:
        Size and milliseconds, from 1 on, up to the first that is slower a picture; only 1 where the model does not
        answer a batch as it answers its pictures.

    Raises:
        InferenceFailed: It does not run on more pictures than one.
    """
    deadline_s = time.monotonic() + BUDGET_S
    pictures = _pictures(recipe)
    alone = [run(picture) for picture in pictures]
    single_ms = quickest_ms = _least_ms(run, pictures[0])
    yield 1, single_ms
    for size in _sizes(recipe, most):
        if time.monotonic() > deadline_s or size * single_ms / 2 > max_ms:  # no batch halves the time
            return
        batch = np.concatenate([pictures[index % 2] for index in range(size)])
        parts = split(run(batch), size)
        if parts is None or _deviation(alone, parts) > MAX_DEVIATION:
            return
        ms = _least_ms(run, batch)
        yield size, ms
        if ms / size > quickest_ms:
            return
        quickest_ms = ms / size


def choose(measured: Mapping[int, float], *, max_ms: float) -> int:
    """The size of the largest batch that pays.

    Args:
        measured: Milliseconds by size, 1 among them; empty = nothing to choose from, 1.
        max_ms: That a batch may take.

    >>> choose({1: 10.0, 2: 15.0, 4: 29.5}, max_ms=250.0)
    2
    """
    best = 1
    for size in sorted(measured):
        quicker = measured[best] / best >= MIN_GAIN * measured[size] / size
        if size > best and quicker and measured[size] <= max_ms:
            best = size
    return best


def split(outputs: Sequence[Array], count: int) -> list[list[Array]] | None:
    """The outputs of each picture of a batch, as an inference of it alone gives them.

    Returns:
        None where an output does not have a row for each picture.
    """
    if any(output.ndim < 1 or output.shape[0] != count for output in outputs):
        return None
    return [[output[index : index + 1] for output in outputs] for index in range(count)]


def _sizes(recipe: InputRecipe, most: int) -> list[int]:
    """Powers of two, and ``most`` itself, as far as memory goes."""
    one_bytes = int(np.prod(recipe.shape)) * np.dtype(recipe.dtype).itemsize
    most = min(most, MAX_SLOT_BYTES // one_bytes)
    sizes = {size for size in SIZES if size <= most} | {most}
    return sorted(size for size in sizes if size > 1)


def _pictures(recipe: InputRecipe) -> tuple[Array, Array]:
    """Two that differ in every place, so that an answer to the wrong one shows."""
    first = texture(recipe)
    return first, (first * first.dtype.type(0.5)).astype(
        first.dtype
    ) if recipe.dtype != "uint8" else first // 2


def _deviation(alone: Sequence[Sequence[Array]], parts: Sequence[Sequence[Array]]) -> float:
    deviations = []
    for index, part in enumerate(parts):
        reference = alone[index % len(alone)]
        if [a.shape for a in reference] != [b.shape for b in part]:
            return float("inf")
        deviations.append(difference(reference, part))
    return max(deviations)


def _least_ms(run: Run, tensor: Array) -> float:
    times = []
    for _ in range(RUNS):
        started_s = time.perf_counter()
        run(tensor)
        times.append((time.perf_counter() - started_s) * 1000)
    return round(min(times), 3)
