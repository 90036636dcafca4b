"""Windows of rows: so many rows, or so many seconds, each a stride after the one before. Pure.

    rows ─ pushed ─→ cut at gaps ─→ buffer of their device ─→ complete windows
                                     └ what the next window needs stays

Rows of different devices never share a window. Windows hold the receipts of their rows, so that after a crash their
source gives them again: all of them where it can give any number. A broker can not. It sends only so many messages
without an acknowledgement, and takes acknowledgements in order, so one row that waited for the next of its device would
in the end hold back all others. Then only small windows by rows hold the receipts of their rows, and none for longer
than a small window of one device takes; others hold that of the delivery that completed them.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edged.rows import Receipt, Rows, Windows
from edged.sources.rowbuffer import Cut, RowBuffer

MAX_ORIGINS = 1000
"""Devices with a buffer; that of the one unheard for the longest time goes first."""
MAX_WINDOW_ROWS = 1_000_000
"""A window by time that has more rows than this is abandoned."""


class Windower:
    """Makes the windows of one sensor for one model. Called by one thread at a time.

    By time, windows count from the first row after a gap: ``[k * stride, k * stride + window)``. One is complete when a
    row at or after its end arrives; one without a row is none. A gap ends what is not complete.
    """

    def __init__(
        self,
        source: str,
        *,
        window: int | float,
        stride: int | float | None = None,
        gap_s: float | None = None,
        hold_rows: int | None = 16,
        sequence: int = 0,
    ) -> None:
        """No rows yet.

        Args:
            source: Name of the sensor.
            window: An int in rows, a float in seconds.
            stride: From the start of one window to that of the next, as the window in rows or seconds; None = as long.
            gap_s: Rows further apart than this never share a window; None = they may.
            hold_rows: Windows of at most so many rows hold the receipts of those that came with one of the last so many
                deliveries; None = windows of any kind hold those of all their rows.
            sequence: Number of the first window.

        Raises:
            ValueError: One of window and stride is in rows and the other in seconds, or one is not positive.
        """
        stride = window if stride is None else stride
        if type(window) is not type(stride):
            raise ValueError("window and stride are both in rows or both in seconds")
        if window <= 0 or stride <= 0:
            raise ValueError("window and stride are positive")
        self.abandoned = 0
        """Rows that never got into a window, because of a gap or because their window became too large."""
        self.gaps = 0
        """How often a gap began a new window."""
        self._source = source
        self._window, self._stride = window, stride
        self._by_time = isinstance(window, float)
        self._gap_s = gap_s
        self._holds = hold_rows is None or (not self._by_time and window <= hold_rows)
        self._hold_rows = hold_rows
        self._waiting: deque[tuple[RowBuffer | None, Receipt]] = (
            deque()
        )  # of the last deliveries that may be held
        self.sequence = sequence
        """Number of the next window."""
        self._buffers: OrderedDict[str, RowBuffer] = OrderedDict()

    def push(
        self, rows: Rows, *, origin: str = "", at_monotonic_s: float, receipt: Receipt | None = None
    ) -> list[Windows]:
        """The windows that these rows complete.

        Args:
            rows: Of one device, in order.
            origin: Which device.
            at_monotonic_s: When they arrived.
            receipt: Of their delivery; the caller keeps its own hold, and may let go after this call.
        """
        if not len(rows):
            self.pass_over(receipt)
            return []
        if self._window == 1 and self._stride == 1 and not self._by_time:
            return [self._each(rows, origin, at_monotonic_s, receipt)]
        buffer = self._buffer(origin, rows)
        self._hold_no_longer(buffer, receipt)
        made: list[Windows] = []
        for start, stop, is_gap in self._pieces(rows.at_s, buffer.last_at_s):
            if is_gap:
                self.gaps += 1
                self._begin_anew(buffer)
            buffer.append(rows, start, stop, receipt if self._holds else None)
            made += self._complete(buffer, origin, at_monotonic_s, receipt)
            if len(buffer) > MAX_WINDOW_ROWS:
                self._begin_anew(buffer)
        return made

    def pass_over(self, receipt: Receipt | None) -> None:
        """A delivery had no row; it waits behind those whose receipts are held all the same."""
        self._hold_no_longer(None, receipt)

    def close(self) -> None:
        """Lets go of all rows that wait for their window."""
        for buffer in self._buffers.values():
            self._begin_anew(buffer)
        self._buffers.clear()
        self._waiting.clear()

    def _each(self, rows: Rows, origin: str, at_monotonic_s: float, receipt: Receipt | None) -> Windows:
        """A window a row, without a copy."""
        return Windows(
            source=self._source,
            origin=origin,
            sequence=self._numbered(len(rows)),
            numbers=rows.numbers[:, None, :],
            texts=[(text,) for text in rows.texts],
            first_at_s=rows.at_s,
            last_at_s=rows.at_s,
            arrived_monotonic_s=at_monotonic_s,
            echoes=rows.echoes,
            receipts=_held(receipt),
        )

    def _buffer(self, origin: str, rows: Rows) -> RowBuffer:
        buffer = self._buffers.setdefault(origin, RowBuffer())
        self._buffers.move_to_end(origin)
        if len(self._buffers) > MAX_ORIGINS:
            self._begin_anew(self._buffers.popitem(last=False)[1])
        if len(buffer) and buffer.numbers.shape[1] != rows.numbers.shape[1]:
            self._begin_anew(buffer)
        return buffer

    def _hold_no_longer(self, buffer: RowBuffer | None, receipt: Receipt | None) -> None:
        """One more delivery: receipts of one that is too many deliveries ago are let go, and its rows stay."""
        if receipt is None or self._hold_rows is None or not self._holds:
            return
        self._waiting.append((buffer, receipt))
        if len(self._waiting) > self._hold_rows:
            former, its_receipt = self._waiting.popleft()
            if former is not None:
                former.let_go(its_receipt)

    def _pieces(self, at_s: NDArray[np.float64], last_at_s: float | None) -> Iterator[tuple[int, int, bool]]:
        """The parts between gaps: start, stop, and whether a gap comes before."""
        gaps: list[int] = []
        if self._gap_s is not None or self._by_time:
            steps = np.diff(at_s, prepend=at_s[0] if last_at_s is None else last_at_s)
            far = math.inf if self._gap_s is None else self._gap_s
            gaps = np.flatnonzero((steps < 0) | (steps > far)).tolist()
        starts = gaps if gaps and gaps[0] == 0 else [0, *gaps]
        for start, stop in zip(starts, [*starts[1:], len(at_s)], strict=True):
            yield start, stop, start in gaps[:1] or start > 0

    def _complete(
        self, buffer: RowBuffer, origin: str, at_monotonic_s: float, receipt: Receipt | None
    ) -> list[Windows]:
        """Takes the complete windows out of a buffer."""
        cuts, done = self._by_seconds(buffer) if self._by_time else self._by_rows(buffer)
        made = [
            buffer.windows(
                cut,
                source=self._source,
                origin=origin,
                sequence=self._numbered(cut.count),
                at_monotonic_s=at_monotonic_s,
                receipts=buffer.held(cut) if self._holds else _held(receipt),
            )
            for cut in cuts
        ]
        buffer.covered = max([buffer.covered, *(cut.stop for cut in cuts)])
        buffer.drop(done)
        return made

    def _by_rows(self, buffer: RowBuffer) -> tuple[list[Cut], int]:
        """The complete windows, and how many rows no later one needs: possibly more than there are."""
        window, stride = int(self._window), int(self._stride)
        count = (len(buffer) - window) // stride + 1
        if count <= 0:
            return [], 0
        return [Cut(0, window, stride, count)], count * stride

    def _by_seconds(self, buffer: RowBuffer) -> tuple[list[Cut], int]:
        at_s = buffer.at_s
        if not len(at_s):
            return [], 0
        if buffer.zero_s is None:
            buffer.zero_s = float(at_s[0])
        cuts: list[Cut] = []
        zero_s, k, last_s = buffer.zero_s, buffer.next_window, float(at_s[-1])
        while (end_s := zero_s + self._ends_s(k)) <= last_s:
            start, stop = at_s.searchsorted((zero_s + k * self._stride, end_s)).tolist()
            k += 1
            if start == stop:  # nothing until the next row, however far that is
                ahead = (float(at_s[stop]) - zero_s - self._window) / self._stride
                k = max(k, math.floor(ahead))
            elif not (cuts and cuts[-1].extend(start, stop)):
                cuts.append(Cut(start, stop - start))
        buffer.next_window = k
        return cuts, int(at_s.searchsorted(zero_s + k * self._stride))

    def _ends_s(self, k: int) -> float:
        """End of window ``k``; to the last bit the beginning of the next, where that is meant."""
        return (k + 1) * self._stride if self._stride == self._window else k * self._stride + self._window

    def _begin_anew(self, buffer: RowBuffer) -> None:
        self.abandoned += len(buffer) - buffer.covered
        buffer.clear()

    def _numbered(self, count: int) -> int:
        first = self.sequence
        self.sequence += count
        return first


def _held(receipt: Receipt | None) -> tuple[Receipt, ...]:
    if receipt is None:
        return ()
    receipt.hold()
    return (receipt,)
