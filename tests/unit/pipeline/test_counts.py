"""Every frame that is offered to a model comes to exactly one end, in whatever order things happen."""

from frame_doubles import frame
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.pipeline import Feed, Pipeline
from edged.pipeline.turns import Turn, Turns


class Fates(RuleBasedStateMachine):
    """One feed among others, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.feed = Feed(source="front", emit=lambda _: True, max_age_s=3.0)
        self.turns.feeds.append(self.feed)
        self.offered, self.now_s = 0, 0.0
        self.taken: list[Turn] = []

    @precondition(lambda self: not self.feed.closed)
    @rule()
    def offer(self) -> None:
        self.offered += 1
        self.turns.put(self.feed, frame(self.offered, at_s=self.now_s), self.now_s)

    @rule(seconds=st.floats(0, 4))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def take(self) -> None:
        if turn := self.turns.take(self.now_s):
            self.taken.append(turn)

    @precondition(lambda self: self.taken)
    @rule(number=st.integers(0, 3), became=st.sampled_from(["published", "withheld", "failed", "stale"]))
    def finish(self, number: int, became: str) -> None:
        self.turns.settle(self.taken.pop(number % len(self.taken)), "a result")
        while due := self.turns.due():
            self.turns.done(due, became)

    @precondition(lambda self: self.taken)
    @rule(number=st.integers(0, 3))
    def lose(self, number: int) -> None:
        self.turns.give_back(self.taken.pop(number % len(self.taken)))
        while due := self.turns.due():
            self.turns.done(due, "published")

    @precondition(lambda self: self.taken)
    @rule(number=st.integers(0, 3))
    def hand_back(self, number: int) -> None:
        self.turns.hand_back(self.taken.pop(number % len(self.taken)))

    @rule()
    def leave(self) -> None:
        self.turns.leave(self.feed)

    @invariant()
    def each_frame_is_counted_once(self) -> None:
        open_ones = len(self.feed._turns) + (self.feed._frame is not None)
        assert self.feed.counts.total() + open_ones == self.offered

    @invariant()
    def a_feed_that_is_over_has_nothing_open(self) -> None:
        assert self.feed.is_over == (self.feed.closed and not self.feed._turns and self.feed._frame is None)
        if self.feed.closed and not self.taken:
            unsettled = [turn for turn in self.feed._turns if turn.outcome is None]
            assert not unsettled, "nobody will ever take them"


TestFates = Fates.TestCase
TestFates.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_frame_offered_to_a_feed_that_is_no_more_is_counted():
    with Pipeline("cars", 1) as pipeline:
        feed = Feed(source="front", emit=lambda _: True)
        pipeline.attach(feed)
        pipeline.offer(feed, frame(1))
        pipeline.detach(feed)
        pipeline.offer(feed, frame(2))
    assert feed.counts == {"ended": 2}
    assert feed.is_over


def test_a_pipeline_that_was_told_to_stop_has_ended_once_its_callers_have():
    pipeline = Pipeline("cars", 2)
    assert not pipeline.ended
    with pipeline:
        assert not pipeline.ended
    assert pipeline.ended


def test_a_result_that_waited_for_an_earlier_frame_is_handed_on_when_its_feed_is_no_more():
    with Pipeline("cars", 0) as pipeline:
        feed = Feed(source="front", emit=lambda _: True)
        pipeline.attach(feed)
        turns, taken = pipeline._turns, []
        for sequence in (1, 2):
            pipeline.offer(feed, frame(sequence))
            taken.append(turns.take(0.0))
        first, second = (turn for turn in taken if turn)
        turns.give_back(first)
        turns.settle(second, (RuntimeError("a bug"), None))
        assert turns.due() is None
        pipeline.detach(feed)
    assert feed.counts == {"ended": 1, "failed": 1}
    assert feed.is_over
