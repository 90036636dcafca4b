"""Names of messages: unique for ever, sortable by time, the same on every delivery of one message.

An id is a ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random bits as 26 characters of
Crockford's base 32. Within one process each id is greater than the one before, even when the clock
steps back.
"""

import threading
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_REST = (1 << 50) - 1
_MAX = (1 << 128) - 1
AHEAD_BYTES = 1000


class MessageIds:
    """Makes ids; may be called from any thread.

    Args:
        clock: Seconds since 1970.
        randomness: Gives that many random bytes, as ``os.urandom`` does.
    """

    def __init__(self, *, clock: Callable[[], float], randomness: Callable[[int], bytes]) -> None:
        self._clock, self._randomness = clock, randomness
        self._lock = threading.Lock()
        self._last = 0
        self._beginning = (
            -1,
            "",
        )  # of the last id: bits and characters, the same for thousands in succession

    def __call__(self) -> str:
        """The next id: 26 characters, greater than all before."""
        milliseconds = min(max(int(self._clock() * 1000), 0), (1 << 48) - 1)
        with self._lock:
            if milliseconds <= self._last >> 80:
                # Within one millisecond, or after a step back: the next number, as the specification has it.
                number = min(self._last + 1, _MAX)
            else:
                number = (milliseconds << 80) | int.from_bytes(self._randomness(10), "big")
            self._last = number
            if number >> 50 != self._beginning[0]:
                self._beginning = (number >> 50, _text(number >> 50, 70))
            return self._beginning[1] + _text(number & _REST, 40)


class ReadAhead:
    """Random bytes for a hundred ids at once: asking the system for each would let other threads run before it is made.

    For one thread at a time, as within `MessageIds`.

    Args:
        randomness: Gives that many random bytes, as ``os.urandom`` does.
    """

    def __init__(self, randomness: Callable[[int], bytes]) -> None:
        self._randomness = randomness
        self._bytes, self._used = b"", 0

    def __call__(self, count: int) -> bytes:
        """So many that were never given before; at most `AHEAD_BYTES`."""
        if self._used + count > len(self._bytes):
            self._bytes, self._used = self._randomness(AHEAD_BYTES), 0
        self._used += count
        return self._bytes[self._used - count : self._used]


def _text(number: int, top: int) -> str:
    """Bits in pairs of characters, ten a pair; the first pair begins at bit ``top``."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(top, -1, -10)])
