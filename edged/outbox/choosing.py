"""What one transaction of an outbox is to do, and whom it drops: what is too old, then what is over a bound.

Each choice begins where the last one ended, so that what may not be dropped is not looked at again and again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edged.outbox.database import Database, Victim
from edged.outbox.records import Entry, Gap, Rank, Reason

MAX_VICTIMS = 2000
"""Messages that are dropped in one transaction."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is to do.

    Attributes:
        entries: To be put in.
        removals: Keys of what was delivered.
        gaps: That were found outside of the spool.
        excess: Bytes to be dropped, by rank.
        oldest_s: What was appended before goes, on the monotonic clock.
        may_drop: Whether the entry with a key may be dropped; it is not lent any more then.
        made_room: Told of what was dropped, and is gone whatever becomes of the rest, where the disk is full.
        tell: Makes entries of gaps, if somebody can hear it now.
        max_victims: So many are dropped of each rank and of the old.
    """

    entries: Sequence[Entry]
    removals: Sequence[int]
    gaps: Sequence[Gap]
    excess: Mapping[Rank, int]
    oldest_s: float | None
    may_drop: Callable[[int], bool]
    made_room: Callable[[Sequence[Victim]], None]
    tell: Callable[[list[Gap]], list[Entry]] | None
    max_victims: int = MAX_VICTIMS


@dataclass(slots=True)
class Choice:
    """Whom to drop.

    Attributes:
        passed: By rank, and for all of them: up to which key there is nothing left to drop.
        victims: By key, and why.
        more: Not all that should go was looked at.
    """

    passed: dict[Rank | None, int]
    victims: dict[int, tuple[Victim, Reason]] = field(default_factory=dict)
    more: bool = False

    def size_bytes(self, rank: Rank) -> int:
        """Of the victims of a rank."""
        return sum(victim.size_bytes for victim, _ in self.victims.values() if victim.rank is rank)

    def in_order(self) -> list[tuple[Victim, Reason]]:
        """The victims, oldest first."""
        return [self.victims[key] for key in sorted(self.victims)]


def choose(
    database: Database, work: Work, passed: Mapping[Rank | None, int], *, shift_s: float, last_key: int
) -> Choice:
    """Whom to drop.

    Args:
        database: In the transaction, with the new entries in it.
        work: What it is to do.
        passed: Where the last choice ended.
        shift_s: Of the file's clock against the monotonic one.
        last_key: Of the newest message before this transaction.
    """
    choice = Choice(dict(passed))
    if work.oldest_s is not None:
        _choose_old(database, work, choice, work.oldest_s + shift_s)
    for rank, size_bytes in work.excess.items():
        if _choose_excess(database, work, choice, rank, size_bytes - choice.size_bytes(rank)):
            choice.passed[rank] = max([last_key, *(entry.key for entry in work.entries[-1:])])
    return choice


def _choose_old(database: Database, work: Work, choice: Choice, oldest_s: float) -> None:
    seen = 0
    for victim in database.victims(None, choice.passed[None], work.max_victims):
        if victim.at_s >= oldest_s:
            return
        seen += 1
        choice.passed[None] = victim.key
        if work.may_drop(victim.key):
            choice.victims[victim.key] = (victim, "old")
    choice.more = choice.more or seen == work.max_victims


def _choose_excess(database: Database, work: Work, choice: Choice, rank: Rank, size_bytes: int) -> bool:
    """True where all that are left of this rank are lent."""
    seen, left = 0, size_bytes
    if left <= 0:
        return False
    for victim in database.victims(rank, choice.passed[rank], work.max_victims):
        seen += 1
        choice.passed[rank] = victim.key
        if victim.key not in choice.victims and work.may_drop(victim.key):
            choice.victims[victim.key] = (victim, "full")
            left -= victim.size_bytes
        if left <= 0:
            return False
    exhausted = seen < work.max_victims
    choice.more = choice.more or not exhausted
    return exhausted
