"""When a version is tried again whose trial failed for what says nothing about it. Pure: times are passed in."""

from collections import Counter

from edged.errors import EdgedError, KilledWhileLoading, NotAllowed, Unreachable
from edged.lifecycle.ledger import Version

RETRY_S, MAX_RETRY_S = 30.0, 3600.0
"""After the first time; each time twice as long."""
MAX_KILLED = 2
"""By the kernel for want of memory, or by a person: it counts against a version from this time on."""


class Retries:
    """Owned by the model's thread."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[float, int]] = {}
        self._killed: Counter[str] = Counter()

    def excuses(self, error: EdgedError, version: Version) -> bool:
        """Whether a failure says nothing about a version: to be asked once for each."""
        if isinstance(error, KilledWhileLoading):
            self._killed[version.content] += 1
            return self._killed[version.content] < MAX_KILLED
        return isinstance(error, Unreachable | NotAllowed) or not version.content

    def hold(self, number: int, now_s: float) -> None:
        """Do not try a version for a while."""
        tries = self._held[number][1] + 1 if number in self._held else 1
        self._held[number] = (now_s + min(MAX_RETRY_S, RETRY_S * 2 ** (tries - 1)), tries)

    def held(self, now_s: float) -> list[int]:
        """Versions that are not tried now."""
        return [number for number, (until_s, _) in self._held.items() if until_s > now_s]

    def forget(self, number: int) -> None:
        """A version serves, or somebody wants it tried at once."""
        self._held.pop(number, None)
