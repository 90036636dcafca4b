import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.sections import MotionSettings
from edged.sources.chooser import FrameChooser
from edged.sources.motion.gate import Gate
from edged.sources.packets import PacketFacts, StreamTraits, Treatment
from edged.sources.selection import KeyRhythm, Selection

H264 = StreamTraits(codec="h264", pixels=64 * 48, has_clock=True, intra_only=False)


def facts(time_s, *, key=False, disposable=False):
    return PacketFacts(time_s, 1000, key=key, disposable=disposable)


@given(
    steps=st.lists(st.sampled_from([0.0, 0.033, 0.04, 0.1, 0.5]), min_size=1, max_size=60),
    fps=st.sampled_from([1, 3, 5, 7.5, 30]),
    ahead=st.integers(0, 5),
)
def test_what_is_foreseen_comes_true(steps, fps, ahead):
    times = [sum(steps[: n + 1]) for n in range(len(steps))]
    chooser, promised = FrameChooser(fps), {}
    for number, time_s in enumerate(times):
        if number:
            for later in range(number, min(number + ahead + 1, len(times))):
                promised[later] = promised.get(later, False) or chooser.will_pass(times[later])
        assert not (chooser.choose(time_s) and promised.get(number, False))


def test_disposable_frames_that_fps_passes_over_need_no_decoding():
    selection = Selection(5, Gate("front", MotionSettings(gate="off")), asked=lambda: False)
    selection.begin(H264, again=False)
    treatments = []
    for number in range(100):
        packet = facts(number / 25, key=number % 50 == 0, disposable=number % 2 == 1)
        treatments.append((packet.disposable, selection.treatment(packet)))
        selection.deliver(packet.time_s, None)
    assert {treatment for disposable, treatment in treatments if not disposable} == {Treatment.DECODE}
    dropped = [treatment is Treatment.PASS for disposable, treatment in treatments if disposable]
    assert sum(dropped) >= 35


def test_key_frames_alone_are_decoded_while_they_come_often_enough():
    selection = Selection(0.5, Gate("front", MotionSettings(gate="off")), asked=lambda: False)
    selection.begin(H264, again=False)
    said = {}
    for number in range(25 * 14):
        key = number % 25 == 0 and number < 25 * 10
        said[number] = selection.treatment(facts(number / 25, key=key))
        selection.deliver(number / 25, None)
    assert said[2 * 25] is said[2 * 25 + 1] is Treatment.DECODE
    assert {said[number] for number in range(25 * 4, 25 * 10)} == {Treatment.LOOK, Treatment.PASS}
    assert said[25 * 11 + 2] is Treatment.DECODE
    last_key_s = 9
    assert next(n for n in range(25 * 9 + 1, 25 * 14) if said[n] is Treatment.DECODE) / 25 - last_key_s < 2.1


@pytest.mark.parametrize("asked", [False, True])
def test_whoever_asks_for_the_next_frame_has_it_decoded(asked):
    selection = Selection(1, Gate("front", MotionSettings(gate="off")), asked=lambda: asked)
    selection.begin(StreamTraits(codec="mjpeg", pixels=9, has_clock=True, intra_only=True), again=False)
    first = selection.treatment(facts(0.0, key=True))
    selection.deliver(0.0, None)
    second = selection.treatment(facts(0.1, key=True))
    assert (first, second) == (
        (Treatment.DECODE, Treatment.DECODE) if asked else (Treatment.LOOK, Treatment.PASS)
    )


@pytest.mark.parametrize(
    ("fps", "gate", "foresees"),
    [(0, "off", False), (0, "pixels", False), (0, "stream", True), (0, "auto", True), (5, "off", True)],
)
def test_only_where_every_packet_is_decoded_nothing_is_foreseen(fps, gate, foresees):
    selection = Selection(fps, Gate("front", MotionSettings(gate=gate)), asked=lambda: False)
    selection.begin(H264, again=False)
    assert selection.foresees is foresees
    treatments = set()
    for number in range(400):
        packet = facts(number / 25, key=number % 50 == 0, disposable=number % 2 == 1)
        treatments.add(selection.treatment(packet))
        selection.deliver(packet.time_s, None)
    assert foresees is (treatments != {Treatment.DECODE})


def test_where_every_frame_is_wanted_key_frames_never_suffice_even_on_a_clock_that_stands():
    rhythm = KeyRhythm(fps=0)
    assert not any(rhythm.suffices(0.0, key=True) for _ in range(20))


def test_while_nothing_moves_what_follows_may_wait_and_not_while_something_does():
    selection = Selection(0, Gate("front", MotionSettings(gate="stream", hold=0.5)), asked=lambda: False)
    selection.begin(H264, again=False)

    treatments = []
    for number in range(200):
        size = (1000 if number < 170 else 90_000) + 30 * (number % 7)
        packet = PacketFacts(number / 25, size, key=number % 50 == 0, disposable=False)
        treatments.append(selection.treatment(packet))
        selection.deliver(packet.time_s, object if treatments[-1] is Treatment.DECODE else None)
    assert set(treatments[:100]) == {Treatment.DECODE}  # it learns
    assert set(treatments[120:170]) == {Treatment.REST}
    assert set(treatments[170:]) == {Treatment.DECODE}
