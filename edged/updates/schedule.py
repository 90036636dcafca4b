"""When a box asks and when it downloads. Pure: moments, chance and the local clock are passed in.

A fleet that was switched on at once, or whose window opens at once, does not come at once: chance spreads it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

URGENT_S = 10.0
"""A box with a model that it has no version of asks so soon after its start."""
RETRY_S = 15.0
"""After the first failure in a row; doubled after each more, until the interval is reached."""
SPREAD = 0.1
"""Share of the interval by which two boxes that ask at once drift apart each time."""
MINUTE_S, DAY_MIN = 60, 24 * 60
HORIZON_S = 2 * DAY_MIN * MINUTE_S
"""A window that lies in the hour which a change of clocks skips opens a day later."""

Local = Callable[[float], time.struct_time]
"""Local time of a moment in seconds since 1970, as `time.localtime`."""


def first_s(interval_s: float, chance: float, *, urgent: bool) -> float:
    """Seconds from the start to the first question.

    Args:
        interval_s: As configured.
        chance: 0 ≤ x < 1, another one each time.
        urgent: A model has no version yet.
    """
    return chance * (min(interval_s, URGENT_S) if urgent else interval_s)


def next_s(interval_s: float, chance: float, *, failures: int) -> float:
    """Seconds from one question to the next.

    Args:
        interval_s: As configured.
        chance: 0 ≤ x < 1, another one each time.
        failures: Times in a row that the server was not reached, or an answer or a download broke off.
    """
    if failures:
        bound_s = min(interval_s, RETRY_S * 2.0 ** min(failures - 1, 30))
        return bound_s * (0.5 + chance / 2)
    return interval_s * (1 + SPREAD * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class Window:
    """Part of each day, by local time, in which may be downloaded; the end is not in it.

    Attributes:
        start_min: Minutes after midnight.
        end_min: Minutes after midnight; before the start where it crosses midnight.
    """

    start_min: int
    end_min: int

    @classmethod
    def read(cls, text: str) -> "Window | None":
        """Of ``01:00-05:00``, which the configuration has checked; None where there is none."""
        if not text:
            return None
        start, _, end = text.partition("-")
        return cls(_minutes(start), _minutes(end))

    @property
    def length_s(self) -> float:
        """How long it is open, on days without a change of clocks."""
        return (self.end_min - self.start_min) % DAY_MIN * MINUTE_S

    def is_open(self, local: time.struct_time) -> bool:
        """Whether it is open at that local time."""
        minute = local.tm_hour * 60 + local.tm_min
        return (minute - self.start_min) % DAY_MIN < (self.end_min - self.start_min) % DAY_MIN


def opens_in_s(window: Window | None, now_s: float, local: Local) -> float:
    """Seconds until it may be downloaded; 0 while it may. A change of clocks is what ``local`` says it is.

    Args:
        window: None = always.
        now_s: Seconds since 1970.
        local: Gives local times.
    """
    if window is None or window.is_open(local(now_s)):
        return 0.0
    minute_s = now_s - now_s % MINUTE_S
    for later_s in range(MINUTE_S, HORIZON_S, MINUTE_S):
        if window.is_open(local(minute_s + later_s)):
            return minute_s + later_s - now_s
    return float(HORIZON_S)


def spread_s(window: Window, interval_s: float, chance: float) -> float:
    """Seconds after it has opened at which a box begins, so that a fleet does not begin at once."""
    return chance * min(interval_s, window.length_s / 2)


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
