import struct

import pytest

from edged.sources.iiochannels import csv_lines, laid_out, parsed


def lines(records, *channels):
    placed, record_bytes = laid_out(channels)
    return csv_lines(records, record_bytes, placed)


@pytest.mark.parametrize(
    ("kind", "stored", "value"),
    [
        ("le:s16/16>>0", b"\xfe\xff", -2),
        ("be:s16/16>>0", b"\xff\xfe", -2),
        ("le:u16/16>>0", b"\xfe\xff", 65534),
        ("le:s12/16>>4", b"\x0f\x80", -2048),
        ("le:s12/16>>4", b"\xff\x7f", 2047),
        ("le:s12/16>>4", b"\x10\x00", 1),
        ("le:s12/16>>0", b"\xff\xf7", 2047),  # above its bits stands whatever the device left there
        ("be:u12/16>>4", b"\xff\xf0", 4095),
        ("be:u10/16>>2", b"\x0f\xfc", 1023),
        ("le:s8/8>>0", b"\x80", -128),
        ("be:s24/32>>8", b"\x80\x00\x00\x55", -(2**23)),
        ("le:u32/32>>0", b"\xff\xff\xff\xff", 2**32 - 1),
        ("le:s64/64>>0", b"\xff" * 8, -1),
        ("le:u1/8>>7", b"\x80", 1),
    ],
)
def test_bits_become_numbers(kind, stored, value):
    assert lines(stored, parsed("v", "0", kind)) == b"%.1f\n" % value


def test_elements_begin_at_multiples_of_their_size():
    placed, record_bytes = laid_out(
        [
            parsed("timestamp", "3", "le:s64/64>>0"),
            parsed("b", "1", "le:s16/16>>0"),
            parsed("a", "0", "le:s8/8>>0"),
        ]
    )
    assert [(channel.name, channel.at_byte) for channel in placed] == [("a", 0), ("b", 2), ("timestamp", 8)]
    assert record_bytes == 16


def test_a_record_is_as_long_as_a_multiple_of_its_largest_element():
    channels = [parsed("a", "0", "le:s32/32>>0"), parsed("b", "1", "le:s8/8>>0")]
    assert laid_out(channels)[1] == 8
    assert lines(struct.pack("<ib3xib3x", 1, 2, 3, 4), *channels) == b"1.0,2.0\n3.0,4.0\n"


def test_a_repeated_element_is_aligned_as_a_whole_and_gives_a_column_each():
    turn = parsed("rot_quaternion", "1", "le:s16/16X4>>0")
    channels = [parsed("a", "0", "le:u8/8>>0"), turn]
    assert turn.columns == tuple(f"rot_quaternion_{number}" for number in range(4))
    assert lines(struct.pack("<B7x4h", 9, 1, -2, 3, -4), *channels) == b"9.0,1.0,-2.0,3.0,-4.0\n"


def test_a_time_stamp_is_in_seconds_and_loses_no_nanosecond():
    stamp = parsed("timestamp", "0", "le:s64/64>>0")
    assert lines(struct.pack("<q", 1_790_000_000_000_000_001), stamp) == b"1790000000.000000001\n"
    assert lines(struct.pack("<q", 5), stamp) == b"0.000000005\n"


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "le:s16",
        "le:f32/32>>0",
        "le:s16/24>>0",
        "le:s17/16>>0",
        "le:s12/16>>5",
        "le:s0/16>>0",
        "le:s8/8X0>>0",
    ],
)
def test_a_type_that_makes_no_sense_is_refused(kind):
    with pytest.raises(ValueError, match="v is of an"):
        parsed("v", "0", kind)


def test_an_index_that_is_none_is_refused():
    with pytest.raises(ValueError, match="unknown type"):
        parsed("v", "first", "le:s8/8>>0")
