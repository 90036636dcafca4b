from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.outbox import view
from edged.outbox.records import Entry, Rank
from edged.outbox.view import View


def entry(key: int, size: int = 10, rank: Rank = Rank.RESULT) -> Entry:
    return Entry(key, "t", b"x" * (size - 1), 1, 0.0, rank)


def shown(seen: View, count: int, *, saved: bool) -> list[Entry]:
    entries = [entry(seen.next_key()) for _ in range(count)]
    seen.show(entries, saved=saved)
    return entries


def keys(entries: Iterable[Entry]) -> list[int]:
    return [one.key for one in entries]


def opened(seen: View, held: list[Entry]) -> int:
    """As if a file was opened that holds these."""
    counts = {rank: sum(one.rank is rank for one in held) for rank in Rank}
    sizes = {rank: sum(one.size_bytes for one in held if one.rank is rank) for rank in Rank}
    return seen.begin(counts, sizes, max(keys(held), default=0), {})


def read(seen: View, file: list[Entry], after: int, count: int = 256) -> None:
    up_to = seen.begin_reading()
    rows = [one for one in file if after < one.key <= up_to][:count]
    seen.end_reading(after, rows, rows[-1].key if len(rows) == count else up_to)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MEMORY_ENTRIES", 4)


def test_nothing_was_ever_there():
    seen = View()
    assert (seen.after(0, 10, 0), seen.last_key, seen.remove(1), seen.cached()) == (([], None), 0, None, [])


@pytest.mark.usefixtures("small")
def test_what_left_the_memory_is_asked_of_the_file_and_the_rest_is_not():
    seen = View()
    file = shown(seen, 10, saved=True)
    assert seen.after(0, 10, 10) == ([], 0)
    read(seen, file, 0, 3)
    found, unread = seen.after(0, 10, 10)
    assert (keys(found), unread) == ([1, 2, 3], 3)
    read(seen, file, 3)
    found, unread = seen.after(3, 10, 10)
    assert (keys(found), unread) == ([4, 5, 6, 7, 8, 9, 10], None)
    assert keys(seen.after(6, 10, 8)[0]) == [7, 8]


@pytest.mark.usefixtures("small")
def test_unsaved_ones_never_leave_the_memory():
    seen = View()
    fresh = shown(seen, 10, saved=False)
    assert keys(seen.after(0, 20, 10)[0]) == list(range(1, 11))
    seen.saved(keys(fresh))
    assert seen.after(0, 20, 10) == ([], 0)


@pytest.mark.usefixtures("small")
def test_what_was_delivered_and_not_deleted_yet_is_not_given_out_again_by_a_read_of_the_file():
    seen = View()
    file = shown(seen, 10, saved=True)
    read(seen, file, 0)
    (first,) = seen.after(0, 1, 10)[0]
    assert seen.remove(first.key) == first
    read(seen, file, 0)
    seen.deleted([first.key])
    assert keys(seen.after(0, 3, 10)[0]) == [2, 3, 4]
    assert sum(seen.entries.values()) == 9


@pytest.mark.usefixtures("small")
def test_what_is_deleted_while_somebody_reads_is_not_seen_afterwards():
    seen = View()
    file = shown(seen, 10, saved=True)
    read(seen, file, 0)
    seen.after(0, 1, 10)
    up_to = seen.begin_reading()
    seen.remove(1)
    seen.deleted([1])
    assert seen.condemn(2)
    seen.drop(2, Rank.RESULT, 10)
    seen.end_reading(0, file[:up_to], up_to)
    assert keys(seen.after(0, 3, 10)[0]) == [3, 4, 5]


def test_what_is_lent_cannot_be_condemned_and_what_is_condemned_not_lent():
    seen = View()
    shown(seen, 3, saved=True)
    seen.after(0, 1, 3)
    assert [seen.condemn(key) for key in (1, 2)] == [False, True]
    assert keys(seen.after(0, 3, 3)[0]) == [1, 3]
    seen.pardon()
    assert keys(seen.after(0, 3, 3)[0]) == [1, 2, 3]
    seen.remove(1)
    assert not seen.condemn(1)


def test_a_file_that_comes_late_stands_in_front_of_what_is_in_memory():
    seen = View()
    seen.key_from(1000)
    shown(seen, 2, saved=False)
    file = [entry(key) for key in range(1, 6)]
    assert opened(seen, file) == -5
    assert sum(seen.entries.values()) == 7
    assert seen.after(0, 10, seen.last_key) == ([], 0)
    read(seen, file, 0)
    assert keys(seen.after(0, 10, seen.last_key)[0]) == [1, 2, 3, 4, 5, 1000, 1001]


@pytest.mark.usefixtures("small")
def test_a_file_that_was_lost_costs_neither_what_is_in_memory_nor_what_is_lent():
    seen = View()
    file = shown(seen, 10, saved=True)
    read(seen, file, 0, 2)
    seen.after(0, 1, 10)
    assert seen.file_is_gone() == 4
    assert keys(seen.unsaved) == [1, 2, 7, 8, 9, 10]
    seen.remove(1)
    assert keys(seen.after(0, 10, 10)[0]) == [2, 7, 8, 9, 10]
    assert (sum(seen.entries.values()), sum(seen.bytes.values())) == (5, 50)


