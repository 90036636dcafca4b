"""Sums over parts that come and go."""

import gc
import weakref
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edged.service.lasting import Lasting


class Part:
    """Counts, and is over at some time."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.over = False


class Lives(RuleBasedStateMachine):
    """Whatever comes, counts and goes, in whatever order, and however often somebody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.lasting, self.parts, self.truth, self.seen = Lasting(), [], Counter(), {}

    @rule()
    def begin(self) -> None:
        part = Part()
        self.parts.append(part)
        self.lasting.add(lambda: part.counts, lambda: part.over)

    @rule(number=st.integers(0, 9), reason=st.sampled_from(["full", "stale"]))
    def count(self, number: int, reason: str) -> None:
        if going_on := [part for part in self.parts if not part.over]:
            going_on[number % len(going_on)].counts[reason] += 1
            self.truth[reason] += 1

    @rule(number=st.integers(0, 9))
    def end(self, number: int) -> None:
        if going_on := [part for part in self.parts if not part.over]:
            going_on[number % len(going_on)].over = True

    @rule()
    def ask(self) -> None:
        now = self.lasting.totals()
        assert all(now[key] >= before for key, before in self.seen.items())
        self.seen = now

    @invariant()
    def nothing_is_lost_and_nothing_counted_twice(self) -> None:
        assert Counter(self.lasting.totals()) == self.truth


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_what_is_over_is_let_go_also_where_nobody_asks(rounds):
    lasting, gone = Lasting(), []
    for _ in range(rounds):
        part = Part()
        part.over = True
        gone.append(weakref.ref(part))
        lasting.add(lambda part=part: part.counts, lambda part=part: part.over)
        del part
    lasting.add(dict, lambda: False)
    gc.collect()
    assert [ref() for ref in gone] == [None] * rounds
