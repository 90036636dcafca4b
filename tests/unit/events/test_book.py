"""What is told of the objects of a camera, and how many there are."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracked_scenes import LEFT, MIDDLE, RIGHT, Scene

from edged.events import BookOptions, LineMap
from edged.events.path import MAX_POINTS
from edged.zones import ZoneMap

AT_ONCE = BookOptions(update_every_s=0.01, burst=100, picture_every_s=1e9)


def test_an_object_comes_once_and_goes_once():
    scene = Scene()
    assert scene.says({1: 50}) == ["start 1"]
    assert scene.says({1: 51}) == scene.says({1: None}) == []
    assert scene.says({1: 52, 2: 150}) == ["start 2"]
    assert scene.says({2: 150}) == ["end 1 lost"]
    assert scene.says({}) == ["end 2 lost"]
    assert scene.says({}) == []


def test_one_that_was_seen_last_at_the_edge_has_left():
    scene = Scene()
    scene.frame({1: 50})
    scene.frame({1: 8})
    assert scene.says({}) == ["end 1 left"]


def test_the_start_says_what_is_known_by_then_and_the_end_what_was():
    scene = Scene(LEFT, RIGHT, options=AT_ONCE)
    scene.now_s = 5.0
    (start,) = scene.frame({1: 50}, score=0.6).events
    assert (start.id, start.kind, start.label, start.zones, start.changes) == (
        "e1",
        "start",
        "person",
        ("left",),
        (),
    )
    assert (start.seen.box, start.seen.score) == ((40.0, 40.0, 60.0, 60.0), pytest.approx(0.6))
    assert start.first.at_s == pytest.approx(5.1)
    for x in (80, 110, 140):
        scene.frame({1: x}, score=0.9, after_s=1.0)
    (end,) = scene.frame({}).events
    assert (end.id, end.zones, end.zones_ever, end.best_score) == (
        "e1",
        ("right",),
        ("left", "right"),
        pytest.approx(0.9),
    )
    assert end.first == start.first
    assert end.seen.moment.at_s == pytest.approx(8.1)
    assert end.path == ((50.0, 60.0), (80.0, 60.0), (110.0, 60.0), (140.0, 60.0))


def test_zones_are_entered_and_left():
    scene = Scene(LEFT, RIGHT, options=AT_ONCE)
    assert scene.says({1: 50}) == ["start 1"]
    assert scene.says({1: 120}) == ["update 1 left:left entered:right"]
    assert scene.book.counts == {("", "person"): 1, ("right", "person"): 1}


def test_who_wavers_at_the_border_of_a_zone_stays_where_he_was():
    scene = Scene(replace(LEFT, inertia_frames=3), options=AT_ONCE)
    scene.frame({1: 90})
    for x in (105, 105, 95, 105, 95, 105, 105):
        assert scene.says({1: x}) == []
    assert scene.says({1: 105}) == ["update 1 left:left"]


def test_inertia_may_be_a_time_whatever_the_rate():
    scene = Scene(replace(LEFT, inertia_frames=1, inertia_s=1.0), options=AT_ONCE)
    assert scene.says({1: 50}) == ["start 1"]
    assert scene.frame({1: 50}, after_s=0.9).events == ()
    assert scene.says({1: 50}, after_s=0.2) == ["update 1 entered:left"]


def test_while_it_is_hidden_an_object_stays_where_it_was():
    scene = Scene(LEFT, options=AT_ONCE)
    scene.frame({1: 50})
    for _ in range(5):
        assert scene.says({1: None}) == []
    assert scene.book.counts["left", "person"] == 1


def test_a_zone_counts_what_was_sure_enough_once():
    scene = Scene(replace(LEFT, min_score=0.7), options=AT_ONCE)
    scene.frame({1: 50}, score=0.5)
    assert scene.book.counts["left", "person"] == 0
    assert scene.says({1: 50}, score=0.8) == ["update 1 entered:left picture"]
    assert scene.says({1: 50}, score=0.5) == []
    assert scene.book.counts["left", "person"] == 1


def test_who_stays_long_enough_loiters_once():
    scene = Scene(replace(LEFT, loitering_s=10.0), options=AT_ONCE)
    scene.frame({1: 50})
    assert scene.says({1: 50}, after_s=9.9) == []
    assert scene.says({1: None}, after_s=0.2) == ["update 1 loitering:left"]
    assert scene.says({1: 50}, after_s=99) == []
    scene.frame({1: 150})
    (end,) = scene.frame({}).events
    assert end.loitering == ()


def test_standing_still_and_moving_again_is_told():
    scene = Scene(options=AT_ONCE)
    scene.frame({1: 50})
    assert scene.book.moving
    assert scene.says({1: 50}, still=frozenset({1})) == ["update 1 stationary"]
    assert not scene.book.moving
    assert scene.says({1: 50}) == ["update 1 moving"]


def test_updates_of_one_object_are_bounded_and_lose_nothing():
    scene = Scene(LEFT, RIGHT, options=BookOptions(update_every_s=1.0, burst=3, picture_every_s=1e9))
    scene.frame({1: 50})
    told = [scene.frame({1: 50.0 if at % 2 else 150.0}).events for at in range(100)]
    assert sum(map(len, told)) <= 3 + 10
    changes = [change for events in told for event in events for change in event.changes]
    (end,) = scene.frame({}).events
    assert len([*changes, *end.changes]) == 200


def test_a_better_picture_is_told_now_and_then_and_handed_on_at_once():
    scene = Scene(options=BookOptions(picture_every_s=5.0))
    first = scene.frame({1: 50}, score=0.5)
    assert [event.track_id for event in first.better] == [1]
    better = scene.frame({1: 50}, score=0.7, after_s=1)
    assert better.events == ()
    assert [event.best.score for event in better.better] == [pytest.approx(0.7)]
    assert scene.frame({1: 50}, score=0.72).better == ()
    assert scene.says({1: 50}, score=0.5, after_s=5) == ["update 1 picture"]
    assert scene.says({1: 50}, score=0.5, after_s=50) == []


def test_who_crosses_a_line_is_counted_once_he_is_clear_of_it():
    scene = Scene(lines=(MIDDLE,), options=AT_ONCE)
    scene.frame({1: 90})
    for x in (101, 99, 101, 100, 99, 101):
        assert scene.says({1: x}) == []
    assert scene.says({1: 105}) == ["update 1 crossed:middle:in"]
    assert scene.says({1: 101}) == scene.says({1: 99}) == scene.says({1: 104}) == []
    assert scene.says({1: 50}) == ["update 1 crossed:middle:out"]
    assert scene.book.crossings == {("middle", "person", "in"): 1, ("middle", "person", "out"): 1}


def test_a_line_is_crossed_behind_what_hides_the_object_and_by_who_is_gone_before_he_is_clear():
    scene = Scene(lines=(MIDDLE,), options=AT_ONCE)
    scene.frame({1: 50, 2: 90})
    scene.frame({1: None, 2: 101})
    assert scene.says({1: 150}) == ["end 2 lost crossed:middle:in", "update 1 crossed:middle:in"]
    assert scene.book.crossings == {("middle", "person", "in"): 2}


def test_a_line_counts_only_the_labels_that_it_is_asked_for():
    scene = Scene(lines=(replace(MIDDLE, labels=("car",)),), options=AT_ONCE)
    labels = {1: "car", 2: "cat"}
    scene.frame({1: 50, 2: 50}, labels=labels)
    assert scene.says({1: 150, 2: 150}, labels=labels) == ["update 1 crossed:middle:in"]
    assert scene.book.crossings == {("middle", "car", "in"): 1}


def test_other_zones_and_lines_leave_the_objects_as_they_are():
    scene = Scene(LEFT, lines=(MIDDLE,), options=AT_ONCE)
    scene.frame({1: 50})
    scene.frame({1: 120})
    scene.frame({1: 50})
    moved = replace(LEFT, points=RIGHT.points)
    scene.book.under(ZoneMap([moved, RIGHT]), LineMap([MIDDLE]))
    assert scene.book.counts == {("", "person"): 1, ("left", "person"): 1}
    assert scene.says({1: 55}) == ["update 1 left:left"]
    assert scene.book.crossings["middle", "person", "in"] == 1
    scene.book.under(ZoneMap([]), LineMap([]))
    assert scene.says({1: 150}) == []
    assert (scene.book.counts, scene.book.crossings) == ({("", "person"): 1}, Counter())
    assert scene.says({}) == ["end 1 lost"]


def test_objects_may_be_ended_for_a_reason():
    scene = Scene()
    scene.frame({1: 50, 2: 150})
    assert [(event.track_id, event.reason) for event in scene.book.end([2, 7], "offline")] == [(2, "offline")]
    assert [(event.track_id, event.reason) for event in scene.book.end_all("stopped")] == [(1, "stopped")]
    assert len(scene.book) == 0
    assert scene.book.end_all("stopped") == []


def test_a_path_is_bounded_and_keeps_its_ends():
    scene = Scene()
    scene.frame({1: 20})
    for at in range(400):
        scene.frame({1: 20 + (at % 150)}, bottom=40 + (at % 7) * 8)
    (end,) = scene.frame({}).events
    assert len(end.path) <= MAX_POINTS
    assert end.path[0] == (20.0, 60.0)
    assert end.path[-1] == (20.0 + 399 % 150, 40.0 + (399 % 7) * 8)


@given(
    st.lists(
        st.dictionaries(st.integers(1, 6), st.one_of(st.none(), st.integers(10, 190)), max_size=6),
        max_size=40,
    )
)
@settings(max_examples=35)
def test_whatever_happens_each_has_one_start_and_one_end_and_counts_are_those_alive(frames):
    scene, told = Scene(LEFT, RIGHT, lines=(MIDDLE,)), Counter()
    dead: set[int] = set()
    for number, frame in enumerate(frames):
        objects = {track: x for track, x in frame.items() if track not in dead}
        for event in scene.frame(dict(objects)).events:
            told[event.kind, event.id] += 1
            if event.kind == "end":
                dead.add(event.track_id)  # an id is not used again
                objects.pop(event.track_id, None)
        counts = scene.book.counts
        assert counts["", "person"] == len(objects), number
        assert counts["left", "person"] + counts["right", "person"] <= 2 * len(objects)
    for event in scene.book.end_all("stopped"):
        told[event.kind, event.id] += 1
    ids = {event_id for _, event_id in told}
    assert all(told["start", one] == told["end", one] == 1 for one in ids)


def test_what_may_not_be_told_is_told_later_together_and_with_the_end_at_the_latest():
    scene, asked, allowed = Scene(LEFT, RIGHT, options=AT_ONCE), [], [False]

    def may_tell(first: bool) -> bool:
        asked.append(first)
        return allowed[0]

    scene.may_tell = may_tell
    assert scene.says({1: 50}) == ["start 1"]
    assert scene.says({1: 120}) == scene.says({1: 121}) == []
    assert scene.says({1: 122}, still=frozenset([1])) == []
    assert asked == [True, False, False]
    allowed[0] = True
    assert scene.says({1: 122}, still=frozenset([1])) == ["update 1 left:left entered:right stationary"]
    allowed[0] = False
    assert scene.says({1: 50}) == []
    assert asked[-1]  # of a new hold
    assert scene.says({}) == ["end 1 lost entered:left left:right moving"]
