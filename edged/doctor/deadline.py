"""When everything that waits must be over."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at_s: float

    @classmethod
    def within(cls, seconds: float) -> "Deadline":
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left_s(self, most: float = float("inf")) -> float:
        """Seconds left, ``most`` at most; 0 when there are none."""
        return min(most, max(0.0, self.at_s - time.monotonic()))

    @property
    def is_over(self) -> bool:
        """Whether there are none left."""
        return not self.left_s()
