"""Pictures to calibrate with: an even spread over everything that was named, kept in eight bits on the disk.

As tensors of one model 200 pictures would be a gigabyte. In eight bits, before they are scaled, they are a quarter of
it and lose nothing; and of a file the kernel keeps as much in memory as there is room.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.errors import BadInput, EdgedError
from edged.manifest import InputRecipe
from edged.preprocess import Preparer
from edged.sources.address import resolve
from edged.sources.stream import read_frames
from edged.urls import redacted

LIVE_PERIOD_S = 1.0
"""Between two frames of a camera: neighbours look alike and teach nothing."""


class Evenly:
    """Chooses about so many of a stream of unknown length, evenly, holding at most twice as many at a time.

    Attributes:
        held: Slots of what is held, in order.
    """

    def __init__(self, most: int) -> None:
        self._most, self._every = max(1, most), 1
        self.held: list[int] = []
        self._free = list(range(2 * self._most))[::-1]

    @property
    def slots(self) -> int:
        """How many it needs."""
        return 2 * self._most

    def slot(self, number: int) -> int | None:
        """Where the element of this number goes; None where it is not wanted."""
        if number % self._every:
            return None
        if not self._free:
            self._free, self.held = self.held[1::2][::-1], self.held[::2]
            self._every *= 2
            if number % self._every:
                return None
        self.held.append(self._free.pop())
        return self.held[-1]

    def chosen(self) -> list[int]:
        """Slots of as many as were wanted, or of all where there were fewer."""
        if len(self.held) <= self._most:
            return list(self.held)
        picked = np.linspace(0, len(self.held) - 1, self._most).round().astype(int)
        return [self.held[int(number)] for number in picked]


class Gathered:
    """Tensors of one model, made when they are asked for.

    Float32, or uint8 where the model takes that; of the recipe's shape.
    """

    def __init__(self, kept: Sequence[NDArray[np.uint8]], recipe: InputRecipe) -> None:
        """Of pictures that were prepared in eight bits."""
        self._kept, self._recipe = list(kept), recipe
        shape = (1, -1, 1, 1) if recipe.layout == "NCHW" else (1, 1, 1, -1)
        std = np.array(recipe.std[: recipe.channels])
        self._factor = (recipe.scale / std).astype(np.float32).reshape(shape)
        self._shift = (-np.array(recipe.mean[: recipe.channels]) / std).astype(np.float32).reshape(shape)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self._tensor(kept) for kept in self._kept)

    def at(self, positions: Iterable[int]) -> "Gathered":
        """Some of them."""
        return Gathered([self._kept[position] for position in positions], self._recipe)

    def first(self, count: int) -> "Gathered":
        """So many, evenly spread, or all where there are fewer."""
        return self.at(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int).tolist())

    def _tensor(self, kept: NDArray[np.uint8]) -> NDArray[Any]:
        if self._recipe.dtype == "uint8":
            return np.array(kept)
        return np.asarray(kept * self._factor + self._shift)


def gather(
    inputs: Sequence[str],
    recipe: InputRecipe,
    folder: Path,
    *,
    frames: int,
    on_frame: Callable[[], None] = lambda: None,
    on_bad: Callable[[EdgedError], None] = lambda _error: None,
) -> Gathered:
    """Tensors of the frames, each input giving its share.

    Args:
        inputs: Folders of pictures, pictures, videos, cameras; of a camera a frame a second, until its share is full.
        recipe: Of the model.
        folder: For files that have no name once they are open, so that no end of this process leaves them.
        frames: How many at most.
        on_frame: Called for each frame that was looked at.
        on_bad: Told of each picture that cannot be read, and of each recording that ends early.

    Returns:
        At least one.

    Raises:
        EdgedError: An input cannot be read at all.
    """
    found: list[NDArray[np.uint8]] = []
    kept = recipe
    if recipe.dtype != "uint8":
        kept = replace(recipe, dtype="uint8", scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    for number, name in enumerate(inputs):
        left = len(inputs) - number
        share = max(1, (frames - len(found)) // left)
        found += _of_one(name, kept, folder / f"{number}.tensors", share, on_frame=on_frame, on_bad=on_bad)
    if not found:
        raise BadInput(
            redacted(inputs[0]), "gave no picture", "name a folder of pictures, a video or a camera"
        )
    return Gathered(found, recipe)


def _of_one(
    name: str,
    recipe: InputRecipe,
    path: Path,
    share: int,
    *,
    on_frame: Callable[[], None],
    on_bad: Callable[[EdgedError], None],
) -> list[NDArray[np.uint8]]:
    live = resolve(name, name).live
    spread, preparer = Evenly(share), Preparer(recipe)
    slots = np.memmap(path, np.uint8, "w+", shape=(spread.slots, *recipe.shape))
    with contextlib.suppress(OSError):  # Windows keeps the name while it is open
        path.unlink()
    last_s, count = float("-inf"), 0
    for frame in read_frames(name, name=redacted(name), on_bad=on_bad, on_warning=on_bad):
        if live and frame.captured_monotonic_s - last_s < LIVE_PERIOD_S:
            continue
        last_s = frame.captured_monotonic_s
        slot = spread.slot(count)
        count += 1
        if slot is not None:
            preparer.prepare(frame, slots[slot])
            on_frame()
        if live and count >= share:
            break
    return [slots[slot] for slot in spread.chosen()]
