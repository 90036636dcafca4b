from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.probation import COLD, LATENCIES, OUTCOMES, Probation, Record

Latency = float | Callable[[float], float]


def a_record(
    *sources: str, frames: int = 500, ms: float = 10.0, found: int = 1, fail_every: int = 0
) -> Record:
    """Of a version that answered so many frames of each source, and failed on every so manieth of them."""
    record = Record()
    for index in range(1, frames + 1):
        for source in sources or ("front",):
            if fail_every and index % fail_every == 0:
                record.failed(source, "output has NaN")
            else:
                record.took(source, ms, found)
    return record


def a_probation(previous: Record | None = None, **settings: float) -> Probation:
    return Probation(previous, now_s=1000.0, **settings)  # type: ignore[arg-type]


def film(
    probation: Probation,
    *sources: str,
    fps: float = 10,
    from_s: float = 0.0,
    to_s: float = 60.0,
    ms: Latency = 10.0,
    found: int = 1,
) -> float:
    """Let cameras run from one second after the swap to another; the clock at their last frame."""
    now_s = 1000.0 + from_s
    for index in range(round((to_s - from_s) * fps) + 1):
        now_s = 1000.0 + from_s + index / fps
        for source in sources or ("front",):
            probation.took(source, ms(now_s - 1000.0) if callable(ms) else ms, found, now_s)
    return now_s


def state(probation: Probation, at_s: float) -> str:
    return probation.verdict(1000.0 + at_s).state


class TestRecord:
    def test_there_is_no_p95_below_twenty_latencies(self):
        record = a_record(frames=19)
        assert record.p95_ms() is None
        record.took("front", 30.0, 1)
        assert record.p95_ms() == 10.0
        assert record.p95_ms(["back"]) is None
        assert record.p95_ms([]) is None

    @given(st.lists(st.floats(0.1, 1e4), min_size=20, max_size=700))
    def test_the_p95_is_the_nearest_rank_of_the_last_latencies(self, latencies):
        record = Record()
        for ms in latencies:
            record.took("front", ms, 0)
        assert record.p95_ms() == np.percentile(latencies[-LATENCIES:], 95, method="inverted_cdf")

    def test_the_p95_of_one_camera_is_not_that_of_another(self):
        record = a_record("front", frames=100, ms=5.0)
        for _ in range(30):
            record.took("back", 50.0, 1)
        assert (record.p95_ms(["front"]), record.p95_ms(["back"]), record.p95_ms()) == (5.0, 50.0, 50.0)

    def test_a_latency_that_says_nothing_is_not_kept_but_its_frame_counts(self):
        record = Record()
        record.took("front", None, 1)
        assert (record.answered, len(record._latencies)) == (1, 0)

    def test_its_memory_is_bounded_and_its_totals_go_on(self):
        record = a_record("front", "back", frames=3000, fail_every=3)
        record.failed("front", "line one\n  line two " + "x" * 1000)
        assert (record.answered, record.failures) == (4000, 2001)
        assert len(record._latencies) == LATENCIES
        assert all(len(outcomes) == OUTCOMES for outcomes in record._outcomes.values())
        assert record.problem.startswith("line one line two x")
        assert len(record.problem) == 200

    @pytest.mark.parametrize(
        ("pattern", "steady"),
        [
            ("", False),
            ("1" * 49, False),
            ("1" * 50, True),
            ("11110" * 40, True),
            ("1110" * 50, False),
            ("0" * 1000 + "1" * 200, True),  # a night, then a day
            ("1" * 180 + "0" * 20, False),  # the scene has just become empty
            ("1" * 180 + "1110" * 5, True),
            ("1" * 40 + "x" * 60, False),  # failures are no answers …
            ("1x" * 100, True),  # … and no silence
        ],
    )
    def test_it_finds_steadily_what_it_found_in_most_of_the_last_answers(self, pattern, steady):
        record = Record()
        for one in pattern:
            record.failed("front", "") if one == "x" else record.took("front", 1.0, int(one))
        assert record.finds_steadily("front") is steady
        assert not record.finds_steadily("back")


