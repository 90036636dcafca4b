"""How long to wait before a source is opened again. Pure, but for the dice."""

import random

QUICK_S = (0.5, 1.0, 1.0, 2.0, 3.0)
"""For a source that is away: whatever happened before, it is back within five seconds of its return."""
PATIENT_S = (1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 15.0, 30.0, 60.0)
"""For one that refuses us or is broken: a person must act, and a camera must not lock us out."""
JITTER = 0.2
"""The part by which a wait is cut at random, so that many boxes do not come back at once."""


class Backoff:
    """The waits between attempts; the last of each list goes on for ever."""

    def __init__(self, dice: random.Random | None = None) -> None:
        self._dice = dice or random.Random()  # noqa: S311  spreads attempts, protects nothing
        self._failures = 0

    def failed(self, *, patient: bool) -> float:
        """Note a failure and say how many seconds to wait.

        Args:
            patient: True where only a person can change the outcome.
        """
        waits = PATIENT_S if patient else QUICK_S
        wait_s = waits[min(self._failures, len(waits) - 1)]
        self._failures += 1
        return wait_s * (1 - JITTER * self._dice.random())

    def worked(self) -> None:
        """Note a success: the next failure is a first one."""
        self._failures = 0
