import pytest

from edged.sources.packets import Disposability

AVCC = b"\x01M@\x1f\xff\xe1\x00\x19"
HVCC = b"\x01" + bytes(20) + b"\x03" + bytes(4)


def avcc_unit(first):
    return b"\x00\x00\x00\x03" + bytes([first, 0x9A, 0x11])


@pytest.mark.parametrize(
    ("extradata", "packet", "disposable"),
    [
        (AVCC, avcc_unit(0x01), True),
        (AVCC, avcc_unit(0x41), False),
        (AVCC, avcc_unit(0x65), False),
        (AVCC, avcc_unit(0x06) + avcc_unit(0x01), True),
        (b"", b"\x00\x00\x00\x01\x01\x9a", True),
        (b"", b"\x00\x00\x01\x09\x10\x00\x00\x01\x41\x9a", False),
        (AVCC, b"", False),
        (AVCC, b"\xff\xff\xff\xff\x01\x01", True),
        (AVCC, avcc_unit(0x06), False),
        (b"", b"\x00\x00\x01", False),
    ],
)
def test_h264_says_by_its_first_slice_whether_others_depend_on_it(extradata, packet, disposable):
    assert Disposability("h264", extradata).holds(memoryview(packet)) is disposable


@pytest.mark.parametrize(("kind", "disposable"), [(0, True), (1, False), (8, True), (9, False), (19, False)])
def test_h265_says_so_by_the_kind_of_its_first_slice(kind, disposable):
    unit = b"\x00\x00\x00\x03" + bytes([kind << 1, 1, 0])
    assert Disposability("hevc", HVCC).holds(memoryview(unit)) is disposable


def test_lower_sub_layers_of_h265_serve_higher_ones():
    disposability = Disposability("hevc", b"")
    lower, higher = (memoryview(bytes([0, 0, 1, 0, layer + 1, 0])) for layer in (0, 1))
    assert disposability.holds(lower)
    assert disposability.holds(higher)
    assert not disposability.holds(lower)


def test_of_other_codecs_nothing_is_said():
    assert not Disposability("mpeg4", b"").holds(memoryview(b"\x00\x00\x01\x01\x00"))