class TestWhenItIsOver:
    def test_a_version_passes_after_its_seconds_and_its_answers_whichever_is_later(self):
        many, few = a_probation(a_record()), a_probation(a_record())
        film(many, fps=30, to_s=119)
        assert (state(many, 119.9), state(many, 120)) == ("pending", "passed")
        film(few, fps=1, to_s=198)
        assert state(few, 198) == "pending"
        film(few, from_s=199, to_s=199)
        assert state(few, 199) == "passed"

    def test_while_no_frames_come_it_stays_pending(self):
        assert state(a_probation(a_record()), 1e6) == "pending"
        assert state(a_probation(None, min_s=0, min_inferences=0), 1e6) == "pending"

    def test_a_first_version_passes_without_a_yardstick(self):
        probation = a_probation(None)
        film(probation, to_s=120, ms=5000.0, found=0)
        assert probation.suspicion(1120.0) is None
        assert state(probation, 120) == "passed"
        assert "200 of 200 inferences, 120 of 120 s, p95 5000.0 ms" in probation.verdict(1120.0).evidence

    def test_what_passed_stays_passed_and_its_record_goes_on(self):
        probation = a_probation(a_record())
        film(probation, to_s=120)
        passed = probation.verdict(1120.0)
        for _ in range(100):
            probation.failed("front", "broken", 1121.0)
        probation.died("SIGSEGV", 1122.0)
        assert probation.verdict(1123.0) is passed
        assert probation.record.failures == 100

    def test_what_failed_stays_failed_with_its_first_evidence(self):
        probation = a_probation(a_record())
        probation.died("exit 3", 1001.0)
        failed = probation.verdict(1001.0)
        film(probation, to_s=300)
        probation.died("SIGSEGV", 1300.0)
        assert probation.verdict(1300.0) == failed
        with pytest.raises(FrozenInstanceError):
            failed.state = "passed"

    def test_the_summary_is_one_line(self):
        probation = a_probation(a_record(ms=11.8))
        assert probation.summary(1000.0) == "probation: 0 of 200 inferences, 0 of 120 s"
        film(probation, fps=2, to_s=43, ms=12.1)
        assert probation.summary(1040.0) == (
            "probation: 87 of 200 inferences, 40 of 120 s, p95 12.1 ms (before 11.8)"
        )
        probation.failed("front", "NaN\nin it", 1040.0)
        assert "40 of 120 s, 1 failed, p95" in probation.summary(1040.0)
        probation.died("SIGSEGV, Fatal Python error: Segmentation fault", 1041.0)
        assert probation.summary(1041.0) == (
            "probation failed: its process died 41 s after the swap "
            "(SIGSEGV, Fatal Python error: Segmentation fault)"
        )


