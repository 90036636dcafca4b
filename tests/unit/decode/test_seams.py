"""Several looks at one frame, one answer: beside a plain reference, and beside what a perfect detector sees."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.decode import seams
from edged.decode.seams import merge
from edged.detection import Detections
from edged.geometry import Region
from edged.regions import regions_of

LEFT, RIGHT = Region(0, 0, 100, 100), Region(80, 0, 100, 100)
WHOLE = Region(0, 0, 180, 100)

Row = tuple[float, float, float, float, float, int]


def found(*rows: Row) -> Detections:
    """x1, y1, x2, y2, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int32)
    )


def rows_of(detections: Detections) -> list[tuple[float, ...]]:
    return [
        (*map(float, box), round(float(score), 4), int(class_id))
        for box, score, class_id in zip(detections.xyxy, detections.score, detections.class_id, strict=True)
    ]


def merged(*looks: tuple[Region, Detections], iou: float = 0.45, room: int = 300) -> list[tuple[float, ...]]:
    regions, seen = [region for region, _ in looks], [one for _, one in looks]
    return rows_of(merge(seen, regions, iou=iou, max_detections=room))


def test_nothing_seen_is_nothing() -> None:
    assert merged((WHOLE, found()), (LEFT, found()), (RIGHT, found())) == []


def test_one_look_comes_back_as_it_is() -> None:
    alone = found((0, 0, 50, 50, 0.5, 1), (0, 0, 51, 50, 0.4, 1))
    assert merge([alone], [WHOLE], iou=0.45, max_detections=300) is alone


def test_halves_that_a_seam_cut_become_one_object() -> None:
    left, right = found((40, 20, 100, 60, 0.6, 1)), found((80, 20, 140, 60, 0.8, 1))
    assert merged((LEFT, left), (RIGHT, right)) == [(40, 20, 140, 60, 0.8, 1)]


def test_halves_in_tiles_that_only_meet_become_one_object() -> None:
    left, right = found((40, 20, 100, 60, 0.6, 1)), found((100, 22, 140, 58, 0.8, 1))
    assert merged((Region(0, 0, 100, 100), left), (Region(100, 0, 80, 100), right)) == [
        (40, 20, 140, 60, 0.8, 1)
    ]


def test_the_whole_object_wins_over_surer_pieces() -> None:
    whole, left, right = (
        found((40, 20, 140, 60, 0.3, 1)), found((41, 21, 99, 60, 0.9, 1)), found((80, 20, 141, 61, 0.8, 1)),
    )  # fmt: skip
    assert merged((WHOLE, whole), (LEFT, left), (RIGHT, right)) == [(40, 20, 140, 60, 0.3, 1)]


def test_a_part_of_a_whole_object_that_a_tile_takes_for_one_goes() -> None:
    whole, left = found((10, 5, 170, 95, 0.5, 1)), found((70, 40, 100, 60, 0.9, 1))
    assert merged((WHOLE, whole), (LEFT, left), (RIGHT, found())) == [(10, 5, 170, 95, 0.5, 1)]


def test_an_object_seen_twice_whole_is_the_surer_one() -> None:
    left, right = found((82, 20, 96, 60, 0.6, 1)), found((83, 20, 97, 61, 0.7, 1))
    assert merged((LEFT, left), (RIGHT, right)) == [(83, 20, 97, 61, 0.7, 1)]


def test_two_objects_cut_by_one_seam_stay_two() -> None:
    left = found((40, 0, 100, 30, 0.6, 1), (50, 60, 100, 95, 0.5, 1))
    right = found((80, 0, 140, 30, 0.7, 1), (80, 60, 130, 95, 0.8, 1))
    assert merged((LEFT, left), (RIGHT, right)) == [(50, 60, 130, 95, 0.8, 1), (40, 0, 140, 30, 0.7, 1)]


def test_neighbours_on_both_sides_of_a_seam_are_not_joined() -> None:
    left, right = found((60, 0, 98, 30, 0.6, 1)), found((80, 50, 140, 90, 0.7, 1))
    assert len(merged((LEFT, left), (RIGHT, right))) == 2


def test_pieces_of_other_classes_are_other_objects() -> None:
    left, right = found((40, 20, 100, 60, 0.6, 1)), found((80, 20, 140, 60, 0.8, 2))
    assert len(merged((LEFT, left), (RIGHT, right))) == 2


