"""How many callers and pictures a configuration comes to."""

import pytest

from edged.lifecycle import running as module
from edged.lifecycle.demand import Demand
from edged.lifecycle.running import Running
from edged.sections import ModelSettings


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 2)


def running(demand: Demand, *, batches: bool = True, **section: object) -> Running:
    return Running.of(ModelSettings.model_validate(section), demand, batches=batches)


@pytest.mark.parametrize(
    ("feeds", "section", "callers"),
    [
        (1, {}, 1),
        (2, {}, 2),
        (9, {}, 2),
        (9, {"optimize": "latency"}, 1),
        (9, {"optimize": "throughput"}, 2),
        (9, {"callers": 4}, 4),
        (9, {"callers": 4, "optimize": "latency"}, 4),
    ],
)
def test_callers_come_from_cameras_and_cores_unless_the_configuration_says_otherwise(feeds, section, callers):
    assert running(Demand(feeds, tensors=feeds), **section).callers == callers


def test_a_camera_that_wants_every_frame_has_two_in_work():
    assert running(Demand(1, eager=1)).callers == 2
    assert running(Demand(1, eager=1), optimize="latency").callers == 1
    assert running(Demand(3, tensors=3, eager=3)).callers == 2


@pytest.mark.parametrize(
    ("tensors", "section", "batch"),
    [
        (1, {}, 1),
        (2, {}, 1),
        (3, {}, 2),
        (5, {}, 4),
        (16, {}, 8),
        (99, {}, 8),
        (99, {"batch": 32}, 32),
        (99, {"batch": 1}, 1),
    ],
)
def test_a_batch_is_never_larger_than_what_can_wait_for_one_caller(tensors, section, batch):
    assert running(Demand(2, tensors=tensors, max_age_s=1.0), **section).batch == batch


def test_a_batch_may_take_a_quarter_of_the_least_age():
    assert running(Demand(8, tensors=8, max_age_s=0.4)).max_batch_ms == 100


def test_a_model_that_takes_one_picture_is_not_loaded_again_for_what_is_said_of_batches():
    few, many = Demand(4, tensors=4, max_age_s=1.0), Demand(9, tensors=9, max_age_s=0.2)
    assert running(few, batches=False) == running(many, batches=False)
    assert running(few) != running(many)


def test_rows_have_callers_of_their_own_and_no_batches_of_pictures():
    assert running(Demand(7, "rows")) == Running(callers=2)