class TestFailures:
    def test_a_version_that_fails_where_the_previous_did_not_is_condemned(self):
        probation = a_probation(a_record())
        for index in range(37):
            if index in {5, 20, 36}:
                probation.failed("front", "output has NaN", 1000.0 + index)
            else:
                probation.took("front", 10.0, 1, 1000.0 + index)
        assert probation.verdict(1037.0).evidence == (
            "failed on 3 of 37 frames (output has NaN), the previous version on 0 of 200"
        )

    def test_two_failures_or_a_few_among_many_are_none(self):
        probation = a_probation(a_record(), min_inferences=400)
        for second in (1, 2):
            probation.failed("front", "", 1000.0 + second)
        film(probation, to_s=30)
        probation.failed("front", "", 1030.0)
        assert state(probation, 30) == "pending"

    def test_a_first_version_that_only_fails_is_condemned(self):
        probation = a_probation(None)
        for _ in range(3):
            probation.failed("front", "no", 1001.0)
        assert probation.verdict(1001.0).evidence == "failed on 3 of 3 frames (no)"

    def test_where_the_previous_version_failed_on_every_frame_no_other_is_worse(self):
        probation = a_probation(a_record(fail_every=1))
        for second in range(500):
            probation.failed("front", "", 1000.0 + second)
        assert state(probation, 500) == "pending"

    def test_a_version_that_answers_nothing_is_worse_than_one_that_failed_on_two_of_three(self):
        probation = a_probation(a_record("front", frames=0))
        assert state(probation, 0) == "pending"
        previous = Record()
        for index in range(300):
            previous.took("front", 1.0, 1) if index % 3 == 0 else previous.failed("front", "")
        probation = a_probation(previous)
        for second in range(30):
            probation.failed("front", "", 1000.0 + second)
        assert state(probation, 30) == "failed"

    def test_an_unlucky_start_is_no_proof_against_a_version_that_fails_as_often_as_the_last(self):
        probation = a_probation(a_record(fail_every=5))
        for index in range(3):  # three of the first seven; the previous version failed on a fifth
            probation.failed("front", "", 1000.0)
            probation.took("front", 1.0, 1, 1000.0 + index)
        assert state(probation, 3) == "pending"

    @pytest.mark.parametrize("share", [0.003, 0.03, 0.3])
    def test_failures_that_come_by_chance_seldom_condemn_a_version_that_has_no_more_of_them(self, share):
        condemned = 0
        for seed in range(100):
            random = np.random.default_rng(seed)
            previous = Record()
            for fails in random.random(500) < share:
                previous.failed("front", "") if fails else previous.took("front", 10.0, 1)
            probation = a_probation(previous)
            for index, fails in enumerate(random.random(1200) < share):
                if fails:
                    probation.failed("front", "", 1000.0 + index / 10)
                else:
                    probation.took("front", 10.0, 1, 1000.0 + index / 10)
            condemned += state(probation, 120) == "failed"
        assert condemned <= 10

    def test_a_camera_on_which_the_previous_version_failed_too_is_held_against_neither(self):
        previous = a_record("good", frames=3000)
        for _ in range(100):
            previous.failed("bad", "not a picture")
        probation = a_probation(previous)
        for _ in range(50):  # the good one is off: only the bad one is left
            probation.failed("bad", "not a picture", 1001.0)
        assert state(probation, 1) == "pending"
        for _ in range(5):
            probation.failed("good", "not a number", 1002.0)
        assert state(probation, 2) == "failed"

    def test_what_counts_is_what_the_previous_version_did_last(self):
        previous = a_record(frames=100_000)
        for _ in range(OUTCOMES):  # the camera broke just before the swap
            previous.failed("front", "")
        probation = a_probation(previous)
        for _ in range(100):
            probation.failed("front", "", 1001.0)
        assert state(probation, 1) == "pending"


