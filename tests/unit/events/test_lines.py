"""How often ways cross lines, against exact arithmetic."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edged.events.lines import Line, LineMap

coordinates = st.integers(0, 64).map(lambda number: number / 64)
points = st.tuples(coordinates, coordinates)
ways = st.lists(points, min_size=2, max_size=5).filter(lambda way: all(a != b for a, b in pairwise(way)))
ACROSS = Line("across", ((0.0, 0.5), (1.0, 0.5)))


def turn(a, b, c) -> Fraction:
    ax, ay, bx, by, cx, cy = (Fraction(value) for point in (a, b, c) for value in point)
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def crossings(way, line) -> int:
    """``in`` less ``out``, piece by piece; what only touches is left to the other tests."""
    net = 0
    for p, q in pairwise(way):
        for a, b in pairwise(line):
            sides = [turn(a, b, p), turn(a, b, q), turn(p, q, a), turn(p, q, b)]
            assume(0 not in sides)
            if (sides[0] > 0) != (sides[1] > 0) and (sides[2] > 0) != (sides[3] > 0):
                net += 1 if sides[1] > 0 else -1
    return net


def net(way, *lines: Line) -> list[int]:
    steps = np.array(way, np.float64)
    return LineMap(lines).crossed(steps[:-1], steps[1:]).sum(axis=0).tolist()


@given(st.lists(ways, min_size=1, max_size=3), ways)
@settings(max_examples=35)
def test_ways_cross_lines_as_often_as_exact_arithmetic_says(lines, way):
    expected = [crossings(way, line) for line in lines]
    assert net(way, *(Line(str(at), tuple(line)) for at, line in enumerate(lines))) == expected


@given(st.lists(st.integers(0, 8), min_size=2, max_size=30))
def test_whatever_way_is_walked_the_net_is_the_side_at_its_end_less_that_at_its_start(heights):
    """Steps that end on the line included: nothing is counted twice, nothing is missed."""
    way = [(0.1 + 0.02 * at, height / 8) for at, height in enumerate(heights)]
    assert net(way, ACROSS) == [int(heights[-1] > 4) - int(heights[0] > 4)]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ([(0.5, 0.4), (0.5, 0.6)], 1),  # down: to the right of who walks from left to right
        ([(0.5, 0.6), (0.5, 0.4)], -1),
        ([(0.5, 0.4), (0.5, 0.6), (0.5, 0.4)], 0),
        ([(0.5, 0.4), (0.5, 0.5), (0.5, 0.4)], 0),  # it touches it
        ([(0.5, 0.4), (0.5, 0.5), (0.5, 0.6)], 1),
        ([(0.5, 0.4)] * 3, 0),
    ],
)
def test_down_is_in_for_a_line_that_was_drawn_from_left_to_right(way, expected):
    assert net(way, ACROSS) == [expected]


def test_who_goes_around_the_end_of_a_line_has_not_crossed_it():
    line = Line("short", ((0.4, 0.5), (0.6, 0.5)))
    around = [(0.5, 0.4), (0.7, 0.4), (0.7, 0.6), (0.5, 0.6)]
    assert net(around, line) == [0]
    assert net([*around, (0.5, 0.4)], line) == [-1]


def test_distances_are_in_pixels_of_the_frame_and_to_the_nearest_piece():
    lines = LineMap([ACROSS, Line("corner", ((0.5, 0.0), (0.5, 0.5), (1.0, 0.5)))])
    found = lines.distances_px(np.array([[0.25, 0.25], [0.75, 0.6]]), 200, 100)
    np.testing.assert_allclose(found, [[25, 50], [10, 10]])
    assert lines.distances_px(np.zeros((0, 2)), 200, 100).shape == (0, 2)
    assert LineMap().crossed(np.zeros((3, 2)), np.ones((3, 2))).shape == (3, 0)