@pytest.mark.usefixtures("small")
def test_a_file_that_holds_less_than_before_says_how_many_are_missing():
    seen = View()
    file = shown(seen, 10, saved=True)
    read(seen, file, 0)
    seen.after(0, 2, 10)
    seen.remove(1)
    assert opened(seen, [one for one in file if one.key not in {3, 4}]) == 2
    assert sum(seen.entries.values()) == 7


def test_holes_are_stepped_over():
    seen = View()
    seen.show([entry(1), entry(10**12), entry(10**12 + 5)], saved=True)
    assert keys(seen.after(1, 10, seen.last_key)[0]) == [10**12, 10**12 + 5]


class Seen(RuleBasedStateMachine):
    """A view with a file beside it, against a list of what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.view, self.file = View(), dict[int, Entry]()
        self.waiting: dict[int, Entry] = {}
        self.lent: set[int] = set()
        self.removals: list[int] = []
        self.reading: tuple[int, int, list[Entry]] | None = None

    @rule(count=st.integers(1, 5), saved=st.booleans())
    def show(self, count: int, saved: bool) -> None:
        entries = [entry(self.view.next_key(), 5 + number) for number in range(count)]
        if saved:  # everything that was not is saved along
            self._save()
            self.file.update((one.key, one) for one in entries)
        self.view.show(entries, saved=saved)
        self.waiting.update((one.key, one) for one in entries)

    @rule()
    def save(self) -> None:
        self._save()

    def _save(self) -> None:
        unsaved = list(self.view.unsaved)
        self.file.update((one.key, one) for one in unsaved)
        for key in self.removals:
            self.file.pop(key, None)
        self.view.deleted(self.removals)
        self.removals.clear()
        self.view.saved([one.key for one in unsaved])

    @precondition(lambda self: self.waiting)
    @rule(choice=st.integers(0, 1000))
    def drop(self, choice: int) -> None:
        key = sorted(self.waiting)[choice % len(self.waiting)]
        assert self.view.condemn(key) == (key not in self.lent)
        if key not in self.lent:
            one = self.waiting.pop(key)
            self.file.pop(key, None)
            self.view.drop(key, one.rank, one.size_bytes)
        self.view.pardon()

    @rule(position=st.integers(0, 60), limit=st.integers(1, 8))
    def after(self, position: int, limit: int) -> None:
        self._finish_reading()
        found: list[Entry] = []
        at = position
        while True:
            some, unread = self.view.after(at, limit - len(found), self.view.last_key)
            found += some
            if unread is None:
                break
            read(self.view, [self.file[key] for key in sorted(self.file)], unread, 3)
            at = unread
        assert keys(found) == [key for key in sorted(self.waiting) if key > position][:limit]
        self.lent |= set(keys(found))

    @rule(after=st.integers(0, 40))
    def begin_reading(self, after: int) -> None:
        self._finish_reading()
        up_to = self.view.begin_reading()
        rows = [self.file[key] for key in sorted(self.file) if after < key <= up_to]
        self.reading = (after, up_to, rows)

    @rule()
    def finish_reading(self) -> None:
        self._finish_reading()

    def _finish_reading(self) -> None:
        if self.reading is not None:
            after, up_to, rows = self.reading
            self.view.end_reading(after, rows, up_to)
            self.reading = None

    @rule(choice=st.integers(0, 1000))
    def remove(self, choice: int) -> None:
        key = sorted(self.lent)[choice % len(self.lent)] if self.lent else choice
        removed = self.view.remove(key)
        assert (removed is not None) == (key in self.waiting and key in self.lent)
        if removed is not None:
            del self.waiting[key]
            self.lent.discard(key)
            if self.view.is_done(key):
                self.removals.append(key)

    @rule()
    def reopen(self) -> None:
        self._finish_reading()
        for key in self.removals:
            self.file.pop(key, None)
        self.view.deleted(self.removals)
        self.removals.clear()
        assert opened(self.view, list(self.file.values())) == 0

    @rule()
    def lose_the_file(self) -> None:
        self._finish_reading()
        self.file.clear()
        lost = self.view.file_is_gone()
        self.removals.clear()
        left = set(keys(self.view.unsaved))
        assert len(self.waiting) - lost == len(left)
        assert self.lent <= left
        self.waiting = {key: one for key, one in self.waiting.items() if key in left}

    @invariant()
    def counts_are_exact(self) -> None:
        assert sum(self.view.entries.values()) == len(self.waiting)
        assert sum(self.view.bytes.values()) == sum(one.size_bytes for one in self.waiting.values())

    @invariant()
    def everything_is_somewhere(self) -> None:
        assert set(self.waiting) <= set(self.file) | set(keys(self.view.unsaved))


@pytest.mark.usefixtures("small")
class TestSeen(Seen.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
