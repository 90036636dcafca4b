import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.bench.figures import STAGES, Stage, capacity, percentile, stage

COSTS = {"decode": 2.0, "prepare": 1.0, "hand over": 0.5, "inference": 20.0, "boxes": 0.5, "publish": 1.0}


def stages(**costs: float) -> dict[str, Stage]:
    return {name: Stage(cpu, cpu, cpu) for name, cpu in {**COSTS, **costs}.items()}


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0), (0.0, 1.0), (1.0, 4.0)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == value


def test_times_on_the_clock_are_of_all_frames_and_processor_time_is_of_the_middle_round():
    one = stage([[1.0, 9.0], [2.0], [3.0]], [5.0, 50.0, 6.0])
    assert (one.p50_ms, one.p95_ms, one.cpu_ms) == (2.0, 9.0, 6.0)


def test_cameras_are_decoded_in_full_and_looked_at_as_often_as_is_wanted():
    # 25 frames of 2 ms, and 5 of 23 ms: 165 ms a second of 2000.
    found = capacity(stages(), video_fps=25, fps=5, cores=2, inferences_per_s=1000)
    assert (found.by_cpu, found.by_inference, found.cameras, found.limit) == (12, 200, 12, "processor")


def test_inference_limits_where_it_does_not_keep_up():
    found = capacity(stages(), video_fps=25, fps=5, cores=2, inferences_per_s=40)
    assert (found.cameras, found.limit) == (8, "inference")


def test_a_camera_is_not_looked_at_more_often_than_it_sends():
    assert capacity(stages(), video_fps=10, fps=100, cores=2, inferences_per_s=50).fps == 10


@settings(max_examples=50)
@given(
    costs=st.lists(st.floats(0.01, 500), min_size=len(STAGES), max_size=len(STAGES)),
    video_fps=st.floats(1, 120),
    fps=st.floats(0.1, 120),
    cores=st.integers(1, 64),
    per_s=st.floats(0.1, 5000),
)
def test_so_many_cameras_fit_and_one_more_does_not(costs, video_fps, fps, cores, per_s):
    given = {name: Stage(cpu, cpu, cpu) for name, cpu in zip(STAGES, costs, strict=True)}
    found = capacity(given, video_fps=video_fps, fps=fps, cores=cores, inferences_per_s=per_s)
    camera_ms = video_fps * costs[0] + found.fps * sum(costs[1:])
    assert found.cameras * camera_ms <= cores * 1000 * (1 + 1e-9)
    assert found.cameras * found.fps <= per_s * (1 + 1e-9)
    one_more = found.cameras + 1
    assert one_more * camera_ms > cores * 1000 * (1 - 1e-9) or one_more * found.fps > per_s * (1 - 1e-9)
