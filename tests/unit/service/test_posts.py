"""What a camera tells of its health."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edged import machine
from edged.pipeline import Feed, Pipeline
from edged.sections import CameraSettings
from edged.service.looking import regions_for, tensors_of
from edged.service.posts import CameraPost


@pytest.fixture
def post() -> CameraPost:
    publisher = SimpleNamespace(emitter=lambda *_: lambda _result: True)
    return CameraPost(
        "front",
        CameraSettings(url="rtsp://camera/1", models=("cars",), weight=3, max_age=0.5),
        once=False,
        publisher=cast(Any, publisher),
        on_state=lambda _: None,
    )


def connected(post: CameraPost) -> Feed:
    with Pipeline("cars", 1) as pipeline:
        post.connect({"cars": cast(Any, SimpleNamespace(frames=pipeline, info=None))})
        (feed,) = pipeline._turns.feeds
    return feed


def test_rates_are_those_since_the_last_report_and_drops_those_since_the_start(post):
    feed = connected(post)
    assert (feed.weight, feed.max_age_s) == (3, 0.5)
    post.camera.statistics.captured, feed.counts["full"], feed.counts["published"] = 100, 60, 30
    feed.spent.frames, feed.spent.queue_s, feed.spent.inference_s = 30, 0.6, 5.0
    health = post.health(10.0)
    assert (health.captured_per_s, health.published_per_s, health.late_per_s) == (10.0, 3.0, 6.0)
    assert (health.queue_ms, health.inference_percent, health.dropped) == (20.0, 50.0, {"full": 60})
    health = post.health(10.0)
    assert (health.captured_per_s, health.late_per_s, health.queue_ms) == (0.0, 0.0, None)
    assert health.dropped == {"full": 60}


def test_what_feeds_did_that_are_no_more_is_not_forgotten(post):
    feed = connected(post)
    feed.counts["full"], feed.spent.inference_s = 60, 5.0
    post.disconnect()
    health = post.health(10.0)
    assert (health.late_per_s, health.inference_percent) == (6.0, 50.0)


def test_still_frames_are_told_of_cameras_with_a_motion_gate_only(post):
    assert post.health(1.0).still_per_s is None


def test_the_time_of_a_thread_is_read_from_outside_and_is_none_once_it_is_gone():
    ids, end = [], threading.Event()

    def work() -> None:
        sum(range(300_000))
        ids.append(threading.get_native_id())
        end.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    while not ids:
        threading.Event().wait(0.001)
    assert machine.thread_cpu_s(ids[0]) > 0
    end.set()
    thread.join()
    assert machine.thread_cpu_s(2**22 + 1) == 0.0


@pytest.mark.parametrize(
    ("changes", "tensors"),
    [
        ({}, 1),
        ({"crop": (0.0, 0.0, 0.5, 0.5)}, 1),
        ({"tiles": (2, 2)}, 5),
        ({"motion": {"regions": True}}, 2),
    ],
)
def test_how_many_tensors_a_frame_makes(changes, tensors):
    section = CameraSettings.model_validate({"url": "rtsp://c/1", "models": ["cars"]} | changes)
    assert tensors_of(section) == tensors
    assert (regions_for(section) is None) == (not changes)


def looked_at(task: str, moving: tuple[tuple[float, float, float, float], ...], **changes: object) -> int:
    section = CameraSettings.model_validate({"url": "rtsp://c/1", "models": ["cars"]} | changes)
    regions = regions_for(section)
    assert regions is not None
    frame = SimpleNamespace(width=1920, height=1080, regions=moving)
    model = SimpleNamespace(task=task, picture=SimpleNamespace(width=416, height=416))
    return len(regions(cast(Any, frame), cast(Any, model)))


def test_a_detector_looks_at_tiles_and_where_something_moves_and_a_classifier_at_the_whole_only():
    moving = ((100.0, 100.0, 160.0, 160.0),)
    assert looked_at("detect", (), tiles=(2, 1)) == 3
    assert looked_at("detect", moving, tiles=(2, 1)) == 4
    assert looked_at("detect", moving, motion={"regions": True}) == 2
    assert looked_at("classify", moving, tiles=(2, 1)) == 1
