"""A queue of entries: in by growing keys at the back, out anywhere, found by key. Not synchronised.

What is asked for costs the same however many stand in front of it, and however wide the holes are that others left.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from edged.outbox.records import Entry, Rank

_SLACK = 64


class KeyedQueue:
    """Entries by key.

    Attributes:
        bytes: Their size, by rank.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.bytes = dict.fromkeys(Rank, 0)
        self._entries: dict[int, Entry] = {}
        self._keys: list[int] = []  # of those that left, too, until there are too many of them
        self._front = 0
        for entry in entries:
            self.put(entry)

    def put(self, entry: Entry) -> None:
        """Take in an entry whose key is greater than that of all before it."""
        self._entries[entry.key] = entry
        self._keys.append(entry.key)
        self.bytes[entry.rank] += entry.size_bytes

    def pop(self, key: int) -> Entry | None:
        """Take out the entry with a key; None where there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.bytes[entry.rank] -= entry.size_bytes
        if len(self._keys) > 2 * len(self._entries) + _SLACK:
            self._keys, self._front = list(self._entries), 0
        while self._front < len(self._keys) and self._keys[self._front] not in self._entries:
            self._front += 1
        return entry

    def first(self) -> Entry | None:
        """The one with the least key."""
        return self._entries[self._keys[self._front]] if self._entries else None

    def beyond(self, key: int) -> Iterator[Entry]:
        """Those with a greater key, in order. Nothing may be put in or taken out meanwhile."""
        for index in range(bisect_right(self._keys, key, lo=self._front), len(self._keys)):
            if (entry := self._entries.get(self._keys[index])) is not None:
                yield entry

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, key: int) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __bool__(self) -> bool:
        return bool(self._entries)
