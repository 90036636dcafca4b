"""Shares, starvation and lateness: what `Turns` decides, on a clock of its own."""

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.frame import Frame, PixelLayout
from edged.geometry import Region
from edged.pipeline.expected import ExpectedTime
from edged.pipeline.turns import Feed, Turns

PLANES = (np.zeros((4, 4, 3), np.uint8),)
SOMETHING = object()
weights = st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0, 7.0]), min_size=2, max_size=8)


def frame(at_s: float = 0.0, sequence: int = 0) -> Frame:
    return Frame("front", sequence, 0.0, at_s, 4, 4, PixelLayout.BGR, PLANES)


def a_feed(turns: Turns, **changes: object) -> Feed:
    feed = Feed(source="front", emit=lambda _: True, **changes)  # type: ignore[arg-type]
    turns.feeds.append(feed)
    return feed


def saturated(turns: Turns, feeds: list[Feed], rounds: int, now_s: float = 0.0) -> list[int]:
    """Who was served while every feed always has a frame."""
    order = []
    for _ in range(rounds):
        for feed in feeds:
            if feed._frame is None:
                turns.put(feed, frame(now_s), now_s)
        turn = turns.take(now_s, model=SOMETHING)  # type: ignore[arg-type]
        assert turn is not None
        order.append(feeds.index(turn.feed))
        turns.settle(turn, "a result")
        turns.done(turn, "published")
    return order


@given(weights, st.integers(20, 200))
@settings(max_examples=60, deadline=None)
def test_under_saturation_any_two_feeds_are_served_by_weight_within_a_frame_of_each_at_any_time(
    given_weights, rounds
):
    turns = Turns()
    feeds = [a_feed(turns, weight=weight) for weight in given_weights]
    served = [0] * len(feeds)
    for index in saturated(turns, feeds, rounds):
        served[index] += 1
        shares = [(count / weight, 1 / weight) for count, weight in zip(served, given_weights, strict=True)]
        (least, least_frame), (most, most_frame) = min(shares), max(shares)
        assert most - least <= least_frame + most_frame + 1e-9


@given(st.integers(1, 64))
@settings(max_examples=20, deadline=None)
def test_with_equal_weights_nobody_is_served_twice_before_everybody_was_once(count):
    turns = Turns()
    order = saturated(turns, [a_feed(turns) for _ in range(count)], count * 3)
    assert all(sorted(order[start : start + count]) == list(range(count)) for start in (0, count, 2 * count))


