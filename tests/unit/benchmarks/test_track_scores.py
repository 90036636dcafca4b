from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
A, B = [0.0, 0, 10, 10], [100.0, 0, 110, 10]


@pytest.fixture
def scores(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.tracks import scores

    return scores


def tally(scores, frames):
    scorer = scores.Scorer()
    for truth, tracks in frames:
        sides = [(list(side), np.array(list(side.values())).reshape(-1, 4)) for side in (truth, tracks)]
        scorer.add(*sides[0], *sides[1])
    return scorer.close()


def test_a_hand_computed_case(scores):
    """Ten frames of two objects: one is followed by 7 for six frames, then by 8; the other by 9, but not in the last
    three frames; in one frame there is a box of nothing."""
    frames = []
    for number in range(10):
        tracks = {7 if number < 6 else 8: A} | ({9: B} if number < 7 else {})
        if number == 2:
            tracks[5] = [300.0, 0, 310, 10]
        frames.append(({1: A, 2: B}, tracks))
    found = tally(scores, frames)
    assert (found.truths, found.outputs, found.misses, found.false, found.switches) == (20, 18, 3, 1, 1)
    assert found.mota == pytest.approx(1 - 5 / 20)
    assert found.matched_ids == 6 + 7
    assert found.idf1 == pytest.approx(2 * 13 / (20 + 18))


def test_a_pair_that_matched_before_stays_though_another_is_nearer(scores):
    frames = [({1: A}, {7: [1.0, 0, 11, 10]}), ({1: A}, {7: [2.0, 0, 12, 10], 8: A})]
    found = tally(scores, frames)
    assert (found.switches, found.false) == (0, 1)


def test_boxes_that_hardly_overlap_are_a_miss_and_a_false_one(scores):
    found = tally(scores, [({1: A}, {7: [6.0, 0, 16, 10]})])
    assert (found.misses, found.false, found.matched_ids) == (1, 1, 0)