class TestLatency:
    def test_a_version_three_times_slower_is_condemned(self):
        probation = a_probation(a_record(ms=11.8))
        film(probation, to_s=19, ms=36.0)
        assert state(probation, 19) == "pending"
        film(probation, from_s=19.1, to_s=21, ms=36.0)
        assert probation.verdict(1021.0).evidence == (
            "204 of the last 204 inferences took more than 3 times the previous version's p95: "
            "p95 36.0 ms (before 11.8)"
        )

    @pytest.mark.parametrize(("before_ms", "ms"), [(10.0, 29.9), (1.0, 10.9), (100.0, 290.0)])
    def test_a_little_slower_is_not_too_slow(self, before_ms, ms):
        probation = a_probation(a_record(ms=before_ms))
        film(probation, to_s=120, ms=ms)
        assert state(probation, 120) == "passed"

    def test_a_version_that_is_slow_on_every_tenth_frame_is_condemned(self):
        probation = a_probation(a_record())
        film(probation, to_s=60, ms=lambda second: 50.0 if round(second * 10) % 10 == 0 else 10.0)
        assert state(probation, 60) == "failed"

    @pytest.mark.parametrize("fps", [1, 10, 30])
    @pytest.mark.parametrize("begins_s", np.arange(0, 12, 0.7))
    def test_one_busy_moment_condemns_nobody(self, fps, begins_s):
        probation = a_probation(a_record(), max_latency_ms=20)
        film(
            probation,
            fps=fps,
            to_s=220,
            ms=lambda second: 500.0 if begins_s <= second < begins_s + 9.5 else 10.0,
        )
        assert state(probation, 220) == "passed"

    def test_a_rare_hiccup_condemns_nobody(self):
        probation = a_probation(a_record(), max_latency_ms=20)
        film(probation, to_s=120, ms=lambda second: 500.0 if round(second * 10) % 40 == 0 else 10.0)
        assert state(probation, 120) == "passed"

    def test_the_first_answers_of_each_process_are_cold(self):
        probation = a_probation(a_record(), min_s=1, max_latency_ms=20)
        for life in range(2):
            for index in range(COLD):
                probation.took("front", 9000.0, 1, 1000.0 + life * 100 + index)
            film(probation, from_s=life * 100 + 10, to_s=life * 100 + 20)
            if not life:
                probation.died("SIGKILL", 1100.0)
        assert probation.record.p95_ms() == 10.0
        assert max(ms for _, ms in probation.record._latencies) == 10.0
        assert state(probation, 120) == "passed"

    def test_what_is_slow_when_the_time_is_up_is_looked_at_further(self):
        late, again = (a_probation(a_record()) for _ in range(2))
        for probation in (late, again):
            film(probation, to_s=112)
            film(probation, from_s=112.1, to_s=120, ms=90.0)
            assert state(probation, 120) == "pending"
        film(late, from_s=120.1, to_s=135, ms=90.0)
        assert state(late, 135) == "failed"
        film(again, from_s=120.1, to_s=135)
        assert state(again, 135) == "passed"

    def test_a_camera_that_needs_more_time_is_no_slower_version_when_the_quick_one_is_off(self):
        previous = Record()
        for index in range(500):
            previous.took("big" if index % 20 == 0 else "small", 60.0 if index % 20 == 0 else 5.0, 1)
        probation = a_probation(previous)
        film(probation, "big", to_s=120, ms=62.0)
        assert state(probation, 120) == "passed"

    def test_a_camera_that_is_slower_among_many_others_is_seen(self):
        probation = a_probation(a_record("one", "two", frames=250))
        film(probation, "one", to_s=21, ms=50.0)
        assert state(probation, 21) == "failed"

    def test_a_new_camera_cannot_be_compared(self):
        probation = a_probation(a_record("front"))
        film(probation, "new", to_s=120, ms=900.0)
        assert state(probation, 120) == "passed"

    def test_many_cameras_with_few_samples_each_are_compared_together(self):
        cameras = [f"camera-{index}" for index in range(40)]
        probation = a_probation(a_record(*cameras, frames=50))
        film(probation, *cameras, fps=1, to_s=24, ms=50.0)
        assert state(probation, 24) == "failed"

    def test_a_previous_version_with_a_handful_of_answers_is_no_yardstick(self):
        probation = a_probation(a_record(frames=19))
        film(probation, to_s=120, ms=900.0)
        assert state(probation, 120) == "passed"

    def test_a_limit_holds_for_a_first_version_too(self):
        probation = a_probation(None, max_latency_ms=50)
        film(probation, to_s=21, ms=61.2)
        assert probation.verdict(1021.0).evidence == (
            "204 of the last 204 inferences took more than 50.0 ms: p95 61.2 ms"
        )

    def test_a_limit_that_the_previous_version_broke_sends_nobody_back_to_it(self):
        quicker, slower = (a_probation(a_record(ms=80.0), max_latency_ms=50) for _ in range(2))
        film(quicker, to_s=120, ms=70.0)
        film(slower, to_s=120, ms=90.0)
        assert (state(quicker, 120), state(slower, 120)) == ("passed", "failed")

    def test_in_a_short_probation_a_slow_version_is_found_out_soon(self):
        probation = a_probation(a_record(), min_s=2, min_inferences=30)
        film(probation, fps=20, to_s=2, ms=60.0)
        assert state(probation, 2) == "pending"
        film(probation, fps=20, from_s=2.05, to_s=4.5, ms=60.0)
        assert state(probation, 4.5) == "failed"


