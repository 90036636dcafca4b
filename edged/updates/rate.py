"""How fast bytes may come, and how slowly. Pure: moments are passed in, in seconds of one clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may ask of a box.

    Attributes:
        answer_s: From the first packet to the end of the headers.
        silence_s: Between two pieces.
        refresh_s: For all metadata of one look.
        min_rate_bytes_s: Over each `rate_window_s`, and over the whole of a target.
        rate_window_s: How long a server may be slower.
        grace_s: For a target of no length.
        tries: In a row that bring next to nothing.
        pause_s: After the first of those; doubled after each more.
    """

    answer_s: float = 30.0
    silence_s: float = 30.0
    refresh_s: float = 180.0
    min_rate_bytes_s: float = 8192.0
    rate_window_s: float = 60.0
    grace_s: float = 60.0
    tries: int = 4
    pause_s: float = 1.0

    def total_s(self, length: int, max_rate_bytes_s: float | None) -> float:
        """How long a target of so many bytes may take."""
        return self.grace_s + length / self.least(max_rate_bytes_s)

    def least(self, max_rate_bytes_s: float | None) -> float:
        """Bytes a second that must come where we ourselves let no more than so many through."""
        return min(self.min_rate_bytes_s, (max_rate_bytes_s or self.min_rate_bytes_s * 2) / 2)


class Pace:
    """Whether enough comes."""

    def __init__(self, least_bytes_s: float, window_s: float, now_s: float) -> None:
        self._least, self._window_s = least_bytes_s, window_s
        self._since_s, self._count = now_s, 0

    def enough(self, count: int, now_s: float) -> bool:
        """Count bytes that came; False at the end of a window in which too few did."""
        self._count += count
        elapsed_s = now_s - self._since_s
        if elapsed_s < self._window_s:
            return True
        fast = self._count >= self._least * elapsed_s
        self._since_s, self._count = now_s, 0
        return fast


class Bucket:
    """No more than so many bytes a second, with a burst of a quarter of a second."""

    BURST_S = 0.25
    MOST_AT_ONCE, LEAST_AT_ONCE = 64 * 1024, 1024

    def __init__(self, rate_bytes_s: float | None) -> None:
        """Full.

        Args:
            rate_bytes_s: None = no bound.
        """
        self._rate = rate_bytes_s
        self._free_s = 0.0

    @property
    def piece_bytes(self) -> int:
        """To ask for at once, so that the rate is kept also over parts of a second."""
        if self._rate is None:
            return self.MOST_AT_ONCE
        return int(min(self.MOST_AT_ONCE, max(self.LEAST_AT_ONCE, self._rate * self.BURST_S)))

    def spend(self, count: int, now_s: float) -> float:
        """Bytes came: seconds to wait before the next."""
        if self._rate is None:
            return 0.0
        self._free_s = max(self._free_s, now_s - self.BURST_S) + count / self._rate
        return max(0.0, self._free_s - now_s)
