"""How old a message is, over restarts and whatever the wall clock does.

A box without a battery wakes up in 1970 and jumps by decades once it has the time. So ages are counted on a clock of
our own: the monotonic one while edged runs, and between two runs the wall clock, where both of its readings can be
believed.
"""

PLAUSIBLE_FROM_S = 1_767_225_600.0
"""2026-01-01: a wall clock before this was never set."""

PLAUSIBLE_PAUSE_S = 5 * 365.25 * 86400.0
"""A box that was away for longer than this has a wrong clock."""


def resumed_s(last_s: float, last_wall_s: float, wall_s: float) -> float:
    """What our clock shows as a run begins.

    Args:
        last_s: Its last known reading, in seconds.
        last_wall_s: The wall clock's at that time, in seconds since 1970.
        wall_s: The wall clock's now.

    >>> resumed_s(50.0, 1_800_000_000.0, 1_800_000_600.0)
    650.0
    >>> resumed_s(50.0, 1_800_000_000.0, 60.0)
    50.0
    """
    believable = min(last_wall_s, wall_s) >= PLAUSIBLE_FROM_S
    pause_s = wall_s - last_wall_s
    return last_s + (pause_s if believable and 0 < pause_s <= PLAUSIBLE_PAUSE_S else 0.0)
