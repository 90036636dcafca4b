"""Several frames through a model in one inference: what each comes to, and what a bad one costs."""

import threading
from collections import Counter

import numpy as np
import pytest
from frame_doubles import Description, FakeProcess, FakeWorker, attached, frame

from edged.errors import InferenceFailed
from edged.frame import Frame, PixelLayout
from edged.geometry import Region
from edged.pipeline import Feed, Pipeline, Result
from edged.pipeline.batch import Batch
from edged.pipeline.turns import Turn


class Four(Description):
    """Takes four pictures at once."""

    batch = 4


@pytest.fixture
def worker():
    made = FakeWorker()
    made.process = FakeProcess(made, Four())
    made.successor = FakeProcess(made, Four())
    return made


def a_turn(value: int, *, regions: tuple[Region, ...] = ()) -> Turn:
    feed = Feed(source=f"camera {value}", emit=lambda _: True)
    return Turn(feed, frame(value=value), 0.0, regions)


def scores(outcomes: list[Result | Exception]) -> list[object]:
    return [
        [round(float(score) * 255) for score in outcome.detections.score]
        if isinstance(outcome, Result)
        else type(outcome)
        for outcome in outcomes
    ]


def test_each_frame_gets_its_own_answer_and_its_share_of_the_time(worker):
    outcomes = Batch(worker.process, 0).answer([a_turn(10), a_turn(20), a_turn(30)], 1)
    assert scores(outcomes) == [[10], [20], [30]]
    assert worker.batches == [3]
    assert all(isinstance(outcome, Result) and outcome.inference_ms == 1.0 for outcome in outcomes)


def test_more_frames_than_the_model_takes_go_into_several_inferences(worker):
    assert scores(Batch(worker.process, 0).answer([a_turn(value) for value in range(1, 7)], 1)) == [
        [1],
        [2],
        [3],
        [4],
        [5],
        [6],
    ]
    assert worker.batches == [4, 2]


def test_where_a_batch_has_no_answer_each_frame_is_tried_alone_and_only_the_bad_one_has_none(worker):
    worker.hates = 20
    outcomes = Batch(worker.process, 0).answer([a_turn(10), a_turn(20), a_turn(30)], 1)
    assert scores(outcomes) == [[10], InferenceFailed, [30]]
    assert worker.batches == [3, 1, 1, 1]


def test_a_frame_that_cannot_be_prepared_costs_only_itself(worker):
    bad = Turn(
        Feed(source="bad", emit=lambda _: True),
        Frame("bad", 0, 0.0, 0.0, 9, 9, PixelLayout.BGR, (np.zeros((4, 4, 3), np.uint8),)),
        0.0,
    )
    outcomes = Batch(worker.process, 0).answer([a_turn(10), bad, a_turn(30)], 1)
    assert [isinstance(outcome, Result) for outcome in outcomes] == [True, False, True]
    assert worker.batches == [2]


def test_a_frame_that_is_looked_at_in_parts_is_one_result_of_them_all(worker):
    regions = (Region(0, 0, 4, 4), Region(0, 0, 2, 4), Region(2, 0, 2, 4))
    outcomes = Batch(worker.process, 0).answer([a_turn(10), a_turn(50, regions=regions)], 1)
    assert worker.batches == [4]
    tiled = outcomes[1]
    assert isinstance(tiled, Result)
    assert tiled.inference_ms == 3.0
    assert tiled.regions == regions
    assert len(tiled.detections) >= 1


@pytest.fixture
def pipeline(worker):
    with Pipeline("toy", 1) as running:
        running.serve(worker)
        yield running
        worker.gate.release(1000)


def busy(pipeline: Pipeline, worker: FakeWorker) -> None:
    """Have the only caller wait in an inference."""
    worker.gate = threading.Semaphore(0)
    feed, _ = attached(pipeline)
    pipeline.offer(feed, frame(0, value=99))
    while not worker.batches:
        threading.Event().wait(0.001)


def test_a_caller_takes_the_frames_that_wait_together_and_never_waits_for_more(pipeline, worker):
    busy(pipeline, worker)
    feeds = [attached(pipeline) for _ in range(6)]
    for number, (feed, _) in enumerate(feeds):
        pipeline.offer(feed, frame(number, value=number))
    worker.gate.release(1000)
    assert pipeline.wait_idle(5)
    assert worker.batches == [1, 4, 2]
    assert [sequences for _, sequences in feeds] == [[number] for number in range(6)]
    assert pipeline.inferences == 7


def test_frames_whose_process_dies_go_alone_to_the_next_and_none_but_the_killer_is_given_up(pipeline, worker):
    busy(pipeline, worker)
    feeds = [attached(pipeline) for _ in range(3)]
    for number, (feed, _) in enumerate(feeds):
        pipeline.offer(feed, frame(number, value=number))
    worker.dies_of = 1
    worker.gate.release(1000)
    assert pipeline.wait_idle(5)
    assert set(worker.batches[2:]) == {1}, "suspects go alone"
    assert [feed.counts for feed, _ in feeds] == [
        Counter(published=1),
        Counter(lost=1),
        Counter(published=1),
    ]