def test_a_piece_that_was_taken_for_something_else_goes_with_the_whole_object() -> None:
    whole, left = found((40, 20, 140, 60, 0.5, 1)), found((41, 20, 100, 60, 0.9, 2))
    assert merged((WHOLE, whole), (LEFT, left), (RIGHT, found())) == [(40, 20, 140, 60, 0.5, 1)]


def test_whole_objects_of_other_classes_are_other_objects() -> None:
    whole, left = found((20, 20, 60, 60, 0.5, 1)), found((20, 20, 60, 60, 0.9, 2))
    assert len(merged((WHOLE, whole), (LEFT, left), (RIGHT, found()))) == 2


def test_a_small_object_in_front_of_a_large_one_is_kept() -> None:
    whole, left = found((10, 10, 170, 90, 0.9, 1)), found((30, 30, 50, 60, 0.5, 1))
    assert len(merged((WHOLE, whole), (LEFT, left), (RIGHT, found()))) == 2


def test_what_one_look_tells_apart_stays_apart() -> None:
    close = found((10, 10, 50, 50, 0.9, 1), (11, 10, 50, 50, 0.8, 1))
    assert len(merged((LEFT, close), (RIGHT, found()))) == 2


def test_the_edge_of_the_area_cuts_nothing() -> None:
    at_the_edge, beside = found((0, 20, 40, 60, 0.6, 1)), found((2, 20, 40, 60, 0.5, 1))
    assert merged((WHOLE, at_the_edge), (LEFT, beside)) == [(0, 20, 40, 60, 0.6, 1)]


def test_the_order_of_the_looks_does_not_count_even_for_equal_boxes() -> None:
    left = LEFT, found((82, 20, 96, 60, 0.6, 1), (82, 20, 97, 60, 0.5, 1))
    right = RIGHT, found((82, 20, 96, 60, 0.6, 1))
    assert merged(left, right) == merged(right, left)


def test_the_best_so_many_are_returned() -> None:
    left = found(*[(10 * k, 0, 10 * k + 8, 8, 0.1 * k + 0.05, 1) for k in range(8)])
    best = merged((LEFT, left), (RIGHT, found()), room=3)
    assert [row[4] for row in best] == [0.75, 0.65, 0.55]


def test_a_model_that_tells_objects_apart_up_to_a_high_overlap_does_not_double_them() -> None:
    whole, left = found((10, 10, 50, 50, 0.9, 1)), found((14, 10, 54, 50, 0.8, 1))
    assert len(merged((WHOLE, whole), (LEFT, left), iou=0.95)) == 1


# What a perfect detector sees: of each object the part that lies in the region.

layouts = st.tuples(st.integers(1, 4), st.integers(1, 4))
places = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 3), st.integers(20, 70), st.integers(20, 70), st.integers(0, 2)
    ),
    max_size=12,
    unique_by=lambda place: place[:2],
)


def perfect(objects: list[Row], region: Region) -> Detections:
    x1, y1, x2, y2 = region.xyxy
    parts = [(max(o[0], x1), max(o[1], y1), min(o[2], x2), min(o[3], y2), *o[4:]) for o in objects]
    return found(*[part for part in parts if part[0] < part[2] and part[1] < part[3]])


def apart(places: list[tuple[int, int, int, int, int]]) -> list[Row]:
    """Objects in the cells of a grid of 100 pixels, one a cell, of different scores."""
    return [
        (
            100 * column + 10,
            100 * row + 10,
            100 * column + 10 + wide,
            100 * row + 10 + high,
            0.9 - 0.01 * k,
            kind,
        )
        for k, (column, row, wide, high, kind) in enumerate(places)
    ]


@settings(deadline=None, max_examples=40)
@given(places, layouts, st.floats(0, 0.5), st.randoms(use_true_random=False))
def test_each_object_comes_out_once_however_tiles_cut_it(places, tiles, overlap, random) -> None:
    objects = apart(places)
    regions = list(regions_of(600, 400, model=(64, 48), tiles=tiles, overlap=overlap))
    random.shuffle(regions)
    looks = [perfect(objects, region) for region in regions]
    assert merged(*zip(regions, looks, strict=True)) == sorted(
        rows_of(found(*objects)), key=lambda row: -row[4]
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 4), st.integers(1, 3), st.floats(0.1, 0.5), st.integers(0, 300), st.integers(0, 200))
def test_an_object_larger_than_a_tile_is_put_together_from_its_pieces(columns, rows, overlap, x, y) -> None:
    large = (x, y, x + 300, y + 200, 0.5, 1)
    regions = regions_of(600, 400, model=(64, 64), tiles=(columns, rows), overlap=overlap)[1:]
    assert merged(*[(region, perfect([large], region)) for region in regions]) == rows_of(found(large))


