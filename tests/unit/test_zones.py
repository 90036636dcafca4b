"""Which objects are in which zone, against an exhaustive reference in exact arithmetic."""

from fractions import Fraction
from itertools import pairwise
from math import atan2

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edged.zones import Mask, MaskMap, Points, Polygons, Zone, ZoneMap, is_simple

SQUARE: Points = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
WHOLE: Points = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
GRID = 16
"""Coordinates are sixteenths, so that floating point is exact, and points lie on edges and corners often."""

sixteenths = st.integers(0, GRID).map(lambda number: number / GRID)
points = st.tuples(sixteenths, sixteenths)


@st.composite
def polygons(draw: st.DrawFn) -> Points:
    polygon = tuple(draw(st.lists(points, min_size=3, max_size=7, unique=True)))
    if not is_simple(polygon):  # corners in the order of their directions from the middle seldom cross
        x, y = (sum(corner[axis] for corner in polygon) / len(polygon) for axis in (0, 1))
        polygon = tuple(sorted(polygon, key=lambda corner: atan2(corner[1] - y, corner[0] - x)))
    assume(is_simple(polygon))
    return polygon


spans = st.lists(sixteenths, min_size=2, max_size=2, unique=True).map(sorted)
boxes = st.tuples(spans, spans).map(lambda two: (two[0][0], two[1][0], two[0][1], two[1][1]))
Exact = tuple[Fraction, Fraction]


def exactly(polygon: Points) -> list[Exact]:
    return [(Fraction(x), Fraction(y)) for x, y in polygon]


def turn(a: Exact, b: Exact, c: Exact) -> Fraction:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def is_inside(point: tuple[float, float], polygon: Points) -> bool:
    """On an edge, or with a winding number other than 0: counted edge by edge."""
    (p,), corners = exactly((point,)), exactly(polygon)
    winding = 0
    for a, b in pairwise([*corners, corners[0]]):
        on = min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])
        if turn(a, b, p) == 0 and on:
            return True
        if a[1] <= p[1] < b[1] and turn(a, b, p) > 0:
            winding += 1
        if b[1] <= p[1] < a[1] and turn(a, b, p) < 0:
            winding -= 1
    return winding != 0


def share_of(box: tuple[float, float, float, float], polygon: Points) -> Fraction:
    """By cutting the polygon at each side of the box (Sutherland and Hodgman), and the shoelace formula."""
    x1, y1, x2, y2 = map(Fraction, box)
    left = exactly(polygon)
    for axis, bound, sign in ((0, x1, 1), (0, x2, -1), (1, y1, 1), (1, y2, -1)):
        cut: list[Exact] = []
        for a, b in pairwise([*left, *left[:1]]):
            a_in, b_in = (sign * (point[axis] - bound) >= 0 for point in (a, b))
            if a_in != b_in:
                part = (bound - a[axis]) / (b[axis] - a[axis])
                cut.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
            if b_in:
                cut.append(b)
        left = cut
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*left, *left[:1]]))
    return abs(Fraction(twice)) / 2 / ((x2 - x1) * (y2 - y1))


@given(st.lists(polygons(), min_size=1, max_size=3), st.lists(points, min_size=1, max_size=8))
@settings(max_examples=30)
def test_a_point_is_in_a_polygon_as_exact_arithmetic_says(shapes, places):
    found = Polygons(shapes).contain(np.array(places, np.float64))
    assert found.tolist() == [[is_inside(place, shape) for shape in shapes] for place in places]


@given(st.lists(polygons(), min_size=1, max_size=3), st.lists(boxes, min_size=1, max_size=5))
@settings(max_examples=30)
def test_the_share_of_a_box_in_a_polygon_is_as_exact_arithmetic_says(shapes, some):
    found = Polygons(shapes).shares(np.array(some, np.float64))
    expected = [[float(share_of(box, shape)) for shape in shapes] for box in some]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(st.lists(points, min_size=3, max_size=7))
