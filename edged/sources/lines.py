"""Bytes that come in odd pieces, cut into whole lines. Pure, but for the clock that says when something came.

Rows are lines, but for posted ones. Whoever reads a stream hands on only lines that are complete, and never holds more
of an unfinished one than a row may have.
"""

import time

from edged.rows import Delivery, Receipt
from edged.sources.rowvalues import MAX_ROW_BYTES

BLOCK_BYTES = 256 * 1024
"""Read at once, at most."""


class Lines:
    """Cuts one stream. Not for two threads at once."""

    def __init__(self, *, inside: bool = False) -> None:
        """At the beginning of a line.

        Args:
            inside: Somewhere in a line instead, which is not wanted.
        """
        self._held = bytearray()
        self._skips, self._skipped_bytes = inside, 0

    @property
    def unfinished_bytes(self) -> int:
        """How much came since the last line feed, whether it is held, was passed on, or was skipped."""
        return self._skipped_bytes + len(self._held)

    def cut(self, piece: bytes) -> bytes:
        """The lines that are complete with ``piece``, line feeds included; empty where none is.

        Of a line that outgrows `MAX_ROW_BYTES` the beginning counts as complete, with a line feed: so much and one
        byte, that it is rejected. The rest is skipped.
        """
        if self._skips:
            end = piece.find(b"\n") + 1
            if not end:
                self._skipped_bytes += len(piece)
                return b""
            self._skips, self._skipped_bytes = False, 0
            piece = piece[end:]
        end = piece.rfind(b"\n") + 1
        whole = b""
        if end:
            whole = bytes(self._held) + piece[:end]
            self._held.clear()
        self._held += piece[end:]
        return whole + self._overlong()

    def rest(self) -> bytes:
        """The last line, which no line feed will end any more; empty where there is none. It is held no longer."""
        rest = bytes(self._held)
        self._held.clear()
        self._skips, self._skipped_bytes = False, 0
        return rest

    def _overlong(self) -> bytes:
        """The beginning of the unfinished line, if that is too long; the rest of it will be skipped."""
        if len(self._held) <= MAX_ROW_BYTES:
            return b""
        beginning = bytes(self._held[: MAX_ROW_BYTES + 1]) + b"\n"
        self._skips, self._skipped_bytes = True, len(self._held)
        self._held.clear()
        return beginning


def arrived(
    payload: bytes, receipt: Receipt | None = None, *, origin: str = "", head: bytes = b""
) -> Delivery:
    """A delivery that came now."""
    return Delivery(payload, time.time(), time.monotonic(), origin, receipt, head)
