"""Many things looked at side by side, within one bound."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.deadline import Deadline
from edged.doctor.findings import Finding
from edged.errors import EdgedError

LAST_WORDS_S = 2.0
"""For checks that end with their bound to say so."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Attributes:
        subject: For the finding that it was not looked at.
        look: Called once, in a thread of its own; ends by itself when the deadline is over.
    """

    subject: str
    look: Callable[[Deadline], Iterable[Finding]]


def examine(checks: Sequence[Check], *, timeout_s: float) -> list[Finding]:
    """What all of them found, in their order.

    Args:
        checks: Each in a thread; one that does not come back in time, or fails, is a finding too.
        timeout_s: For all together. Two seconds more may pass until the slowest have said that they were late.
    """
    deadline = Deadline.within(timeout_s)
    rounds = [_Round(check, deadline) for check in checks]
    for one in rounds:
        one.start()
    last = Deadline(deadline.at_s + LAST_WORDS_S)
    for one in rounds:
        one.join(last.left_s())
    return [finding for one in rounds for finding in one.findings()]


class _Round(threading.Thread):
    """One check at work."""

    def __init__(self, check: Check, deadline: Deadline) -> None:
        super().__init__(name=f"check-{check.subject}", daemon=True)
        self._check, self._deadline = check, deadline
        self._found: list[Finding] | None = None

    def run(self) -> None:
        """Look."""
        subject = self._check.subject
        try:
            self._found = list(self._check.look(self._deadline))
        except EdgedError as error:
            self._found = [kinds.UNEXAMINED.found(subject, error.problem, instead=error.remedy)]
        except Exception as error:  # noqa: BLE001  # a bug in one check must not hide what the others found
            seen = f"a bug of edged: {type(error).__name__}: {error}"
            self._found = [kinds.UNEXAMINED.found(subject, seen, instead="report it with this line")]

    def findings(self) -> list[Finding]:
        """What it found until now."""
        if self._found is not None:
            return self._found
        return [kinds.UNEXAMINED.found(self._check.subject, "it took longer than there was time for")]
