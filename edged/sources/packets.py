"""What a packet says of its frame before anything is decoded. Pure: bytes come in, facts go out.

NAL units: ITU-T H.264 section 7.3.1, H.265 section 7.3.1.2; their framing in files: ISO/IEC 14496-15.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

SEARCHED_BYTES = 4096
"""Of a packet, for its first slice: parameter sets and messages go before it."""
SEARCHED_UNITS = 16
_START = b"\x00\x00\x01"
_H264_SLICES = frozenset({1, 2, 3, 4, 5})
_HEVC_FIRST_NON_SLICE = 32
_HEVC_LAST_NON_REFERENCE = 14

SINGLE_PICTURE_CODECS = frozenset({"h264", "hevc"})
"""Codecs between whose pictures others depend, and of which each packet is one frame."""


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """A packet as it was read.

    Attributes:
        time_s: When its frame is to be shown, on the stream's clock.
        size: Bytes.
        key: Whether its frame depends on no other.
        disposable: Whether no other frame depends on it.
    """

    time_s: float
    size: int
    key: bool
    disposable: bool


class Treatment(Enum):
    """What a packet is worth."""

    DECODE = auto()
    """Its frame is looked at, or a later one that depends on it."""
    LOOK = auto()
    """It is a key frame, and it alone is looked at."""
    PASS = auto()
    """Nothing that depends on it is looked at; it need not be decoded."""
    REST = auto()
    """Likewise, because nothing moves: what follows may be read a moment later, several packets at once."""


@dataclass(frozen=True, slots=True)
class StreamTraits:
    """What is known of a stream when it is opened.

    Attributes:
        codec: FFmpeg's name of it; empty for pictures.
        pixels: Of a frame.
        has_clock: Whether its packets carry time stamps.
        intra_only: Whether the codec knows no other frames than key frames.
        measured: False for a picture of a server that does not say how many bytes it has.
    """

    codec: str
    pixels: int
    has_clock: bool
    intra_only: bool
    measured: bool = True


class Disposability:
    """Tells which packets of one stream no other depends on.

    A sub-layer non-reference picture of H.265 may still serve higher sub-layers: only those of the highest seen
    are disposable.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        """Args: codec: FFmpeg's name of it; extradata: of the stream, which says how units are framed."""
        self._codec = codec
        self._length_bytes = _length_bytes(codec, extradata or b"")
        self._highest_sub_layer = 0

    def holds(self, packet: memoryview) -> bool:
        """Whether nothing depends on the frame of this packet; False where it cannot be told."""
        if self._codec not in SINGLE_PICTURE_CODECS:
            return False
        head = bytes(packet[:SEARCHED_BYTES])
        for first, second in _units(head, self._length_bytes):
            if self._codec == "h264" and first & 31 in _H264_SLICES:
                return not first >> 5 & 3
            if self._codec == "hevc" and first >> 1 & 63 < _HEVC_FIRST_NON_SLICE:
                return self._is_non_reference(first >> 1 & 63, (second & 7) - 1)
        return False

    def _is_non_reference(self, kind: int, sub_layer: int) -> bool:
        self._highest_sub_layer = max(self._highest_sub_layer, sub_layer)
        return kind <= _HEVC_LAST_NON_REFERENCE and kind % 2 == 0 and sub_layer == self._highest_sub_layer


def _length_bytes(codec: str, extradata: bytes) -> int:
    """How long the length before each unit is; 0 where start codes part them."""
    if codec == "h264" and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 21 and not extradata.startswith((b"\0\0\1", b"\0\0\0\1")):
        return (extradata[21] & 3) + 1
    return 0


def _units(head: bytes, length_bytes: int) -> Iterator[tuple[int, int]]:
    """The first two bytes of each unit."""
    at, end = 0, len(head) - 1
    for _ in range(SEARCHED_UNITS):
        if length_bytes:
            begin = at + length_bytes
            at = begin + int.from_bytes(head[at:begin], "big")
        else:
            found = head.find(_START, at)
            if found < 0:
                return
            at = begin = found + len(_START)
        if begin >= end:
            return
        yield head[begin], head[begin + 1]
