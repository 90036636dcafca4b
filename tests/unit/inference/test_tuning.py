import pytest

from edged.inference.tuning import Tuning, rivals


@pytest.mark.parametrize(
    ("tuning", "name"),
    [
        (Tuning("cpu", threads=1), "cpu, 1 thread"),
        (Tuning("cpu"), "cpu"),
        (Tuning("openvino:CPU", threads=2, precision="bf16"), "openvino:CPU bf16, 2 threads"),
        (Tuning("openvino:CPU", threads=1, integers=False), "openvino:CPU f32 without int8, 1 thread"),
    ],
)
def test_a_way_to_run_a_model_has_a_name_for_people(tuning, name):
    assert tuning.name == name


def names(
    providers: list[str], *, threads: tuple[int, ...] = (1, 4), quantised: bool = False, **how
) -> list[str]:
    return [each.name for each in rivals(providers, Tuning("", **how), threads=threads, quantised=quantised)]


def test_the_cpu_provider_with_the_fewest_threads_comes_first():
    assert names(["openvino:CPU", "cpu"]) == [
        "cpu, 1 thread",
        "cpu, 4 threads",
        "openvino:CPU f32, 1 thread",
        "openvino:CPU f32, 4 threads",
    ]


def test_a_device_that_is_no_processor_is_tried_once():
    assert names(["cuda:0", "cpu"]) == ["cpu, 1 thread", "cpu, 4 threads", "cuda:0"]


def test_a_quantised_model_is_also_tried_without_integers_and_each_kind_before_more_threads():
    assert names(["openvino:CPU", "cpu"], quantised=True)[2:] == [
        "openvino:CPU f32, 1 thread",
        "openvino:CPU f32 without int8, 1 thread",
        "openvino:CPU f32, 4 threads",
        "openvino:CPU f32 without int8, 4 threads",
    ]


def test_another_precision_is_tried_only_where_it_was_asked_for_and_float32_remains():
    found = names(["openvino:CPU", "cpu"], threads=(1,), precision="bf16")
    assert found == ["cpu, 1 thread", "openvino:CPU bf16, 1 thread", "openvino:CPU f32, 1 thread"]


def test_what_is_tried_keeps_the_callers_and_the_aim():
    found = rivals(["cpu"], Tuning("", callers=3, throughput=True), threads=(1,), quantised=False)
    assert found == (Tuning("cpu", threads=1, callers=3, throughput=True),)
