"""Rows of a sensor on their way from a source to the models, and what becomes of them: the records that cross stages.

    source ─ Delivery (bytes: one row or many) ─→ parsed ─ Rows ─→ windows ─ Windows ─→ model ─ Scores ─→ message

A delivery may carry a receipt: its source is told when every result of its rows is safe, and until then can ask for the
same bytes again after a crash.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


class Receipt:
    """Counts who still holds rows of a delivery; the last one to let go settles it. Any thread may call.

    It is made with one holder: whoever made it.
    """

    __slots__ = ("_holders", "_lock", "_settled")

    def __init__(self, settled: Callable[[], None]) -> None:
        """One holder.

        Args:
            settled: Called once, by the thread that lets go last; must not block.
        """
        self._settled, self._holders, self._lock = settled, 1, threading.Lock()

    def hold(self) -> None:
        """One more holder."""
        with self._lock:
            self._holders += 1

    def let_go(self) -> None:
        """One holder less."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._settled()

    def give_up(self) -> None:
        """Settle it, whoever holds it, as nobody may let go any more; called by a holder."""
        with self._lock:
            settled, self._settled = self._settled, _nothing
        settled()


def _nothing() -> None:
    """Nobody is told a second time."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """What a source hands over at once: whole rows, one or many.

    Attributes:
        payload: As it came; lines end with a line feed, the last one may do without.
        at_s: When it came, in seconds since 1970.
        at_monotonic_s: The same on the monotonic clock.
        origin: Which of several devices behind one source it came from, such as what a wildcard stood for.
        receipt: To be let go once every result of its rows is safe; None where the source cannot give it again.
        head: The first lines of the stream, which may name its values, where reading began behind them.
        read: Told how many rows it had, how many of them could not be read, and why the first of those could not;
            None where nobody wants to know.
    """

    payload: bytes
    at_s: float
    at_monotonic_s: float
    origin: str = ""
    receipt: Receipt | None = None
    head: bytes = b""
    read: Callable[[int, int, str], None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """N rows that could be read, in order.

    Attributes:
        numbers: float64 (N, F): the features that are numbers, in the order of the model's.
        texts: For each row the features that are texts, in the order of the model's; empty where it has none.
        at_s: float64 (N,): when each was measured, in seconds since 1970; of its arrival where it does not say.
        echoes: For each row the fields to be repeated in its result; empty where none are wanted.
    """

    numbers: NDArray[np.float64]
    texts: Sequence[tuple[str, ...]]
    at_s: NDArray[np.float64]
    echoes: Sequence[Mapping[str, Any]] = ()

    def __len__(self) -> int:
        return len(self.at_s)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not be read.

    Attributes:
        line: Its number in the stream, from 1; a header counts.
        reason: What is wrong with it, in words.
        text: Its beginning, printable.
    """

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """N windows of one sensor, in order, each of W rows: what one inference or a part of one takes.

    Attributes:
        source: Name of the sensor.
        origin: See `Delivery`.
        sequence: Number of the first of them in the sensor, from 0.
        numbers: float64 (N, W, F).
        texts: For each window its rows' texts; empty where the model takes none.
        first_at_s: float64 (N,): of each window's first row.
        last_at_s: float64 (N,): of each window's last row.
        arrived_monotonic_s: When the last of them was complete, on the monotonic clock.
        echoes: For each window what its last row repeats; empty where nothing is.
        receipts: Held for these windows, each once; to be let go when all of them were dealt with.
    """

    source: str
    origin: str
    sequence: int
    numbers: NDArray[np.float64]
    texts: Sequence[tuple[tuple[str, ...], ...]]
    first_at_s: NDArray[np.float64]
    last_at_s: NDArray[np.float64]
    arrived_monotonic_s: float
    echoes: Sequence[Mapping[str, Any]] = ()
    receipts: tuple[Receipt, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def split(self, at: int) -> "tuple[Windows, Windows]":
        """The first ``at`` of them, and the others; both hold the receipts, as each has results of its own."""
        for receipt in self.receipts:
            receipt.hold()
        first, others = self.part(0, at), self.part(at, len(self))
        return replace(first, receipts=self.receipts), replace(others, receipts=self.receipts)

    def part(self, start: int, stop: int) -> "Windows":
        """Windows ``start`` to ``stop``, without the receipts."""
        return Windows(
            self.source,
            self.origin,
            self.sequence + start,
            self.numbers[start:stop],
            self.texts[start:stop],
            self.first_at_s[start:stop],
            self.last_at_s[start:stop],
            self.arrived_monotonic_s,
            self.echoes[start:stop],
        )


ScoreKind = Literal["class", "value", "anomaly", "outputs"]


def _none() -> NDArray[Any]:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a model said about N windows; which arrays are filled depends on the kind.

    Attributes:
        kind: ``class``, ``value`` (regression), ``anomaly``, or ``outputs`` (whatever came out).
        class_id: int32 (N,), of ``class``: position in the model's labels; -1 where the label is not among them.
        scores: float32 (N, C), of ``class``: of each label; C = 0 where the model gives none.
        names: Of ``class``, where the model's labels are not known beforehand: each window's label; else empty.
        anomaly: bool (N,), of ``anomaly``.
        values: float64 (N, K): of ``value`` the values, of ``anomaly`` the score (K = 1).
        outputs: Of ``outputs``: for each window, name of the output to nested lists.
    """

    kind: ScoreKind
    class_id: NDArray[np.int32] = field(default_factory=_none)
    scores: NDArray[np.float32] = field(default_factory=_none)
    names: Sequence[str] = ()
    anomaly: NDArray[np.bool_] = field(default_factory=_none)
    values: NDArray[np.float64] = field(default_factory=_none)
    outputs: Sequence[Mapping[str, Any]] = ()

    def __len__(self) -> int:
        return max(len(self.class_id), len(self.values), len(self.outputs))

    def part(self, start: int, stop: int) -> "Scores":
        """Of windows ``start`` to ``stop``."""
        if start == 0 and stop == len(self):
            return self
        return Scores(
            self.kind,
            self.class_id[start:stop],
            self.scores[start:stop],
            self.names[start:stop],
            self.anomaly[start:stop],
            self.values[start:stop],
            self.outputs[start:stop],
        )
