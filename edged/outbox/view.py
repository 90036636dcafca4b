"""What the link sees of an outbox on disk: the newest messages in memory, older ones read ahead from the file.

    1 ────────── file, read in chunks ────────── memory_from ── in memory, saved or not yet ── last_key

Not synchronised: its owner holds a lock around every call. What was given out is lent: it may be on its way to the
broker, so it is not dropped any more.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable

from edged.outbox.records import Entry, Rank

MEMORY_ENTRIES = 1024
MEMORY_BYTES = 2 << 20


class View:
    """Entries by key, and what became of them.

    Attributes:
        last_key: Of the newest; 0 where there never was one.
        entries: How many wait, by rank.
        bytes: Their size, by rank.
        unsaved: Those that no file holds, oldest first.
        saving: Keys of those among them that a file may hold by now.
    """

    def __init__(self) -> None:
        self.last_key = self._given_key = 0
        self.entries = dict.fromkeys(Rank, 0)
        self.bytes = dict.fromkeys(Rank, 0)
        self.unsaved: OrderedDict[int, Entry] = OrderedDict()
        self.saving: set[int] = set()
        self._memory: OrderedDict[int, Entry] = OrderedDict()
        self._memory_bytes = 0
        self._memory_from = 1
        self._ahead: list[Entry] = []
        self._ahead_keys: list[int] = []
        self._span = (0, 0)
        self._lent: dict[int, Entry] = {}
        self._done: set[int] = set()
        self._condemned: set[int] = set()
        self._reading = False
        self._gone_meanwhile: set[int] = set()

    def begin(
        self, entries: dict[Rank, int], sizes: dict[Rank, int], last_key: int, removed: Iterable[int]
    ) -> None:
        """A file was opened: what it holds is seen, in front of what is in memory only.

        Args:
            entries: By rank, what it holds.
            sizes: In bytes, likewise.
            last_key: Of its newest message.
            removed: Keys of what it holds, but was removed already.
        """
        self.entries, self.bytes = dict(entries), dict(sizes)
        for entry in self.unsaved.values():
            self._count(entry, 1)
        for key in removed:
            self._count(self._lent[key], -1)
        if not self._memory:
            self._memory_from = max(last_key, self.last_key) + 1
        self.last_key = max(last_key, self.last_key)
        self._given_key = max(last_key, self._given_key)
        self._put_ahead(0, [], 0)

    def file_is_gone(self) -> int:
        """What is in memory is all there is.

        Returns:
            How many are lost.
        """
        lost = sum(self.entries.values()) - len(self._memory)
        self.unsaved = OrderedDict(self._memory)
        self._memory_from = 1
        self.entries, self.bytes = dict.fromkeys(Rank, 0), dict.fromkeys(Rank, 0)
        for entry in self._memory.values():
            self._count(entry, 1)
        self.deleted(list(self._done))
        return max(0, lost)

    def key_from(self, key: int) -> None:
        """The next message gets this key at least."""
        self._given_key = max(self._given_key, key - 1)

    def next_key(self) -> int:
        """For a message that is to be shown."""
        self._given_key += 1
        return self._given_key

    def show(self, entries: Iterable[Entry], *, saved: bool) -> None:
        """Have these seen from now on, in the order of their keys."""
        for entry in entries:
            self.last_key = max(self.last_key, entry.key)
            if entry.key not in self._memory:
                self._memory[entry.key] = entry
                self._memory_bytes += entry.size_bytes
                self._count(entry, 1)
            if not saved:
                self.unsaved[entry.key] = entry
        self._evict()

    def saved(self, keys: Iterable[int]) -> None:
        """These are in the file now."""
        for key in keys:
            self.unsaved.pop(key, None)
        self._evict()

    def cached(self) -> list[Entry]:
        """All that are in memory, oldest first."""
        return list(self._memory.values())

    def after(self, key: int, limit: int, up_to: int) -> tuple[list[Entry], int | None]:
        """Lend entries with a greater key.

        Returns:
            Some of them, and after which key the file has to be read for more; None where it need not.
        """
        found: list[Entry] = []
        position = key
        while len(found) < limit and position < up_to:
            if position + 1 >= self._memory_from:
                found += self._from_memory(position, limit - len(found), up_to)
                break
            low, high = self._span
            if not low <= position < high:
                self._lend(found)
                return found, position
            index = bisect_right(self._ahead_keys, position)
            if index == len(self._ahead):
                position = high
                continue
            entry = self._ahead[index]
            position = entry.key
            if position <= up_to and self._may_be_lent(entry):
                found.append(entry)
        self._lend(found)
        return found, None

    def begin_reading(self) -> int:
        """Somebody reads the file; returns the greatest key that is of interest."""
        self._reading = True
        self._gone_meanwhile.clear()
        return self._memory_from - 1

    def end_reading(self, after: int, entries: list[Entry], up_to: int) -> None:
        """These were all that the file held in ``(after, up_to]``, when the reading began or later."""
        self._reading = False
        self._put_ahead(after, [entry for entry in entries if entry.key not in self._gone_meanwhile], up_to)

    def remove(self, key: int) -> Entry | None:
        """A lent entry is dealt with; None where there is no such entry."""
        entry = self._lent.get(key)
        if entry is None or key in self._done:
            return None
        self._count(entry, -1)
        self._leave(key)
        if self.unsaved.pop(key, None) is None or key in self.saving:
            self._done.add(key)
        else:
            del self._lent[key]
        return entry

    def deleted(self, keys: Iterable[int]) -> None:
        """Removed entries are no longer in the file either."""
        for key in keys:
            self._done.discard(key)
            self._lent.pop(key, None)
            if self._reading:
                self._gone_meanwhile.add(key)

    def is_done(self, key: int) -> bool:
        """Whether an entry was removed, and is still in the file."""
        return key in self._done

    def condemn(self, key: int) -> bool:
        """Have an entry not lent any more, because it is to be dropped; False where it is lent or done with."""
        if key in self._lent:
            return False
        self._condemned.add(key)
        return True

    def drop(self, key: int, rank: Rank, size_bytes: int) -> None:
        """A condemned entry is gone."""
        self.entries[rank] -= 1
        self.bytes[rank] -= size_bytes
        self._leave(key)
        self.unsaved.pop(key, None)
        if self._reading:
            self._gone_meanwhile.add(key)

    def pardon(self) -> None:
        """Nothing is condemned any more: it is gone, or was not dropped after all."""
        self._condemned.clear()

    def oldest_unsaved(self) -> Entry | None:
        """That may be dropped."""
        return next((entry for key, entry in self.unsaved.items() if key not in self._lent), None)

    def _from_memory(self, position: int, limit: int, up_to: int) -> list[Entry]:
        found: list[Entry] = []
        # Keys are consecutive and go mostly from the front, so looking upwards meets few holes.
        candidate = max(position + 1, next(iter(self._memory), self.last_key + 1))
        last = min(up_to, self.last_key)
        while candidate <= last and len(found) < limit:
            entry = self._memory.get(candidate)
            if entry is not None and self._may_be_lent(entry):
                found.append(entry)
            candidate += 1
        return found

    def _may_be_lent(self, entry: Entry) -> bool:
        return entry.key not in self._condemned and entry.key not in self._done

    def _lend(self, entries: list[Entry]) -> None:
        self._lent.update((entry.key, entry) for entry in entries)

    def _put_ahead(self, after: int, entries: list[Entry], up_to: int) -> None:
        self._ahead, self._ahead_keys = entries, [entry.key for entry in entries]
        self._span = (after, up_to)

    def _leave(self, key: int) -> None:
        """An entry is no longer in memory, nor among those that were read ahead."""
        if (entry := self._memory.pop(key, None)) is not None:
            self._memory_bytes -= entry.size_bytes
        index = bisect_right(self._ahead_keys, key) - 1
        if index >= 0 and self._ahead_keys[index] == key:
            del self._ahead[index], self._ahead_keys[index]

    def _count(self, entry: Entry, sign: int) -> None:
        self.entries[entry.rank] += sign
        self.bytes[entry.rank] += sign * entry.size_bytes

    def _evict(self) -> None:
        """Saved ones leave the memory from the front, so that what is in it has no holes."""
        while len(self._memory) > MEMORY_ENTRIES or self._memory_bytes > MEMORY_BYTES:
            key = next(iter(self._memory))
            if key in self.unsaved:
                return
            self._memory_bytes -= self._memory.pop(key).size_bytes
            self._memory_from = key + 1
