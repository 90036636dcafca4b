"""How a record of Linux' Industrial I/O is laid out, and what its bits mean. Pure.

A record holds an element for each enabled channel, in the order of their indices. An element begins at a multiple of
its own size, and the record is as long as a multiple of its largest (`iio_compute_scan_bytes` of the kernel). What an
element is made of stands in ``scan_elements/<channel>_type``, as in ``le:s12/16>>4``: little endian, signed, 12 bits
of 16, after a shift by 4 (Documentation/ABI/testing/sysfs-bus-iio).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

TIMESTAMP = "timestamp"
NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class Channel:
    """An element of a record.

    Attributes:
        name: Without ``in_``: ``accel_x``, ``timestamp``.
        index: Its place among the others.
        signed: Whether its bits are two's complement.
        big_endian: Whether the high byte comes first.
        bits: That count.
        storage_bytes: That it takes: 1, 2, 4 or 8, each time.
        shift: By so many bits to the right, before.
        repeat: It is so many numbers, as a quaternion is 4.
        scale: From (raw + offset) to the unit of the kernel's documentation: m/s², rad/s, mV, m°C …
        offset: See there.
        at_byte: Where it begins in the record; set by `laid_out`.
    """

    name: str
    index: int
    signed: bool
    big_endian: bool
    bits: int
    storage_bytes: int
    shift: int
    repeat: int = 1
    scale: float = 1.0
    offset: float = 0.0
    at_byte: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """What its numbers are called."""
        if self.repeat == 1:
            return (self.name,)
        return tuple(f"{self.name}_{number}" for number in range(self.repeat))


def parsed(name: str, index: str, kind: str) -> Channel:
    """A channel from what its files say.

    Args:
        name: Without ``in_``.
        index: Of ``_index``.
        kind: Of ``_type``, as in ``be:u16/16X2>>0``.

    Raises:
        ValueError: They say something else than numbers of whole bytes; the text says what.
    """
    match = re.fullmatch(r"([bl]e):([su])(\d{1,2})/(\d{1,2})(?:X(\d{1,2}))?>>(\d{1,2})", kind.strip())
    if not match or not index.strip().isdecimal():
        raise ValueError(f"{name} is of an unknown type ({kind.strip()[:40]})")
    bits, storage, repeat, shift = (int(match[number] or 1) for number in (3, 4, 5, 6))
    if storage not in {8, 16, 32, 64} or not 0 < bits <= storage - shift or repeat < 1:
        raise ValueError(f"{name} is of an impossible type ({kind.strip()[:40]})")
    return Channel(name, int(index), match[2] == "s", match[1] == "be", bits, storage // 8, shift, repeat)


def laid_out(channels: Sequence[Channel]) -> tuple[list[Channel], int]:
    """The channels in the order of the record, each with its place, and the bytes of a record.

    A byte, a 16-bit number and a 64-bit time stamp begin at 0, 2 and 8; the record has 16 bytes.
    """
    placed, end, largest = [], 0, 1
    for channel in sorted(channels, key=lambda one: (one.name == TIMESTAMP, one.index)):
        size = channel.storage_bytes * channel.repeat
        begin = _aligned(end, size)
        placed.append(replace(channel, at_byte=begin))
        end, largest = begin + size, max(largest, size)
    return placed, _aligned(end, largest)


def csv_lines(records: bytes, record_bytes: int, channels: Sequence[Channel]) -> bytes:
    """A line for each record: values with all their digits, a time stamp in seconds with its nanoseconds.

    Args:
        records: Whole ones.
        record_bytes: Of each.
        channels: As laid out; one line has their columns in this order.
    """
    table = np.frombuffer(records, np.uint8).reshape(-1, record_bytes)
    columns = [column for channel in channels for column in _texts(table, channel)]
    return "".join(f"{','.join(row)}\n" for row in zip(*columns, strict=True)).encode()


def _texts(table: NDArray[np.uint8], channel: Channel) -> list[list[str]]:
    columns = []
    for number in range(channel.repeat):
        begin = channel.at_byte + number * channel.storage_bytes
        raw = _numbers(table[:, begin : begin + channel.storage_bytes], channel)
        if channel.name == TIMESTAMP:
            columns.append([f"{value // NANOSECONDS}.{value % NANOSECONDS:09d}" for value in raw.tolist()])
        else:
            values = (raw.astype(np.float64) + channel.offset) * channel.scale
            columns.append([repr(value) for value in values.tolist()])
    return columns


def _numbers(stored: NDArray[np.uint8], channel: Channel) -> NDArray[np.int64] | NDArray[np.uint64]:
    """The numbers in N elements, uint8 (N, bytes): shifted, cut to their bits, with their sign."""
    order = ">" if channel.big_endian else "<"
    raw = np.ascontiguousarray(stored).view(f"{order}u{channel.storage_bytes}")[:, 0].astype(np.uint64)
    spare = np.uint64(64 - channel.bits)
    topmost = (
        raw >> np.uint64(channel.shift)
    ) << spare  # the sign is the highest bit now, and comes back down
    if channel.signed:
        return topmost.view(np.int64) >> np.int64(64 - channel.bits)
    return topmost >> spare


def _aligned(at_byte: int, size: int) -> int:
    return -(-at_byte // size) * size
