"""What the link sees of an outbox on disk: the newest messages in memory, older ones read ahead from the file.

    1 ────────── file, read in chunks ────────── memory_from ── in memory, saved or not yet ── last_key

Not synchronised: its owner holds a lock around every call. What was given out is lent: it may be on its way to the
broker, so it is not dropped any more.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from edged.outbox.keyed_queue import KeyedQueue
from edged.outbox.records import Entry, Rank

MEMORY_ENTRIES = 1024
MEMORY_BYTES = 2 << 20


class View:
    """Entries by key, and what became of them.

    Attributes:
        last_key: Of the newest; 0 where there never was one.
        event_keys: Of the newest of rank event, by topic.
        entries: How many wait, by rank.
        bytes: Their size, by rank.
        unsaved: Those that no file holds, oldest first.
        saving: Keys of those among them that a file may hold by now.
    """

    def __init__(self) -> None:
        self.last_key = self._given_key = 0
        self.event_keys: dict[str, int] = {}
        self.entries = dict.fromkeys(Rank, 0)
        self.bytes = dict.fromkeys(Rank, 0)
        self.unsaved = KeyedQueue()
        self.saving: set[int] = set()
        self._memory = KeyedQueue()
        self._memory_from = 1
        self._ahead: list[Entry] = []
        self._ahead_keys: list[int] = []
        self._span = (0, 0)
        self._lent: dict[int, Entry] = {}
        self._done: dict[
            int, tuple[Rank, int]
        ] = {}  # without their payloads: a broken disk deletes none for long
        self._condemned: set[int] = set()
        self._reading = False
        self._gone_meanwhile: set[int] = set()

    def begin(
        self,
        entries: Mapping[Rank, int],
        sizes: Mapping[Rank, int],
        last_key: int,
        event_keys: Mapping[str, int],
    ) -> int:
        """A file was opened: what it holds is seen, in front of what is in memory only.

        Args:
            entries: By rank, what it holds; those that are done with, but not deleted yet, included.
            sizes: In bytes, likewise.
            last_key: Of its newest message.
            event_keys: Of its newest event, by topic.

        Returns:
            How many that were seen before are in no file and in no memory now; negative where there are more than
            before.
        """
        before = sum(self.entries.values())
        self.entries, self.bytes = dict(entries), dict(sizes)
        for entry in self.unsaved:
            self._count(entry.rank, entry.size_bytes, 1)
        for rank, size_bytes in self._done.values():
            self._count(rank, size_bytes, -1)
        self.last_key = max(last_key, self.last_key)
        for topic, key in event_keys.items():
            self.event_keys[topic] = max(key, self.event_keys.get(topic, 0))
        self._given_key = max(last_key, self._given_key)
        first = self._memory.first()
        self._memory_from = self.last_key + 1 if first is None else first.key
        self._put_ahead(0, [], 0)
        return before - sum(self.entries.values())

    def file_is_gone(self) -> int:
        """What is in memory is all there is.

        Returns:
            How many are lost.
        """
        self._memory = KeyedQueue(self._known())
        self.unsaved = KeyedQueue(self._memory)
        self._done.clear()
        nothing = dict.fromkeys(Rank, 0)
        lost = self.begin(nothing, nothing, 0, {})
        self._memory_from = 1
        return lost

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
            self._memory.put(entry)
            self._count(entry.rank, entry.size_bytes, 1)
            if entry.rank is Rank.EVENT:
                self.event_keys[entry.topic] = max(entry.key, self.event_keys.get(entry.topic, 0))
            if not saved:
                self.unsaved.put(entry)
        self._evict()

    def settle(self) -> None:
        """Every key that was given out is seen by now, or was for nothing."""
        self.last_key = max(self.last_key, self._given_key)

    def saved(self, keys: Iterable[int]) -> None:
        """These are in the file now."""
        for key in keys:
            self.unsaved.pop(key)
        self._evict()

    def cached(self) -> list[Entry]:
        """All that are saved and known without the file, oldest first."""
        return [entry for entry in self._known() if entry.key not in self.unsaved]

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
        gone = self._gone_meanwhile
        still = [entry for entry in entries if entry.key not in gone and entry.key not in self._done]
        self._put_ahead(after, still, up_to)

    def remove(self, key: int) -> Entry | None:
        """A lent entry is dealt with; None where there is no such entry."""
        entry = self._lent.pop(key, None)
        if entry is None:
            return None
        self._count(entry.rank, entry.size_bytes, -1)
        self._leave(key)
        if self.unsaved.pop(key) is None or key in self.saving:
            self._done[key] = (entry.rank, entry.size_bytes)
        return entry

    def deleted(self, keys: Iterable[int]) -> None:
        """Removed entries are no longer in the file either."""
        for key in keys:
            self._done.pop(key, None)
            if self._reading:
                self._gone_meanwhile.add(key)

    def is_done(self, key: int) -> bool:
        """Whether an entry was removed, and is still in the file."""
        return key in self._done

    def condemn(self, key: int) -> bool:
        """Have an entry not lent any more, because it is to be dropped; False where it is lent or done with."""
        if key in self._lent or key in self._done:
            return False
        self._condemned.add(key)
        return True

    def drop(self, key: int, rank: Rank, size_bytes: int) -> None:
        """An entry is gone that was not lent."""
        self._count(rank, size_bytes, -1)
        self._leave(key)
        self.unsaved.pop(key)
        if self._reading:
            self._gone_meanwhile.add(key)

    def pardon(self) -> None:
        """Nothing is condemned any more: it is gone, or was not dropped after all."""
        self._condemned.clear()

    def oldest_unsaved(self, sizes: Mapping[Rank, int]) -> list[Entry]:
        """The oldest that no file holds and that may be dropped, for so many bytes of each rank."""
        left, found = dict(sizes), []
        for entry in self.unsaved:
            if left.get(entry.rank, 0) > 0 and entry.key not in self._lent:
                left[entry.rank] -= entry.size_bytes
                found.append(entry)
        return found

    def _known(self) -> list[Entry]:
        """All that wait and are in memory, be it that they were read ahead or lent."""
        known = {entry.key: entry for entry in (*self._ahead, *self._lent.values(), *self._memory)}
        return [known[key] for key in sorted(known)]

    def _from_memory(self, position: int, limit: int, up_to: int) -> list[Entry]:
        found: list[Entry] = []
        for entry in self._memory.beyond(position):
            if entry.key > up_to or len(found) >= limit:
                break
            if self._may_be_lent(entry):
                found.append(entry)
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
        self._memory.pop(key)
        index = bisect_right(self._ahead_keys, key) - 1
        if index >= 0 and self._ahead_keys[index] == key:
            del self._ahead[index], self._ahead_keys[index]

    def _count(self, rank: Rank, size_bytes: int, sign: int) -> None:
        self.entries[rank] += sign
        self.bytes[rank] += sign * size_bytes

    def _evict(self) -> None:
        """Saved ones leave the memory from the front, so that what is in it has no holes."""
        while len(self._memory) > MEMORY_ENTRIES or sum(self._memory.bytes.values()) > MEMORY_BYTES:
            first = self._memory.first()
            if first is None or first.key in self.unsaved:
                return
            self._memory.pop(first.key)
            self._memory_from = first.key + 1
