"""What goes over a lane's socket comes out as it went in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edged.detection import Detections
from edged.rows import Scores
from edged.worker.wire import (
    pack_answers,
    pack_detections,
    pack_pictures,
    pack_request,
    pack_scores,
    unpack_answers,
    unpack_detections,
    unpack_pictures,
    unpack_request,
    unpack_scores,
)

counts = st.integers(0, 5)
texts = st.text(max_size=8)  # lone surrogates too
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
floats64 = st.floats(allow_nan=False, allow_infinity=False)
ids = st.integers(-(2**31), 2**31 - 1)
values = st.recursive(
    floats64 | texts | st.booleans() | st.integers(), lambda inner: st.lists(inner, max_size=3)
)


def matrix(dtype, shape, elements):
    return arrays.arrays(dtype, shape, elements=elements)


@given(st.data(), counts)
def test_detections(data, count):
    found = Detections(
        data.draw(matrix(np.float32, (count, 4), floats32)),
        data.draw(matrix(np.float32, count, floats32)),
        data.draw(matrix(np.int32, count, ids)),
    )
    body = pack_detections(found)
    back = unpack_detections(body)
    assert len(body) == 24 * count
    assert (back.xyxy.dtype, back.score.dtype, back.class_id.dtype) == (np.float32, np.float32, np.int32)
    for name in ("xyxy", "score", "class_id"):
        assert np.array_equal(getattr(back, name), getattr(found, name))


@given(st.data(), st.lists(counts, min_size=1, max_size=5))
def test_answers_to_several_pictures(data, sizes):
    found = [
        Detections(
            data.draw(matrix(np.float32, (size, 4), floats32)),
            data.draw(matrix(np.float32, size, floats32)),
            data.draw(matrix(np.int32, size, ids)),
        )
        for size in sizes
    ]
    back = unpack_answers(pack_answers(found), len(found))
    assert len(back) == len(found)
    for one, other in zip(found, back, strict=True):
        for name in ("xyxy", "score", "class_id"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_request_about_pictures(first, count):
    assert unpack_pictures(pack_pictures(first, count)) == (first, count)


@given(st.data(), counts, st.integers(1, 4), st.integers(1, 3))
def test_a_request_with_texts(data, windows, rows, each):
    row = st.lists(texts, min_size=each, max_size=each).map(tuple)
    window = st.lists(row, min_size=rows, max_size=rows).map(tuple)
    asked = tuple(data.draw(st.lists(window, min_size=windows, max_size=windows)))
    got = unpack_request(pack_request(windows, rows, asked))
    assert got == (windows, rows, [[list(row) for row in window] for window in asked])


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_request_of_numbers_alone_is_eight_bytes(windows, rows):
    body = pack_request(windows, rows)
    assert len(body) == 8
    assert unpack_request(body) == (windows, rows, [])


@given(st.data(), counts, st.integers(0, 4), st.booleans())
def test_classes(data, count, classes, named):
    names = data.draw(st.lists(texts, min_size=count, max_size=count)) if named else ()
    scores = Scores(
        "class",
        class_id=data.draw(matrix(np.int32, count, ids)),
        scores=data.draw(matrix(np.float32, (count, classes), floats32)),
        names=names,
    )
    back = travelled(scores)
    assert (back.class_id.dtype, back.scores.dtype) == (np.int32, np.float32)
    assert np.array_equal(back.class_id, scores.class_id)
    assert np.array_equal(back.scores, scores.scores)
    assert list(back.names) == list(names)


@given(st.data(), counts, st.integers(1, 4))
def test_values(data, count, each):
    scores = Scores("value", values=data.draw(matrix(np.float64, (count, each), floats64)))
    assert np.array_equal(travelled(scores).values, scores.values)


@given(st.data(), counts)
def test_anomalies(data, count):
    scores = Scores(
        "anomaly",
        anomaly=data.draw(matrix(np.bool_, count, st.booleans())),
        values=data.draw(matrix(np.float64, (count, 1), floats64)),
    )
    back = travelled(scores)
    assert back.anomaly.dtype == np.bool_
    assert np.array_equal(back.anomaly, scores.anomaly)
    assert np.array_equal(back.values, scores.values)


@given(st.lists(st.dictionaries(texts, values, max_size=3), max_size=4))
def test_outputs(outputs):
    assert list(travelled(Scores("outputs", outputs=outputs)).outputs) == outputs


def travelled(scores: Scores) -> Scores:
    back = unpack_scores(pack_scores(scores))
    assert back.kind == scores.kind
    assert len(back) == len(scores)
    return back


def test_the_numbers_of_scores_stand_where_processors_like_them():
    back = unpack_scores(pack_scores(Scores("value", values=np.array([[math.pi]]))))
    assert back.values.flags.aligned


@pytest.mark.parametrize("kind", ["class", "value", "anomaly", "outputs"])
def test_a_part_of_what_travelled_is_that_part(kind):
    whole = Scores(
        kind,
        class_id=np.arange(3, dtype=np.int32),
        scores=np.eye(3, dtype=np.float32),
        names=["a", "b", "c"],
        anomaly=np.array([True, False, True]),
        values=np.array([[1.0], [2], [3]]),
        outputs=[{"y": 1}, {"y": 2}, {"y": 3}],
    )
    part = unpack_scores(pack_scores(whole)).part(1, 2)
    assert len(part) == 1
    told = {
        "class": [part.class_id.tolist(), part.scores.tolist(), list(part.names)],
        "value": part.values.tolist(),
        "anomaly": [part.anomaly.tolist(), part.values.tolist()],
        "outputs": list(part.outputs),
    }
    expected = {
        "class": [[1], [[0, 1, 0]], ["b"]],
        "value": [[2]],
        "anomaly": [[False], [[2]]],
        "outputs": [{"y": 2}],
    }
    assert told[kind] == expected[kind]