class TestDeaths:
    @pytest.mark.parametrize(
        "how",
        [
            "SIGSEGV, Fatal Python error: Segmentation fault",
            "SIGABRT",
            "SIGFPE",
            "SIGBUS",
            "SIGILL",
            "SIGXCPU",
            "exit 3",
            "no answer within 1.0 s",
            "it does not answer",
        ],
    )
    def test_a_death_of_its_own_condemns_it(self, how):
        probation = a_probation(a_record())
        probation.died(how, 1012.4)
        assert probation.verdict(1013.0).evidence == f"its process died 12 s after the swap ({how})"

    @pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "stopped by a signal", "SIGINT"])
    def test_one_death_by_another_hand_is_forgiven_and_the_second_is_not(self, how):
        probation = a_probation(a_record())
        probation.died(how, 1001.0)
        assert state(probation, 1) == "pending"
        probation.died("SIGKILL", 1031.0)
        assert probation.verdict(1031.0).evidence == (
            "its process died 2 times, last 31 s after the swap (SIGKILL)"
        )


def asked(probation: Probation, seconds: float, answers: Iterator[int]) -> None:
    """Ask the previous version on each silent frame where its opinion is wanted, as the owner does."""
    for index in range(round(seconds * 10)):
        now_s = 1000.0 + index / 10
        probation.took("front", 10.0, 0, now_s)
        if probation.suspicion(now_s) == "front":
            probation.opinion("front", next(answers), now_s)


class TestSilence:
    @pytest.mark.parametrize(("fps", "before_s", "after_s"), [(100, 4.9, 5.0), (1, 28, 29), (10, 4.9, 5.0)])
    def test_it_is_suspected_after_thirty_frames_and_five_seconds(self, fps, before_s, after_s):
        probation = a_probation(a_record())
        film(probation, fps=fps, to_s=before_s, found=0)
        assert probation.suspicion(1000.0 + before_s) is None
        film(probation, fps=fps, from_s=before_s + 1 / fps, to_s=after_s, found=0)
        assert probation.suspicion(1000.0 + after_s) == "front"
        assert state(probation, after_s) == "pending"

    def test_one_find_ends_the_suspicion_for_good(self):
        probation = a_probation(a_record())
        film(probation, to_s=10, found=0)
        probation.took("front", 10.0, 1, 1010.1)
        film(probation, from_s=10.2, to_s=60, found=0)
        assert probation.suspicion(1060.0) is None
        for _ in range(9):
            probation.opinion("front", 3, 1060.0)
        assert state(probation, 120) == "passed"

    def test_it_is_condemned_where_the_previous_version_sees_what_it_does_not(self):
        probation = a_probation(a_record())
        asked(probation, 10, iter([1, 0, 2, 1, 1, 1]))
        assert probation.verdict(1010.0).evidence == (
            "found nothing in 56 frames of front, where the previous version found something in 5 of the 6 "
            "that it was shown"
        )

    def test_an_empty_scene_is_asked_about_again_after_a_minute(self):
        probation = a_probation(a_record())
        film(probation, to_s=6, found=0)
        for _ in range(5):
            assert probation.suspicion(1006.0) == "front"
            probation.opinion("front", 0, 1006.0)
        film(probation, from_s=6.1, to_s=70.9, found=0)
        assert probation.suspicion(1070.9) is None
        film(probation, from_s=71, to_s=71.5, found=0)
        assert probation.suspicion(1071.5) == "front"
        for _ in range(5):
            probation.opinion("front", 1, 1071.5)
        assert state(probation, 72) == "failed"

    def test_a_scene_that_stays_empty_passes(self):
        probation = a_probation(a_record())
        asked(probation, 121, iter([0] * 10_000))
        assert state(probation, 121) == "passed"

    def test_a_previous_version_that_sees_something_now_and_then_is_no_witness(self):
        probation = a_probation(a_record())
        asked(probation, 20, iter([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]))
        assert state(probation, 20) == "pending"
        assert probation.suspicion(1020.0) is None

    def test_an_opinion_that_nobody_asked_for_is_no_evidence(self):
        probation = a_probation(a_record("front", "back"))
        film(probation, to_s=2, found=0)
        for source in ("front", "back", "nowhere"):
            for _ in range(20):
                probation.opinion(source, 1, 1002.0)
        assert state(probation, 2) == "pending"

    def test_silence_where_the_previous_version_found_something_now_and_then_is_no_suspicion(self):
        previous = Record()
        for index in range(300):
            previous.took("front", 10.0, index % 2)
        probation = a_probation(previous)
        probation.alone = True
        film(probation, to_s=120, found=0)
        assert state(probation, 120) == "passed"

    def test_of_several_cameras_the_one_that_runs_is_asked_for_not_the_one_that_is_off(self):
        probation = a_probation(a_record("dead", "slow", "quick"))
        film(probation, "dead", to_s=8, found=0)
        film(probation, "slow", fps=1, to_s=40, found=0)
        assert probation.suspicion(1040.0) == "slow"
        film(probation, "quick", from_s=20, to_s=40.5, found=0)
        assert probation.suspicion(1040.5) == "quick"
        for _ in range(5):
            probation.opinion("quick", 0, 1040.5)
        assert probation.suspicion(1040.5) == "slow"

    def test_an_open_suspicion_keeps_the_probation_open_for_a_minute_more(self):
        probation = a_probation(a_record())
        film(probation, to_s=130, found=0)
        assert (state(probation, 130), state(probation, 179.9)) == ("pending", "pending")
        assert state(probation, 180) == "passed"

    def test_frames_that_failed_are_not_silent(self):
        probation = a_probation(a_record(fail_every=2))
        for index in range(200):
            probation.failed("front", "", 1000.0 + index)
        assert probation.suspicion(1200.0) is None


