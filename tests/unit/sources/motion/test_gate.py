"""What each gate goes by, and when it takes another way."""

import numpy as np
import pytest

from edged.frame import PixelLayout
from edged.sections import MotionSettings
from edged.sources.motion.gate import INTRA_PACKETS, Gate
from edged.sources.packets import PacketFacts, StreamTraits
from edged.sources.pixels import Pixels

H264 = StreamTraits(codec="h264", pixels=320 * 240, has_clock=True, intra_only=False)
MASK = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def picture(block=None):
    luma = np.tile(np.arange(0, 160, dtype=np.uint8), (240, 2))
    if block is not None:
        luma[80:160, block : block + 60] = 240
    return Pixels(320, 240, PixelLayout.YUV, (luma,))


def opened(gate="auto", traits=H264, **settings):
    made = Gate("front", MotionSettings(gate=gate, **settings))
    made.begin(traits, again=False)
    return made


def play(gate, packets, *, first=0, key_every=50, filled_up=False):
    for number in range(first, first + packets):
        key, size = number % key_every == 0, 20_000 if filled_up else 900 + number % 7 * 40
        gate.packet(PacketFacts(number / 25, 50_000 if key else size, key=key, disposable=False))


@pytest.mark.parametrize(
    ("traits", "settings", "text"),
    [
        ({"codec": "mjpeg", "intra_only": True}, {}, "pixels (the stream has no inter frames)"),
        ({"codec": "vp9"}, {}, "pixels (packets of vp9 are not understood)"),
        ({"has_clock": False}, {}, "pixels (the stream has no clock)"),
        ({}, {"masks": (MASK,)}, "pixels (packets know no masks)"),
        ({"codec": ""}, {}, "off (pictures have nothing to do with one another)"),
        ({}, {}, "auto (learning)"),
        ({}, {"gate": "pixels", "masks": (MASK,)}, "pixels"),
        ({}, {"gate": "off"}, ""),
    ],
)
def test_what_it_goes_by_is_said_when_the_stream_is_known(traits, settings, text):
    fields = {"codec": "h264", "pixels": 76800, "has_clock": True, "intra_only": False}
    assert opened(traits=StreamTraits(**(fields | traits)), **settings).text == text


@pytest.mark.parametrize(("masks", "text"), [((), "stream"), ((MASK,), "stream (masks do not apply)")])
def test_packets_are_awake_until_they_have_learned_and_then_sleep(masks, text):
    gate = opened("stream", masks=masks)
    play(gate, 50)
    assert not gate.sleeps(2.0)
    play(gate, 150, first=50)
    assert gate.text == text
    assert gate.sleeps(8.0)


def test_a_stream_of_key_frames_and_one_that_is_filled_up_are_left_to_pixels():
    gate = opened("stream")
    play(gate, INTRA_PACKETS, key_every=1)
    assert gate.text == "pixels (the stream has no inter frames)"
    gate = opened("stream")
    play(gate, 200, filled_up=True)
    assert gate.text == "pixels (its packets are filled up to a constant rate)"
    assert not gate.sleeps(8.0)


def test_what_was_learned_of_a_recording_holds_when_it_begins_again():
    gate = opened("stream")
    play(gate, 250)
    gate.begin(H264, again=True)
    play(gate, 2)
    assert gate.sleeps(0.08)
    gate.begin(H264, again=False)
    assert not gate.sleeps(0.08)


def test_pixels_open_for_motion_hold_and_look_again():
    gate = opened("pixels", hold=1.0, recheck=10.0, regions=True)
    for number in range(60):
        gate.look(number / 5, picture())
    looks = [(number / 5, gate.look(number / 5, picture())) for number in range(60, 160)]
    rechecks = [time_s for time_s, look in looks if look.opens]
    assert 1 <= len(rechecks) <= 2
    assert all(look.still for _, look in looks if not look.opens)
    assert not gate.moving
    looks = [gate.look(32 + number / 5, picture(40 + number * 12)) for number in range(10)]
    assert all(look.opens for look in looks)
    assert gate.moving
    x1, y1, x2, y2 = looks[-1].regions[0]
    assert 0 <= x1 < x2 <= 320
    assert 0 <= y1 < y2 <= 240
    later = [gate.look(34 + number / 5, picture()).opens for number in range(40)]
    assert later[0]
    assert not later[-1]


def asleep_in_auto():
    gate = opened("auto", hold=1.0, recheck=20.0)
    for number in range(300):
        play(gate, 1, first=number)
        if number % 5 == 0:
            gate.look(number / 25, picture())
    assert gate.text == "stream"
    return gate


def test_auto_stays_with_packets_where_rechecks_find_what_was_there():
    gate = asleep_in_auto()
    for number in range(300, 3300):
        play(gate, 1, first=number)
        if number % 750 == 0:
            assert gate.recheck_is_due(PacketFacts(number / 25, 50_000, key=True, disposable=False))
            assert gate.look(number / 25, picture()).opens
    assert gate.text == "stream"


def test_auto_takes_pixels_where_the_scene_changed_twice_and_no_packet_said_so():
    gate = asleep_in_auto()
    for number in range(300, 3300):
        play(gate, 1, first=number)
        if number % 750 == 0:
            gate.look(number / 25, picture(40 if number % 1500 else 200))
    assert gate.text == "pixels (packets missed what changed)"
    assert not gate.sleeps(3300 / 25 + 60)
