"""Names of messages: unique for ever, sortable by time, the same on every delivery of one message.

An id is a ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random bits as 26 characters of
Crockford's base 32. Within one process each id is greater than the one before, even when the clock
steps back.
"""

import threading
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_MAX = (1 << 128) - 1


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

    def __call__(self) -> str:
        """The next id: 26 characters, greater than all before."""
        milliseconds = min(max(int(self._clock() * 1000), 0), (1 << 48) - 1)
        fresh = (milliseconds << 80) | int.from_bytes(self._randomness(10), "big")
        with self._lock:
            # Within one millisecond, or after a step back: the next number, as the specification has it.
            same_or_past = fresh >> 80 <= self._last >> 80
            self._last = min(self._last + 1 if same_or_past else fresh, _MAX)
            number = self._last
        return _text(number)


def _text(number: int) -> str:
    """130 bits (the upper two are 0) as 13 pairs of characters."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
