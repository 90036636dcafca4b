"""The vibration of the demo: recorded rows, played into a FIFO as an accelerometer would write them.

    story ─ rows ─→ Player ─ as many as the clock says ─→ FIFO ─→ the daemon's sensor

The clock is the monotonic one. Who reads too slowly makes the signal late, never long: no row is taken from the story
before the last ones are in the pipe, and time in which nothing could be written is not made up for. So a slow
reader loses no row, and windows stay those of the recordings.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

NORMAL, FAULTS = "normal", ("inner", "outer", "ball")
ROWS_PER_S = 12_800
"""Of the recordings."""
NORMAL_TIMES, FAULT_TIMES = 4, 6
"""Recordings, 0.64 s each, of a part of the story: twenty seconds of it have a fault, and its end."""
TURN_ROWS = 1361
"""A recording begins this much later each time it is played, so that no two windows are alike."""
BEAT_S = 0.05
MAX_LATE_S = 0.25
"""So much time is made up for at once."""
END_S = 1.0

NO_PIPE = -1


def story(recordings: Mapping[str, Sequence[bytes]]) -> Iterator[bytes]:
    """Rows without end: normal, then a fault, normal again, then the next fault.

    Args:
        recordings: Lines of CSV with their line feeds, by label: `NORMAL` and `FAULTS`, none of them empty.
    """
    turn = 0
    for fault in cycle(FAULTS):
        for label in (NORMAL,) * NORMAL_TIMES + (fault,) * FAULT_TIMES:
            rows = recordings[label]
            start = turn % len(rows)
            yield from rows[start:]
            yield from rows[:start]
            turn += TURN_ROWS


def recording(file: Path) -> list[bytes]:
    """The lines of a CSV without its header."""
    return file.read_bytes().splitlines(keepends=True)[1:]


class Pace:
    """How many rows are due. Pure.

    Args:
        rows_per_s: Of the signal.
        began_s: When its first row was measured.
        max_late_s: What was due longer ago is put off.
    """

    def __init__(self, rows_per_s: float, began_s: float, max_late_s: float = MAX_LATE_S) -> None:
        self._rows_per_s, self._max_late_s = rows_per_s, max_late_s
        self._began_s, self._given = began_s, 0

    def due(self, now_s: float) -> int:
        """The rows measured since this was asked last.

        >>> pace = Pace(100, began_s=0.0, max_late_s=0.5)
        >>> [pace.due(0.25), pace.due(0.25), pace.due(0.5), pace.due(60.0), pace.due(60.25)]
        [25, 0, 25, 50, 25]
        """
        late_s = now_s - self._began_s - self._given / self._rows_per_s
        if late_s > self._max_late_s:
            self._began_s += late_s - self._max_late_s
        rows = int((now_s - self._began_s) * self._rows_per_s) - self._given
        self._given += max(0, rows)
        return max(0, rows)


class Player:
    """Writes rows into a FIFO while it has a reader. Never waits for one.

    Args:
        fifo: Its name.
        rows: In order; taken when they are due.
        monotonic: The clock.
    """

    def __init__(
        self, fifo: Path, rows: Iterator[bytes], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fifo, self._rows, self._monotonic = fifo, rows, monotonic
        self._pipe, self._pending = NO_PIPE, b""
        self._pace = Pace(ROWS_PER_S, 0.0)

    def beat(self) -> None:
        """Write what is due and what the pipe takes of it."""
        if self._pipe == NO_PIPE and not self._open():
            return
        if not self._pending:
            self._pending = b"".join(islice(self._rows, self._pace.due(self._monotonic())))
        try:
            self._pending = self._pending[os.write(self._pipe, self._pending) :] if self._pending else b""
        except BlockingIOError:
            return  # it is full
        except OSError:  # the reader went; another one begins with a whole row
            self.close()

    def close(self) -> None:
        """Give the pipe back; what was not written is gone."""
        pipe, self._pipe, self._pending = self._pipe, NO_PIPE, b""
        if pipe != NO_PIPE:
            os.close(pipe)

    def _open(self) -> bool:
        """Whether there is a reader now."""
        with contextlib.suppress(OSError):
            self._pipe = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._pace = Pace(ROWS_PER_S, self._monotonic())
        return self._pipe != NO_PIPE


@contextlib.contextmanager
def played(player: Player) -> Iterator[None]:
    """Play in a thread; ended with the context, within a beat."""
    over = threading.Event()

    def play() -> None:
        try:
            while not over.wait(BEAT_S):
                player.beat()
        finally:
            player.close()

    thread = threading.Thread(target=play, name="demo-vibration", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(END_S)