@settings(max_examples=30)
def test_a_polygon_is_simple_where_its_edges_meet_in_shared_corners_only(corners):
    exact = exactly(tuple(corners))
    edges = list(pairwise([*exact, exact[0]]))

    def common(a: Exact, b: Exact, c: Exact, d: Exact) -> bool:
        """Whether two closed pieces have a point in common, by solving for it."""
        r, s = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1])
        cross = r[0] * s[1] - r[1] * s[0]
        q = (c[0] - a[0], c[1] - a[1])
        if cross:
            t, u = (q[0] * s[1] - q[1] * s[0]) / cross, (q[0] * r[1] - q[1] * r[0]) / cross
            return 0 <= t <= 1 and 0 <= u <= 1
        on = [
            turn(a, b, p) == 0
            and min(a[0], b[0]) <= p[0] <= max(a[0], b[0])
            and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])
            for p in (c, d)
        ]
        on += [
            turn(c, d, p) == 0
            and min(c[0], d[0]) <= p[0] <= max(c[0], d[0])
            and min(c[1], d[1]) <= p[1] <= max(c[1], d[1])
            for p in (a, b)
        ]
        return any(on)

    sound = len(set(exact)) == len(exact)
    for at, (a, b) in enumerate(edges):
        for other in range(at + 1, len(edges)):
            c, d = edges[other]
            if not sound:
                break
            if b == c or a == d:
                corner, before, after = (b, a, d) if b == c else (a, b, c)
                back = (before[0] - corner[0]) * (after[0] - corner[0]) + (before[1] - corner[1]) * (
                    after[1] - corner[1]
                )
                sound = turn(before, corner, after) != 0 or back < 0
            else:
                sound = not common(a, b, c, d)
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)
    assert is_simple(tuple(corners)) == (sound and area != 0)


def box(x: float, bottom: float, *, wide: float = 20.0, high: float = 40.0) -> list[float]:
    return [x - wide / 2, bottom - high, x + wide / 2, bottom]


def inside(zones: list[Zone], some: list[list[float]], labels: list[str]) -> list[list[bool]]:
    found = ZoneMap(zones).inside(np.array(some, np.float32).reshape(-1, 4), labels, width=200, height=100)
    return found.tolist()


def test_nothing_is_nowhere():
    assert inside([Zone("a", SQUARE)], [], []) == []
    assert inside([], [box(100, 50)], ["car"]) == [[]]
    assert (
        MaskMap().hidden(np.zeros((2, 4), np.float32), ["a", "b"], width=9, height=9).tolist() == [False] * 2
    )


def test_an_object_is_where_it_stands_and_one_that_is_cut_off_below_stands_at_the_edge():
    zones = [Zone("middle", SQUARE), Zone("ground", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))]
    some = [box(100, 60), box(100, 30), box(100, 80), box(100, 100), box(20, 60)]
    found = inside(zones, some, ["car"] * len(some))
    assert found == [[True, True], [True, False], [False, True], [False, True], [False, True]]


def test_only_labels_and_sizes_that_are_asked_for_count():
    zones = [Zone("cars", WHOLE, labels=("car", "bus")), Zone("large", WHOLE, min_area=0.05)]
    some = [box(100, 60), box(100, 60), box(100, 60, wide=40)]
    assert inside(zones, some, ["car", "cat", "bus"]) == [[True, False], [False, False], [True, True]]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, [True, True]), (0.5, [True, False]), (1.0, [False, False])]
)
def test_a_zone_may_ask_for_a_share_of_the_box_instead(share, expected):
    zone = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), share=share)
    some = [[90, 10, 110, 50], [94, 10, 110, 50]]
    assert [row[0] for row in inside([zone], some, ["a", "a"])] == expected


def test_a_mask_hides_what_stands_in_it_by_label():
    masks = MaskMap([Mask(SQUARE, labels=("tree",)), Mask(((0.0, 0.0), (0.1, 0.0), (0.1, 1.0), (0.0, 1.0)))])
    some = np.array([box(100, 60), box(100, 60), box(10, 90), box(190, 90)], np.float32)
    hidden = masks.hidden(some, ["tree", "car", "car", "tree"], width=200, height=100)
    assert hidden.tolist() == [True, False, True, False]
