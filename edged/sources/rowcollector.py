"""Rows on their way out of the readers: taken or rejected, one by one or many at once.

Pure. A reader (`csvrows`, `jsonrows`) finds the values of a row and gives them to the `RowCollector` of their device,
which decides whether the row is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edged.rows import RejectedRow, Rows
from edged.sources.rowvalues import MAX_NUMBER, Echo, RowSpec, Unusable, number_of, printable, text_of
from edged.sources.timestamps import NoTime, RowClock

FEW = 7
"""So many rows or fewer are read one by one."""
PARTS = 8
"""Into which a block with an odd row is divided: fewer would read the other rows more often, more would read more of
them one by one."""
BLOCK = 4096
"""Rows that are read at once at most, so that an odd one costs no more than this many a second time."""

T = TypeVar("T")


def by_parts(items: Sequence[T], block: Callable[[Sequence[T]], bool], one: Callable[[T], None]) -> None:
    """Reads many at once where that works, in smaller parts where it does not, and few one by one; in order.

    Args:
        items: To be read.
        block: Reads many, or changes nothing and answers False.
        one: Reads one.
    """
    if len(items) <= FEW:
        for item in items:
            one(item)
    elif len(items) > BLOCK or not block(items):
        size = min(BLOCK, -(-len(items) // PARTS))
        for start in range(0, len(items), size):
            by_parts(items[start : start + size], block, one)


class RowCollector:
    """Takes the rows of one device, in order: sees to times and missing values, and keeps what it took until asked."""

    def __init__(self, spec: RowSpec) -> None:
        self.features = len(spec.fields) or spec.features
        """How many values a row has for the model; 0 until it is known."""
        self.texts = frozenset(spec.texts)
        """Which of them are texts."""
        self.begun = False
        """Whether a row was taken yet."""
        self._missing = spec.missing
        self._echo = bool(spec.echo)
        self._clock = RowClock(configured=bool(spec.time))
        self._last: tuple[list[float], tuple[str, ...]] | None = None
        self._arrival_s = 0.0
        self._clear()

    def begin(self, arrival_s: float) -> None:
        """What is taken from now on arrived then, in seconds since 1970."""
        self._arrival_s = arrival_s

    def take(
        self, values: Sequence[object], names: Sequence[str], time: object, echo: Mapping[str, Echo]
    ) -> None:
        """One row.

        Args:
            values: Of the features, in order.
            names: Theirs.
            time: What its time field says; a missing field is None.
            echo: What its result is to repeat.

        Raises:
            Unusable: The row is rejected; nothing of it is remembered.
        """
        numbers: list[float] = []
        texts: list[str] = []
        for n, value in enumerate(values):
            if type(value) is float and -MAX_NUMBER <= value <= MAX_NUMBER and not self.texts:
                numbers.append(value)  # by far the most frequent
                continue
            if n in self.texts:
                text = text_of(value, names[n])
                texts.append(self._text_instead(len(texts), names[n]) if text is None else text)
                continue
            number = number_of(value, names[n])
            numbers.append(self._number_instead(len(numbers), names[n]) if number is None else number)
        try:
            at_s = self._clock.measured_s(time, self._arrival_s)
        except NoTime as error:
            raise Unusable(str(error)) from error
        self._numbers.append(numbers)
        self._at_s.append(at_s)
        self._remember(numbers, tuple(texts))
        if self.texts:
            self._row_texts.append(tuple(texts))
        if self._echo:
            self._echoes.append(echo)

    def take_block(
        self,
        numbers: NDArray[np.float64],
        texts: Sequence[tuple[str, ...]],
        times: Sequence[object] | None,
        echoes: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Many rows, where nothing is wrong or missing; otherwise False, and nothing is remembered.

        Args:
            numbers: float64 (N, F), N > 0.
            texts: N of them; empty where no feature is a text.
            times: N of them; None where rows have no time field.
            echoes: N of them; empty where none are wanted.
        """
        if not (np.abs(numbers) <= MAX_NUMBER).all():  # NaN is not, either
            return False
        if times is None:
            times = [None]
        try:
            at_s = self._clock.all_measured_s(times, self._arrival_s)
        except NoTime:
            return False
        self._flush()
        self._blocks.append((numbers, np.broadcast_to(at_s, len(numbers))))
        self._remember(numbers[-1].tolist(), texts[-1] if texts else ())
        self._row_texts += texts
        self._echoes += echoes
        return True

    def reject(self, line: int, reason: str, raw: bytes) -> None:
        """A row is not taken."""
        self._rejected.append(RejectedRow(line, reason, printable(raw)))

    def collected(self) -> tuple[Rows, list[RejectedRow]]:
        """What was taken and rejected since the last call."""
        if self._blocks:
            self._flush()
            numbers = np.concatenate([block for block, _ in self._blocks])
            at_s = np.concatenate([times for _, times in self._blocks])
        else:
            width = len(self._numbers[0]) if self._numbers else max(0, self.features - len(self.texts))
            numbers = np.array(self._numbers, np.float64).reshape(len(self._numbers), width)
            at_s = np.array(self._at_s, np.float64)
        collected = Rows(numbers, self._row_texts, at_s, self._echoes), self._rejected
        self._clear()
        return collected

    def _clear(self) -> None:
        self._blocks: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._numbers: list[list[float]] = []  # taken one by one since the last block
        self._at_s: list[float] = []
        self._row_texts: list[tuple[str, ...]] = []
        self._echoes: list[Mapping[str, Any]] = []
        self._rejected: list[RejectedRow] = []

    def _flush(self) -> None:
        if self._numbers:
            self._blocks.append((np.array(self._numbers, np.float64), np.array(self._at_s, np.float64)))
            self._numbers, self._at_s = [], []

    def _remember(self, numbers: list[float], texts: tuple[str, ...]) -> None:
        self._last = numbers, texts
        self.features = len(numbers) + len(texts)
        self.begun = True

    def _number_instead(self, n: int, name: str) -> float:
        if isinstance(self._missing, str):
            return self._last_of(name)[0][n]
        return self._missing

    def _text_instead(self, n: int, name: str) -> str:
        if isinstance(self._missing, str):
            return self._last_of(name)[1][n]
        return f"{self._missing:g}"

    def _last_of(self, name: str) -> tuple[list[float], tuple[str, ...]]:
        if self._missing == "error":
            raise Unusable(f"{name} is missing")
        if self._last is None:
            raise Unusable(f"{name} is missing, and there is no earlier value to stand for it")
        return self._last
