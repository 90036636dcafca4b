import pytest
from pydantic import ValidationError

from edged.service.previous_end import MAX_TRACE, NATIVE, Run, previous_end, trace_of

RUN = Run(pid=7, begun_ticks=99, boot="b1", version="1", started_at_s=1000.0, ooms=2)
CRASH = """Fatal Python error: Segmentation fault

Thread 0x00007f0000000001 (most recent call first):
  File "/opt/edged/other.py", line 1 in wait

Current thread 0x00007f0000000002 (most recent call first):
  File "/opt/edged/video.py", line 70 in decode
  File "/opt/edged/camera.py", line 20 in _run

Extension modules: numpy (total: 1)
"""


def judged(run: Run, **given: object):
    usual = {"seen_alive_s": 1060.0, "boot": "b1", "ooms": 2, "crash": ""}
    return previous_end(run, **{**usual, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "given", "how", "why"),
    [
        ({"ended_at_s": 1010.0, "ending": "SIGTERM"}, {}, "clean", "SIGTERM"),
        ({"ended_at_s": 1010.0}, {"boot": "b2"}, "clean", ""),
        ({"ended_at_s": 1010.0, "code": 70, "why": "a bug"}, {}, "error", "a bug"),
        ({"ended_at_s": 1010.0, "code": 74}, {}, "error", "exit code 74"),
        ({"hung": "thread outbox"}, {"crash": "Fatal Python error: Aborted\n"}, "watchdog", "thread outbox"),
        ({"hung": "thread outbox"}, {}, "watchdog", "thread outbox"),
        ({}, {"crash": CRASH}, "crash", "SIGSEGV"),
        ({}, {"crash": "Fatal Python error: Aborted\n"}, "crash", "SIGABRT"),
        ({}, {"crash": "Fatal Python error: _PyInterpreter odd\n"}, "crash", "_PyInterpreter odd"),
        ({"ending": "SIGTERM"}, {"crash": CRASH}, "crash", "SIGSEGV"),
        ({}, {"boot": "b2"}, "power", "the machine"),
        ({}, {"boot": "b2", "ooms": 9}, "power", "the machine"),
        ({"ending": "SIGINT"}, {}, "signal", "SIGINT"),
        ({}, {"ooms": 3}, "out of memory", "the kernel"),
        ({}, {}, "killed", "SIGKILL"),
        ({"boot": ""}, {"boot": "b2"}, "killed", "SIGKILL"),
    ],
)
def test_each_end_is_told_from_the_others(changes, given, how, why):
    end = judged(RUN.model_copy(update=changes), **given)
    assert end.how == how
    assert why in end.why


def test_an_end_that_could_not_be_written_down_was_when_the_run_was_last_seen():
    end = judged(RUN)
    assert (end.at_s, end.after_s) == (1060.0, 60.0)


def test_a_clock_that_went_back_gives_no_negative_time():
    end = judged(RUN, seen_alive_s=10.0)
    assert (end.at_s, end.after_s) == (1000.0, 0.0)


def test_a_crash_is_told_with_the_stack_of_its_thread_alone():
    trace = judged(RUN, crash=CRASH).trace
    assert trace.splitlines() == [
        "Fatal Python error: Segmentation fault",
        "Current thread 0x00007f0000000002 (most recent call first):",
        '  File "/opt/edged/video.py", line 70 in decode',
        '  File "/opt/edged/camera.py", line 20 in _run',
    ]


def test_a_crash_in_a_thread_of_native_code_is_told_as_that():
    others = CRASH.replace("Current thread", "Thread")
    assert trace_of(others).splitlines() == ["Fatal Python error: Segmentation fault", NATIVE]


def test_a_trace_is_bounded_and_anything_may_stand_in_the_file():
    assert trace_of("") == trace_of("native code wrote this\n") == ""
    long = "Fatal Python error: Aborted\nCurrent thread 0x1 (most recent call first):\n" + "  File x\n" * 9999
    assert len(trace_of(long)) == MAX_TRACE


def test_a_run_is_read_as_it_was_written_and_with_what_a_later_edged_adds():
    assert Run.model_validate_json(RUN.model_dump_json()) == RUN
    assert Run.model_validate_json(RUN.model_dump_json()[:-1] + ',"new":[1]}') == RUN


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid":"x","started_at_s":0}', "\x00" * 200])
def test_a_damaged_file_is_no_run(content):
    with pytest.raises(ValidationError):
        Run.model_validate_json(content)