class TestAlone:
    def alone(self, previous: Record | None = None) -> Probation:
        probation = a_probation(previous or a_record())
        probation.alone = True
        return probation

    @pytest.mark.parametrize(
        ("fps", "fine_s", "failed_s"), [(100, 14.9, 15.1), (10, 14.9, 15.1), (3, 29, 30)]
    )
    def test_silence_three_times_as_long_condemns_by_itself(self, fps, fine_s, failed_s):
        probation = self.alone()
        film(probation, fps=fps, to_s=fine_s, found=0)
        assert (state(probation, fine_s), probation.suspicion(1000 + fine_s)) == ("pending", None)
        film(probation, fps=fps, from_s=fine_s + 1 / fps, to_s=failed_s, found=0)
        assert state(probation, failed_s) == "failed"
        assert "frames of front, where the previous version found something in 200 of its last 200" in (
            probation.verdict(1000 + failed_s).evidence
        )

    def test_a_camera_that_is_away_is_not_silent(self):
        probation = self.alone()
        film(probation, fps=30, to_s=10, found=0)
        assert state(probation, 100) == "pending"

    def test_a_camera_that_comes_back_later_may_look_at_another_scene(self):
        probation = self.alone(a_record("front", "back"))
        film(probation, "front", to_s=100)
        film(probation, "back", from_s=100, to_s=200, found=0)
        assert state(probation, 200) == "passed"

    def test_a_scene_that_was_seen_to_be_empty_is_not_held_against_it_later(self):
        probation = a_probation(a_record())
        asked(probation, 6, iter([0] * 100))
        probation.alone = True
        film(probation, from_s=6, to_s=200, found=0)
        assert state(probation, 200) == "passed"

    def test_a_scene_that_became_empty_just_before_the_swap_is_no_silence(self):
        previous = a_record()
        for _ in range(15):
            previous.took("front", 10.0, 0)
        probation = self.alone(previous)
        film(probation, to_s=120, found=0)
        assert state(probation, 120) == "passed"


