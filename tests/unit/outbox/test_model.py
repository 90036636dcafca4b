"""Both outboxes against a list: whatever is done to them, each message is delivered, dropped or waiting, and once."""

import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from mosquitto_broker import until

from edged.outbox import DiskOutbox, Entry, MemoryOutbox, Outbox, Rank

BOUND = 4000


class Model(RuleBasedStateMachine):
    """Numbered messages through an outbox."""

    outbox: Outbox

    def __init__(self) -> None:
        super().__init__()
        self.appended = self.dropped_before = 0
        self.lent: dict[int, Entry] = {}
        self.delivered: list[int] = []
        self.bound = BOUND

    @rule(count=st.integers(1, 30), size=st.integers(8, 300), rank=st.sampled_from(Rank))
    def append(self, count: int, size: int, rank: Rank) -> None:
        for _ in range(count):
            self.outbox.append("t", b"%07d" % self.appended + b" " * (size - 8), qos=1, rank=rank)
            self.appended += 1
        self.settle()

    @rule(position=st.integers(0, 200), limit=st.integers(1, 50))
    def after(self, position: int, limit: int) -> None:
        found = self.outbox.after(position, limit)
        keys = [entry.key for entry in found]
        assert keys == sorted(set(keys))
        assert all(key > position for key in keys)
        assert len(found) <= limit
        self.lent.update((entry.key, entry) for entry in found)

    @rule(choice=st.integers(0, 1000), count=st.integers(1, 10))
    def remove(self, choice: int, count: int) -> None:
        for key in sorted(self.lent)[choice % (len(self.lent) + 1) :][:count]:
            self.outbox.remove(key)
            self.outbox.remove(key)
            self.delivered.append(int(self.lent.pop(key).payload[:7]))

    @rule(choice=st.integers(0, 1000))
    def set_aside(self, choice: int) -> None:
        if not self.lent:
            return
        entry = self.lent.pop(sorted(self.lent)[choice % len(self.lent)])
        dropped = self.outbox.dropped
        self.outbox.set_aside(entry, "refused")
        self.outbox.set_aside(entry, "refused")
        assert self.outbox.dropped == dropped + 1

    @rule(bound=st.sampled_from([0, 300, BOUND, 100_000]))
    def rebound(self, bound: int) -> None:
        self.bound = bound
        self.outbox.rebound(bound, 3600.0)

    def settle(self) -> None:
        """What was appended is seen, and what is over the bound went."""

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        # The numbers are asked for one after the other, and a thread may drop something in between.
        assert until(lambda: self.accounted_for() == self.appended, 2), (self.accounted_for(), self.appended)

    def accounted_for(self) -> int:
        return len(self.outbox) + self.dropped_before + self.outbox.dropped + len(self.delivered)

    @invariant()
    def each_was_delivered_once(self) -> None:
        assert len(self.delivered) == len(set(self.delivered))

    def teardown(self) -> None:
        assert until(lambda: len(self.outbox.after(0, 1_000_000)) == len(self.outbox), 2)
        waiting = self.outbox.after(0, 1_000_000)
        assert sum(entry.size_bytes for entry in waiting) == self.outbox.depth_bytes
        assert {entry.key for entry in waiting} >= set(self.lent)
        numbers = [int(entry.payload[:7]) for entry in waiting]
        assert numbers == sorted(set(numbers))
        assert set(numbers).isdisjoint(self.delivered)
        for entry in waiting:
            self.outbox.remove(entry.key)
        assert (len(self.outbox), self.outbox.depth_bytes) == (0, 0)


class InMemory(Model):
    def __init__(self) -> None:
        super().__init__()
        self.outbox = MemoryOutbox(BOUND, 3600.0)

    def settle(self) -> None:
        lent_bytes = sum(entry.size_bytes for entry in self.lent.values())
        assert self.outbox.depth_bytes <= self.bound + lent_bytes


class OnDisk(Model):
    outbox: DiskOutbox

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.open()

    def open(self) -> None:
        self.outbox = DiskOutbox(self.folder / "outbox", self.bound, 3600.0)
        self.outbox.start()
        assert until(lambda: not self.outbox.problem, 10)

    def settle(self) -> None:
        deadline_s = time.monotonic() + 10
        while self.outbox._pending or self.outbox._fresh:
            assert time.monotonic() < deadline_s
            time.sleep(0.0005)

    @rule()
    def reopen(self) -> None:
        assert self.outbox.close(10)
        self.dropped_before += self.outbox.dropped
        self.lent.clear()  # they are to be sent again
        self.open()

    @rule()
    def begin_anew(self) -> None:
        with self.outbox._lock:
            self.outbox._is_damaged("as found by a read")
        assert until(lambda: not self.outbox._damaged, 10)
        with self.outbox._reader_lock:
            pass

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            super().teardown()
            assert self.outbox.close(10)
            shutil.rmtree(self.folder)


TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
