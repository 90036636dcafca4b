"""What a camera tells of its health."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from frame_doubles import frame

from edged import machine
from edged.pipeline import Feed, Pipeline
from edged.sections import CameraSettings
from edged.service.demands import tensors_of
from edged.service.following import Following
from edged.service.looking import regions_for
from edged.service.outlets import SILENT
from edged.service.posts import CameraPost


def made(section: CameraSettings, **changes: Any) -> CameraPost:
    return CameraPost(
        "front",
        section,
        once=False,
        publisher=cast(Any, SimpleNamespace(emitter=lambda *_: lambda _result: True)),
        on_state=lambda _: None,
        following={name: Following("front", name, section, SILENT) for name in section.models},
        **changes,
    )


@pytest.fixture
def post() -> CameraPost:
    return made(CameraSettings(url="rtsp://camera/1", models=("cars",), weight=3, max_age=0.5))


def connected(post: CameraPost) -> Feed:
    with Pipeline("cars", 1) as pipeline:
        post.connect({"cars": cast(Any, SimpleNamespace(frames=pipeline, info=None))})
        (feed,) = pipeline._turns.feeds
    return feed


def test_what_became_of_frames_is_summed_over_models_by_reason(post):
    feed = connected(post)
    assert (feed.weight, feed.max_age_s) == (3, 0.5)
    post.camera.statistics.captured, post.camera.statistics.unreadable = 100, 2
    feed.counts.update(full=50, stale=10, published=30, withheld=5, unreadable=1)
    feed.spent.frames, feed.spent.queue_s, feed.spent.inference_s = 45, 0.6, 5.0
    totals = post.totals()
    assert (totals.name, totals.captured, totals.published) == ("front", 100, 30)
    assert {reason: count for reason, count in totals.dropped.items() if count} == {
        "full": 50,
        "stale": 10,
        "unreadable": 3,
    }
    assert totals.work is not None
    assert (totals.work.late, totals.work.looked_at, totals.work.queue_s) == (60, 45, 0.6)
    assert (totals.work.inference_s, totals.work.still) == (5.0, None)


def test_what_feeds_did_that_are_no_more_is_not_forgotten(post):
    feed = connected(post)
    feed.counts["full"], feed.spent.inference_s = 60, 5.0
    post.disconnect()
    again = connected(post)
    again.counts["full"] = 1
    totals = post.totals()
    assert totals.work is not None
    assert (totals.work.late, totals.work.inference_s) == (61, 5.0)


def test_a_post_that_takes_the_place_of_another_counts_on_and_forgets_models_it_does_not_name(post):
    feed = connected(post)
    post.camera.statistics.captured, feed.counts["full"] = 7, 5
    post.disconnect()
    post.camera.finished.set()
    section = CameraSettings(url="rtsp://camera/1", models=("cars", "bikes"))
    successor = made(section, frames=post.frames)
    successor.camera.statistics.captured = 3
    source, models = successor.frames.totals()
    assert (source["captured"], models["cars"]["full"], set(models)) == (10, 5, {"cars", "bikes"})
    made(CameraSettings(url="rtsp://camera/1", models=("bikes",)), frames=post.frames)
    assert set(post.frames.totals()[1]) == {"bikes"}


def test_a_frame_for_a_model_that_is_not_served_is_counted_as_that(post):
    post._deliver(frame())
    assert post.frames.totals()[1]["cars"]["unserved"] == 1
    assert post.totals().dropped["unserved"] == 1


def test_the_time_that_a_thread_took_is_kept_when_it_is_gone(post, monkeypatch):
    post._thread_id = 1
    taken = iter([1.5, 0.0])
    monkeypatch.setattr(machine, "thread_cpu_s", lambda _: next(taken))
    assert [post.frames.totals()[0]["cpu_s"] for _ in range(2)] == [1.5, 1.5]


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
