"""Whatever a broker sends, the connection ends with an error that the link knows what to do about."""

import struct

import pytest
from fuzz.examples import examples
from fuzz.targets import broker
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import EdgedError

NUMBERS = bytes.fromhex("08090b111213161f212223242526272a")
PROPERTIES = st.lists(st.tuples(st.sampled_from(NUMBERS), st.binary(max_size=6)), max_size=4).map(
    lambda some: b"".join(bytes([number]) + value for number, value in some)
)


@st.composite
def packets(draw):
    """A packet whose length is right, most of the time, and whose content may be anything."""
    head = draw(
        st.sampled_from([0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0])
        | st.integers(0, 255)
    )
    properties = draw(PROPERTIES)
    body = draw(
        st.binary(max_size=12)
        | st.just(b"\x00\x00" + bytes([len(properties)]) + properties)
        | st.just(
            struct.pack("!H", 17)
            + b"edged/box/cmd/pin\x00\x01"
            + bytes([len(properties)])
            + properties
            + b"{}"
        )
    )
    length = draw(st.just(len(body)) | st.just(len(body)) | st.integers(0, 127))
    return bytes([head, length]) + body


@settings(max_examples=examples(100), deadline=None)
@given(
    version=st.sampled_from([b"\x05", b"\x03"]), accepted=st.booleans(), said=st.lists(packets(), max_size=4)
)
def test_any_packets_end_in_an_error_of_ours(version, accepted, said):
    greeting = broker.CONNACK5 if version == b"\x05" else broker.CONNACK3
    content = version + (greeting if accepted else b"") + b"".join(said)
    try:
        assert broker.run(content).startswith("talked")
    except EdgedError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_broker_that_behaves_is_talked_with(number):
    assert broker.run(broker.SEEDS[number]).startswith("talked")
