"""Motion by packet sizes: streams are made of numbers here; real ones are in the tests of the camera."""

import random

from edged.sources.motion.packets import RELEARN_S, PacketMotion, Verdict
from edged.sources.packets import PacketFacts

PIXELS = 1920 * 1080


class Stream:
    """Packets of 25 frames a second, with a key frame every two seconds."""

    def __init__(self):
        self.motion, self.number = PacketMotion(pixels=PIXELS), 0
        self.random = random.Random(1)

    def play(self, seconds, size):
        """The verdict on each packet; ``size`` is a number, or a function of the time."""
        verdicts = []
        for _ in range(round(seconds * 25)):
            time_s, key = self.number / 25, self.number % 50 == 0
            mean = size(time_s) if callable(size) else size
            drawn = 120_000 if key else round(mean * self.random.lognormvariate(0, 0.1))
            verdicts.append(self.motion.look(PacketFacts(time_s, drawn, key=key, disposable=False)))
            self.number += 1
        return verdicts


def test_it_learns_first_and_then_sees_stillness():
    stream = Stream()
    verdicts = stream.play(60, 4000)
    assert verdicts[0] is Verdict.LEARNING
    assert 3.5 < verdicts.count(Verdict.LEARNING) / 25 < 5
    assert verdicts.count(Verdict.MOVING) == 0


def test_motion_is_seen_within_a_quarter_of_a_second_and_its_end_as_well():
    stream = Stream()
    stream.play(20, 4000)
    assert Verdict.MOVING in stream.play(0.28, 9000)
    stream.play(5, 9000)
    assert stream.play(1, 4000)[-1] is Verdict.STILL


def test_a_burst_of_motion_needs_one_packet():
    stream = Stream()
    stream.play(21, 800)
    assert stream.play(1 / 25, 30_000) == [Verdict.MOVING]


def test_while_something_moves_it_does_not_become_stillness():
    stream = Stream()
    stream.play(20, 4000)
    wandering = stream.play(RELEARN_S * 2, lambda time_s: 12_000 if round(time_s) % 3 else 40_000)
    assert wandering[25:].count(Verdict.STILL) == 0


def test_dusk_is_followed():
    stream = Stream()
    stream.play(20, 4000)
    assert Verdict.MOVING not in stream.play(200, lambda time_s: 4000 * 1.01**time_s)


def test_a_new_level_that_stays_is_learned_in_the_end():
    stream = Stream()
    stream.play(20, 4000)
    verdicts = stream.play(RELEARN_S + 10, 9000)
    assert verdicts[50] is Verdict.MOVING
    assert verdicts[-1] is Verdict.STILL


def test_single_large_packets_of_noise_are_no_motion():
    stream = Stream()
    stream.play(20, 400)
    for _ in range(30):
        assert Verdict.MOVING not in [*stream.play(1 / 25, 1500), *stream.play(0.4, 400)]


def test_few_bytes_more_are_no_motion_however_little_stillness_costs():
    stream = Stream()
    stream.play(20, 60)
    assert Verdict.MOVING not in stream.play(5, 240)


def test_sizes_that_are_filled_up_are_told_from_a_scene_that_is_truly_still():
    for size, padded in ((20_000, True), (90, False)):
        motion = PacketMotion(pixels=PIXELS)
        for number in range(300):
            motion.look(PacketFacts(number / 25, size, key=number % 50 == 0, disposable=False))
        assert motion.padded is padded