# A plain reference: the rules of the module, box by box.

corner = st.integers(0, 5).map(lambda k: 36.0 * k)
boxes = st.tuples(corner, corner, st.sampled_from([27.0, 54.0]), st.sampled_from([36.0, 81.0]))
rows = st.tuples(boxes, st.integers(1, 9), st.integers(0, 1)).map(
    lambda row: (row[0][0], row[0][1], row[0][0] + row[0][2], row[0][1] + row[0][3], row[1] / 10, row[2])
)
many = st.lists(rows, max_size=12)


def overlap_of(a, b) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def size(a) -> float:
    return max(0.0, a[2] - a[0]) * max(0.0, a[3] - a[1])


def iou_of(a, b) -> float:
    shared = overlap_of(a, b)
    return shared / (size(a) + size(b) - shared) if shared else 0.0


def clip(a, b):
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def plain_merge(looks: list[tuple[Region, Detections]], iou: float) -> list[tuple[float, ...]]:
    edges = [region.xyxy for region, _ in looks]
    area = (*np.min(edges, axis=0)[:2], *np.max(edges, axis=0)[2:])
    every = []
    for region, one in looks:
        edge, side = region.xyxy, (region.width, region.height) * 2
        for row in rows_of(one):
            reach, seen = list(row[:4]), list(edge)
            for k, sign in enumerate((-1, -1, 1, 1)):
                if edge[k] == area[k]:
                    continue
                seen[k] = edge[k] + sign * seams.EDGE * side[k]
                if (edge[k] - row[k]) * sign <= seams.EDGE * side[k]:
                    reach[k] = seen[k]
            every.append((row, tuple(reach), tuple(seen), edge))
    every.sort(key=lambda one: (-one[0][4], one[0][5], one[0][3::-1], one[3][::-1]))

    def apart(a, b) -> bool:
        return a[3] != b[3]

    def alike(a, b) -> bool:
        return a[0][5] == b[0][5]

    def same(a, b) -> bool:
        both = clip(a[2], b[2])
        if size(both) == 0:
            return False
        first, second = clip(a[1], both), clip(b[1], both)
        return size(first) > 0 and size(second) > 0 and iou_of(first, second) > iou

    def inside(a, b) -> bool:
        return overlap_of(a[0], b[0]) > seams.COVERED * size(a[0])

    whole, groups = [], []
    for one in every:
        if one[1] == one[0][:4] and not any(
            apart(one, k) and alike(one, k) and iou_of(one[0], k[0]) > iou for k in whole
        ):
            whole.append(one)
    for one in every:
        if one[1] == one[0][:4] or any(apart(one, k) and same(one, k) for k in whole):
            continue
        near = [
            group for group in groups if any(apart(one, k) and alike(one, k) and same(one, k) for k in group)
        ]
        groups = [group for group in groups if group not in near] + [
            [one, *(k for group in near for k in group)]
        ]
    result = [one[0] for one in whole]
    for group in groups:
        table = np.array([one[0] for one in group])
        joined = (*table[:, :2].min(axis=0), *table[:, 2:4].max(axis=0), table[:, 4].max(), group[0][0][5])
        if not any(
            one[0][5] == joined[5] and (iou_of(joined, one[0]) > iou or inside((joined,), one))
            for one in whole
        ):
            result.append(joined)
    return sorted(tuple(map(float, row)) for row in result)


@settings(deadline=None, max_examples=40)
@given(st.lists(many, min_size=4, max_size=4), st.permutations(range(4)))
def test_any_boxes_are_merged_as_the_plain_reference_merges_them(drawn, order) -> None:
    regions = [Region(0, 0, 180, 180), Region(0, 0, 100, 180), Region(80, 0, 100, 90), Region(90, 90, 90, 90)]
    looks = []
    for region, candidates in zip(regions, drawn, strict=True):
        inside = [clip(row, region.xyxy) + row[4:] for row in candidates]
        looks.append((region, found(*[row for row in inside if size(row) > 0])))
    expected = plain_merge(looks, 0.45)
    result = merged(*looks)
    assert sorted(tuple(map(float, row)) for row in result) == expected
    assert [row[4] for row in result] == sorted((row[4] for row in result), reverse=True)
    assert merged(*[looks[k] for k in order]) == result
