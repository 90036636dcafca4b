"""From the bytes of a delivery to rows. Pure: it has no clock, and whatever the bytes are, it does not raise.

    payload ─→ lines ─→ CsvReader │ JsonReader │ texts ─→ RowCollector ─→ Rows, RejectedRow …

A sensor may stand for several devices. Each has its own reader: what its header said, what its last values were, and
which of its lines is the next.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edged.rows import RejectedRow, Rows
from edged.sources.csvrows import CsvReader
from edged.sources.jsonrows import JsonReader
from edged.sources.rowcollector import RowCollector
from edged.sources.rowvalues import MAX_ROW_BYTES, Line, RowSpec, Unusable

__all__ = ["MAX_ORIGINS", "MAX_ROW_BYTES", "RowParser", "RowSpec"]

MAX_ORIGINS = 1000
"""Devices remembered; the one unheard for the longest time is forgotten first."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Reader(Protocol):
    """Reads the lines of one device, in order, and gives their rows to its collector."""

    @property
    def header(self) -> bytes:
        """The line that names the values; empty where there is none."""

    def recall(self, lines: Sequence[bytes]) -> None:
        """Learn what the beginning of the stream says of the lines to come; none of its rows is taken."""

    def read(self, lines: Sequence[Line]) -> None:
        """Lines without their ends, each at most `MAX_ROW_BYTES` long."""


class TextReader:
    """Each line is a row of one text."""

    header = b""

    def __init__(self, spec: RowSpec, collector: RowCollector) -> None:
        self._collector = collector

    def recall(self, lines: Sequence[bytes]) -> None:
        """See `Reader`."""

    def read(self, lines: Sequence[Line]) -> None:
        """See `Reader`."""
        for number, line in lines:
            try:
                self._collector.take([line.decode().strip()], ["the text"], None, {})
            except UnicodeDecodeError:
                self._collector.reject(number, "is not UTF-8", line)
            except Unusable as why:
                self._collector.reject(number, str(why), line)


READERS: dict[str, Callable[[RowSpec, RowCollector], Reader]] = {
    "csv": CsvReader,
    "json": JsonReader,
    "text": TextReader,
}


class RowParser:
    """Reads the deliveries of one sensor. Called by one thread at a time."""

    def __init__(self, spec: RowSpec, headers: Mapping[str, bytes] | None = None) -> None:
        """No row was read yet.

        Args:
            spec: What is wanted of a row.
            headers: Lines by which devices named their values before this was made; see `headers`.
        """
        self._spec, self._headers = spec, headers or {}
        self._devices: OrderedDict[str, _Device] = OrderedDict()

    @property
    def headers(self) -> dict[str, bytes]:
        """By device, the line that names its values, for who reads on for another model: it does not come again."""
        known = ((origin, device.header) for origin, device in self._devices.items())
        return {**self._headers, **{origin: line for origin, line in known if line}}

    def parse(
        self, payload: bytes, *, at_s: float, origin: str = "", head: bytes = b""
    ) -> tuple[Rows, list[RejectedRow]]:
        """The rows of a delivery, and what of it is none; both may be empty.

        Args:
            payload: Whole lines, or one JSON value.
            at_s: When it arrived, in seconds since 1970.
            origin: Which device it came from.
            head: See `Delivery`.
        """
        device = self._devices.get(origin)
        if device is None:
            device = self._devices[origin] = _Device(self._spec, head or self._headers.get(origin, b""))
            if len(self._devices) > MAX_ORIGINS:
                self._devices.popitem(last=False)
        self._devices.move_to_end(origin)
        return device.parse(payload, at_s)


class _Device:
    def __init__(self, spec: RowSpec, head: bytes) -> None:
        self._collector = RowCollector(spec)
        self._reader: Reader = READERS[spec.format](spec, self._collector)
        self._lines = 0
        if head:
            lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n")
            self._reader.recall([line.removesuffix(b"\r") for line in lines])

    @property
    def header(self) -> bytes:
        return self._reader.header

    def parse(self, payload: bytes, at_s: float) -> tuple[Rows, list[RejectedRow]]:
        self._collector.begin(at_s)
        lines = payload.removeprefix(BYTE_ORDER_MARK).removesuffix(b"\n").split(b"\n")
        first = self._lines + 1
        self._lines += len(lines)
        numbered = [(n, line.removesuffix(b"\r")) for n, line in enumerate(lines, first)]
        self._reader.read(numbered if len(payload) <= MAX_ROW_BYTES else self._short(numbered))
        rows, rejected = self._collector.collected()
        return rows, sorted(rejected, key=lambda row: row.line)

    def _short(self, lines: Sequence[Line]) -> list[Line]:
        short: list[Line] = []
        for number, line in lines:
            if len(line) <= MAX_ROW_BYTES:
                short.append((number, line))
            else:
                reason = f"is {len(line):,} bytes long; a row has at most {MAX_ROW_BYTES:,}"
                self._collector.reject(number, reason, line)
        return short