class Camera:
    """Frames at its own rate; answered, found and failed by the same law whichever version looks."""

    def __init__(
        self, name: str, fps: float, ms: float, find_share: float, fail_every: int, seed: int
    ) -> None:
        self.name, self.fps, self._ms = name, fps, ms
        self._find_share, self._fail_every = find_share, fail_every
        self._random, self._seen = np.random.default_rng(seed), 0

    def frame(self) -> tuple[float, int] | None:
        """Latency and finds of the next; None where the model fails on it."""
        self._seen += 1
        if self._fail_every and self._seen % self._fail_every == 0:
            return None
        noise = self._random.lognormal(0, 0.2)
        return self._ms * noise, int(self._random.random() < self._find_share)


CAMERAS = st.lists(
    st.tuples(
        st.sampled_from([0.5, 2.0, 10.0, 25.0]),  # frames a second
        st.sampled_from([0.5, 8.0, 120.0]),  # milliseconds
        st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),  # share of frames with a find
        st.sampled_from([0, 0, 1, 2, 7, 100]),  # every so manieth fails
    ),
    min_size=1,
    max_size=5,
)


class TestAnyScene:
    @settings(max_examples=60, deadline=None)
    @given(CAMERAS, st.integers(0, 1000), st.booleans(), st.data())
    def test_a_version_that_is_just_as_good_is_never_condemned(self, cameras, seed, alone, data):
        scene = [Camera(f"camera-{i}", *one, seed=seed + i) for i, one in enumerate(cameras)]
        previous = Record()
        for camera in scene:
            for _ in range(round(camera.fps * 60)):
                answer = camera.frame()
                previous.took(camera.name, *answer) if answer else previous.failed(camera.name, "no")
        left = data.draw(st.lists(st.sampled_from(scene), unique=True), "cameras that still run")
        probation = a_probation(previous, max_latency_ms=1000)
        probation.alone = alone
        times = sorted(
            (n / camera.fps, i) for i, camera in enumerate(left) for n in range(round(camera.fps * 130))
        )
        for second, index in times:
            camera, now_s = left[index], 1000.0 + second
            answer = camera.frame()
            if answer is None:
                probation.failed(camera.name, "no", now_s)
                continue
            probation.took(camera.name, *answer, now_s)
            if answer[1] == 0 and probation.suspicion(now_s) == camera.name:
                again = camera.frame()
                probation.opinion(camera.name, again[1] if again else 0, now_s)
        verdict = probation.verdict(1130.0)
        assert verdict.state != "failed", verdict.evidence
        assert (verdict.state == "passed") == (probation.record.answered >= 200)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["took", "took", "took", "failed", "died", "opinion", "alone"]),
                st.sampled_from(["front", "back"]),
                st.integers(0, 1),
                st.floats(0, 3),
            ),
            max_size=120,
        )
    )
    def test_a_verdict_is_final_and_none_passes_before_its_time(self, events):
        probation = a_probation(a_record("front"), min_s=60, min_inferences=20)
        now_s, last = 1000.0, probation.verdict(1000.0)
        for event, source, found, after_s in events:
            now_s += after_s
            if event == "took":
                probation.took(source, 10.0 + 100 * found, found, now_s)
            elif event == "failed":
                probation.failed(source, "no", now_s)
            elif event == "died":
                probation.died("SIGKILL" if found else "exit 1", now_s)
            elif event == "opinion":
                probation.opinion(source, found, now_s)
            else:
                probation.alone = bool(found)
            verdict = probation.verdict(now_s)
            assert last.state == "pending" or verdict is last
            assert bool(verdict.evidence) == (verdict.state != "pending")
            assert "\n" not in probation.summary(now_s)
            if verdict.state == "passed" and verdict is not last:
                assert now_s >= 1060
                assert probation.record.answered >= 20
            last = verdict
