"""Rows of one device that a coming window needs, and windows as views into them. Pure but for the receipts it holds."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edged.rows import Receipt, Rows, Windows


@dataclass(slots=True)
class Cut:
    """Windows in a buffer, evenly apart: ``start + n * step`` to ``start + n * step + length``."""

    start: int
    length: int
    step: int = 0
    count: int = 1

    @property
    def stop(self) -> int:
        """Behind the last row of the last window."""
        return self.start + (self.count - 1) * self.step + self.length

    def extend(self, start: int, stop: int) -> bool:
        """One more window, where it is as long as these and as far from the last; otherwise False."""
        step = start - (self.start + (self.count - 1) * self.step)
        if stop - start != self.length or step <= 0 or (self.count > 1 and step != self.step):
            return False
        self.step, self.count = step, self.count + 1
        return True


class RowBuffer:
    """Grows at its end and shrinks at its beginning.

    Windows are views into its arrays. So what was written stays as it is: rows are added behind the last one, and where
    there is no room, to new arrays.
    """

    def __init__(self) -> None:
        self.covered = 0
        """How many of the first rows were in a window already."""
        self.last_at_s: float | None = None
        """Time of the last row that came, whether or not it is still here."""
        self.zero_s: float | None = None
        """Where windows by time count from."""
        self.next_window = 0
        """Number of the next window by time."""
        self._start = self._stop = 0
        self._skip = 0  # rows to come that no window needs
        self._numbers: NDArray[np.float64] = np.empty((0, 0))
        self._at_s: NDArray[np.float64] = np.empty(0)
        self._texts: list[tuple[str, ...]] = []
        self._echoes: list[Mapping[str, Any]] = []
        self._receipts: deque[tuple[Receipt | None, int]] = deque()  # and how many rows it is for

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def numbers(self) -> NDArray[np.float64]:
        """float64 (N, F)."""
        return self._numbers[self._start : self._stop]

    @property
    def at_s(self) -> NDArray[np.float64]:
        """float64 (N,)."""
        return self._at_s[self._start : self._stop]

    def append(self, rows: Rows, start: int, stop: int, receipt: Receipt | None) -> None:
        """Rows ``start`` to ``stop``, and a hold on their receipt."""
        self.last_at_s = float(rows.at_s[stop - 1])
        skipped = min(self._skip, stop - start)
        self._skip -= skipped
        start += skipped
        if start == stop:
            return
        self._add(rows.numbers[start:stop], rows.at_s[start:stop])
        self._texts += rows.texts[start:stop]
        self._echoes += rows.echoes[start:stop]
        self._receipts.append((receipt, stop - start))
        if receipt:
            receipt.hold()

    def windows(
        self,
        cut: Cut,
        *,
        source: str,
        origin: str,
        sequence: int,
        at_monotonic_s: float,
        receipts: tuple[Receipt, ...],
    ) -> Windows:
        """These windows."""
        starts = range(cut.start, cut.stop - cut.length + 1, cut.step or 1)
        ends = [start + cut.length for start in starts]
        span = slice(cut.start, cut.stop)
        every = sliding_window_view(self.numbers[span], cut.length, axis=0)
        at_s = self.at_s[span]
        return Windows(
            source=source,
            origin=origin,
            sequence=sequence,
            numbers=every[:: cut.step or 1].transpose(0, 2, 1),
            texts=[tuple(self._texts[a:b]) for a, b in zip(starts, ends, strict=True)] if self._texts else (),
            first_at_s=at_s[: len(at_s) - cut.length + 1][:: cut.step or 1],
            last_at_s=at_s[cut.length - 1 :][:: cut.step or 1],
            arrived_monotonic_s=at_monotonic_s,
            echoes=[self._echoes[end - 1] for end in ends] if self._echoes else (),
            receipts=receipts,
        )

    def held(self, cut: Cut) -> tuple[Receipt, ...]:
        """The receipts of the rows of these windows, each held once more."""
        receipts: list[Receipt] = []
        start = 0
        for receipt, count in self._receipts:
            if receipt and start < cut.stop and start + count > cut.start:
                receipt.hold()
                receipts.append(receipt)
            start += count
        return tuple(receipts)

    def let_go(self, receipt: Receipt) -> None:
        """Hold a receipt no longer, and keep its rows."""
        for n, (held, rows) in enumerate(self._receipts):
            if held is receipt:
                self._receipts[n] = None, rows
                receipt.let_go()

    def drop(self, count: int) -> None:
        """The first ``count`` rows; where that is more than there are, of those to come too."""
        dropped = min(count, len(self))
        self._skip += count - dropped
        self._start += dropped
        self.covered = max(0, self.covered - dropped)
        if self._texts:
            del self._texts[:dropped]
        if self._echoes:
            del self._echoes[:dropped]
        while dropped:
            receipt, rows = self._receipts.popleft()
            if rows > dropped:
                self._receipts.appendleft((receipt, rows - dropped))
                return
            dropped -= rows
            if receipt:
                receipt.let_go()

    def clear(self) -> None:
        """All rows; what comes next is a beginning."""
        self.drop(len(self))
        self.covered = self._skip = self.next_window = 0
        self.zero_s = None

    def _add(self, numbers: NDArray[np.float64], at_s: NDArray[np.float64]) -> None:
        rows, more = len(self), len(at_s)
        if not rows:
            self._numbers, self._at_s, self._start, self._stop = numbers, at_s, 0, more
            return
        if self._stop + more > len(self._at_s):
            room = 2 * (rows + more)
            grown, grown_at = np.empty((room, numbers.shape[1])), np.empty(room)
            grown[:rows], grown_at[:rows] = self.numbers, self.at_s
            self._numbers, self._at_s, self._start, self._stop = grown, grown_at, 0, rows
        self._numbers[self._stop : self._stop + more] = numbers
        self._at_s[self._stop : self._stop + more] = at_s
        self._stop += more
