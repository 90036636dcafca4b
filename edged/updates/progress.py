"""How far the update of each model is, as people and fleets see it. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["checked", "offered", "downloading", "staged", "active", "refused", "unreachable"]
STATES: tuple[State, ...] = (
    "checked",
    "offered",
    "downloading",
    "staged",
    "active",
    "refused",
    "unreachable",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one model.

    Attributes:
        state: ``checked``: asked, and nothing is newer for this box. ``offered``: there is a version, and something is
            waited for. ``staged``: it is in the store, where the gate takes it. ``refused``: it, or the repository,
            did not stand the verification, or is not for this box. ``unreachable``: the server, the network, or the
            disk: tried again later. ``active`` is what `staged` becomes once the version serves.
        version: That is spoken of, or None.
        done_bytes: Of a download.
        of_bytes: Of a download.
        reason: Why, in one line; empty without one.
        at_s: When it came into this state, in seconds since 1970.
    """

    state: State
    version: int | None = None
    done_bytes: int | None = None
    of_bytes: int | None = None
    reason: str = ""
    at_s: float = 0.0

    def since(self, before: "Progress | None") -> "Progress":
        """The same, as old as the state before it where that is the same state."""
        if before and (before.state, before.version, before.reason) == (
            self.state,
            self.version,
            self.reason,
        ):
            return replace(self, at_s=before.at_s)
        return self


class Steps:
    """Says which steps of a download are worth telling. Not synchronised."""

    EVERY_S, STEP = 10.0, 0.1

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told_s, self._told_share = float("-inf"), -1.0
        self._done_bytes: int | None = None
        self._of_bytes = 0

    def arrived(self, done_bytes: int, of_bytes: int) -> int:
        """Bytes that came since the last call; of a download that begins anew, or goes on, none yet.

        Args:
            done_bytes: That are here, those of earlier attempts among them.
            of_bytes: Of all.
        """
        before, self._done_bytes = self._done_bytes, done_bytes
        same, self._of_bytes = of_bytes == self._of_bytes, of_bytes
        return max(0, done_bytes - before) if same and before is not None else 0

    def tells(self, done_bytes: int, of_bytes: int, now_s: float) -> bool:
        """Whether to tell: every ten seconds, or every tenth of it in more than a second.

        Args:
            done_bytes: That are here.
            of_bytes: Of all.
            now_s: On the monotonic clock.
        """
        share, passed_s = done_bytes / max(1, of_bytes), now_s - self._told_s
        if passed_s < 1.0 or (passed_s < self.EVERY_S and abs(share - self._told_share) < self.STEP):
            return False
        self._told_s, self._told_share = now_s, share
        return True
