import json
from dataclasses import asdict, replace

import pytest

from edged.worker.choice import Choice, Tried

CPU = Tried("cpu, 1 thread", "cpu", 1, "f32", integers=True, ms=19.6, cpu_ms=19.5)
TWO = Tried("cpu, 2 threads", "cpu", 2, "f32", integers=True, ms=18.0, cpu_ms=24.0)
OPENVINO = Tried("openvino:CPU f32, 1 thread", "openvino:CPU", 1, "f32", integers=True, ms=12.9, cpu_ms=12.8)
WRONG = replace(
    OPENVINO, ms=None, cpu_ms=None, problem="answers otherwise than the CPU provider (deviation 14%)"
)


def test_a_choice_says_what_was_chosen_and_by_how_much():
    choice = Choice(OPENVINO.name, "latency", 1, (CPU, TWO, OPENVINO))
    assert choice.text == (
        "openvino:CPU f32, 1 thread: 1.52 × cpu, 1 thread (12.9 ms, CPU 12.8 against 19.6 ms, CPU 19.5), "
        "measured for latency"
    )
    assert choice.lines[1:] == (
        "cpu, 2 threads: 18.0 ms, CPU 24.0",
        "openvino:CPU f32, 1 thread: 12.9 ms, CPU 12.8 ← chosen",
    )


@pytest.mark.parametrize(
    ("tried", "said"),
    [((CPU, TWO), "the other is not better"), ((CPU, TWO, WRONG), "none of 2 others is better")],
)
def test_a_choice_of_the_plainest_says_that_nothing_is_better(tried, said):
    choice = Choice(CPU.name, "throughput", 2, tried, recalled=True)
    assert (
        choice.text == f"cpu, 1 thread (19.6 ms, CPU 19.5): {said}, measured for throughput, from the cache"
    )


def test_what_took_no_part_says_why():
    lines = Choice(CPU.name, "latency", 1, (replace(CPU, ms=None, cpu_ms=None), WRONG)).lines
    assert lines[0] == "cpu, 1 thread: not measured ← chosen"
    assert lines[1].endswith("answers otherwise than the CPU provider (deviation 14%)")


def test_a_choice_is_the_same_after_it_travelled_as_json():
    choice = Choice(OPENVINO.name, "latency", 1, (CPU, WRONG, OPENVINO), recalled=True)
    assert Choice.from_dict(json.loads(json.dumps(asdict(choice)))) == choice