@given(weights, st.integers(8, 300), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_feed_that_was_idle_is_served_next_and_gets_nothing_for_what_it_missed(
    given_weights, rounds, which
):
    turns = Turns()
    feeds = [a_feed(turns, weight=weight) for weight in given_weights]
    waker = feeds[which % len(feeds)]
    others = [feed for feed in feeds if feed is not waker]
    saturated(turns, others, rounds)
    turns.put(waker, frame(), 0.0)
    for feed in others:
        if feed._frame is None:
            turns.put(feed, frame(), 0.0)
    turn = turns.take(0.0)
    assert turn is not None
    assert turn.feed is waker
    turns.done(turn, "published")
    again = saturated(turns, feeds, 200)
    due = 200 * waker.weight / sum(feed.weight for feed in feeds)
    assert again.count(feeds.index(waker)) <= due + len(feeds)


def test_after_a_time_without_any_frame_nobody_owes_anything():
    turns = Turns()
    busy, idle = a_feed(turns, weight=0.01), a_feed(turns)
    saturated(turns, [busy], 50)  # alone, so it is served however little it weighs
    feeds = [busy, idle]
    order = saturated(turns, feeds, 101)
    assert order.count(0) >= 1


def test_a_frame_in_five_tiles_is_charged_as_five():
    turns = Turns()
    tiles = tuple(Region(x, 0, 4, 4) for x in range(5))
    tiled, whole = a_feed(turns, regions=lambda _frame, _model: tiles), a_feed(turns)
    order = saturated(turns, [tiled, whole], 60)
    assert order.count(1) == 50


class TestLateness:
    def test_a_frame_that_would_be_too_old_when_it_was_looked_at_is_not_looked_at(self):
        turns = Turns()
        late, fine = a_feed(turns, max_age_s=1.0), a_feed(turns, max_age_s=1.0)
        turns.put(late, frame(at_s=0.0), 0.0)
        turns.put(fine, frame(at_s=0.6), 0.6)
        turn = turns.take(0.7, 0.5)
        assert turn is not None
        assert turn.feed is fine
        assert late.counts == Counter(stale=1)
        assert turns.late == 1

    def test_where_no_frame_can_be_in_time_one_is_looked_at_all_the_same(self):
        turns = Turns()
        feed = a_feed(turns, max_age_s=1.0)
        turns.put(feed, frame(at_s=0.0), 0.0)
        assert turns.take(0.5, 1.5) is not None

    def test_a_camera_whose_frames_come_late_is_not_passed_over_for_good(self):
        turns = Turns()
        feed = a_feed(turns, max_age_s=1.0)
        turns.put(feed, frame(at_s=0.0), 0.8)
        assert turns.take(0.8, 0.5) is not None

    @settings(deadline=None)
    @given(st.floats(0.001, 5.0), st.floats(0.0, 3.0), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
    def test_whatever_is_expected_a_camera_that_goes_on_is_looked_at_again_and_again(
        self, expected_s, delay_s, pauses
    ):
        turns = Turns()
        feed = a_feed(turns, max_age_s=1.0)
        now_s = 0.0
        for pause_s in pauses:
            now_s += pause_s
            turns.put(feed, frame(at_s=now_s - min(delay_s, 0.99)), now_s)
            turn = turns.take(now_s, expected_s)
            assert turn is not None
            turns.done(turn, "published")


class TestInCompany:
    def test_what_waits_is_taken_along_also_of_a_feed_in_work(self):
        turns = Turns()
        feeds = [a_feed(turns) for _ in range(3)]
        for feed in feeds:
            turns.put(feed, frame(), 0.0)
        first = turns.take(0.0)
        assert first is not None
        turns.put(first.feed, frame(sequence=1), 0.0)
        taken = [turn.feed for turn in iter(lambda: turns.take_along(0.0, 0.0, 8), None)]
        assert sorted(map(feeds.index, [first.feed, *taken])) == [0, 0, 1, 2]

    def test_what_only_comes_too_late_in_company_stays_for_a_turn_of_its_own(self):
        turns = Turns()
        first, second = a_feed(turns, max_age_s=1.0), a_feed(turns, max_age_s=0.3)
        turns.put(first, frame(), 0.0)
        turns.put(second, frame(), 0.0)
        assert turns.take(0.0, 0.2) is not None
        assert turns.take_along(0.1, 0.25, 8) is None
        alone = turns.take(0.1, 0.1)
        assert alone is not None
        assert alone.feed is second

    def test_a_frame_of_more_tensors_than_there_is_room_for_stays(self):
        turns = Turns()
        tiles = tuple(Region(x, 0, 4, 4) for x in range(3))
        turns.put(a_feed(turns), frame(), 0.0)
        turns.put(a_feed(turns, regions=lambda _frame, _model: tiles), frame(), 0.0)
        assert turns.take(0.0) is not None
        assert turns.take_along(0.0, 0.0, 2, model=SOMETHING) is None  # type: ignore[arg-type]
        assert turns.take_along(0.0, 0.0, 3, model=SOMETHING) is not None  # type: ignore[arg-type]

    def test_a_frame_that_killed_a_process_goes_alone(self):
        turns = Turns()
        suspect, innocent = a_feed(turns), a_feed(turns)
        turns.put(suspect, frame(), 0.0)
        turn = turns.take(0.0)
        assert turn is not None
        turns.give_back(turn)
        turns.put(innocent, frame(), 0.0)
        assert turns.take(0.0) is not None
        assert turns.take_along(0.0, 0.0, 8) is None


class TestExpectedTime:
    def test_nothing_is_expected_before_anything_was_seen(self):
        assert ExpectedTime().of(3) == 0.0

    @settings(deadline=None)
    @given(st.floats(0.001, 1.0), st.floats(0.001, 1.0))
    def test_what_it_expects_follows_what_comes(self, before_s, after_s):
        expected = ExpectedTime()
        for _ in range(100):
            expected.learn(1, before_s)
        for _ in range(100):
            expected.learn(1, after_s)
        assert math.isclose(expected.of(1), after_s, rel_tol=0.01, abs_tol=0.01)

    def test_a_jitter_is_allowed_for(self):
        expected = ExpectedTime()
        for number in range(100):
            expected.learn(1, 0.1 + 0.05 * (number % 2))
        assert expected.of(1) > 0.15
