"""The world around a row source in tests: what writes to it, and who collects what comes out."""

import os
import threading
import time
import tty
from collections.abc import Callable, Iterable
from pathlib import Path

from edged.rows import Delivery
from edged.sources.iio import IioDevice
from edged.sources.pathrows import PathRows
from edged.sources.pipes import Fifo, StandardInput
from edged.sources.positions import Positions
from edged.sources.posted import PostedRows
from edged.sources.rowsource import RowSource
from edged.sources.sensoraddress import sensor_address
from edged.sources.serialline import SerialLine
from edged.sources.tailfile import TailFile


def collected(source: RowSource, lines: int, seconds: float = 10.0) -> list[Delivery]:
    """Deliveries until so many lines came."""
    taken: list[Delivery] = []
    end_s = time.monotonic() + seconds
    while sum(delivery.payload.count(b"\n") for delivery in taken) < lines:
        if time.monotonic() > end_s:
            raise AssertionError(f"{lines} lines did not come: {[one.payload[:80] for one in taken]}")
        taken += source.read(0.5)
    return taken


def to_the_end(source: RowSource, seconds: float = 10.0) -> list[Delivery]:
    """All deliveries of a source that ends."""
    taken: list[Delivery] = []
    end_s = time.monotonic() + seconds
    while not source.ended:
        assert time.monotonic() < end_s, "it does not end"
        taken += source.read(0.5)
    return taken


def text(deliveries: Iterable[Delivery]) -> bytes:
    """What they say together."""
    return b"".join(delivery.payload for delivery in deliveries)


def settle(deliveries: Iterable[Delivery]) -> None:
    """Let go of them, as one does whose results are safe."""
    for delivery in deliveries:
        if delivery.receipt is not None:
            delivery.receipt.let_go()


class Pseudoterminal:
    """A serial port whose other end is ours. Its name is a link, so that another one can be plugged in."""

    def __init__(self, link: Path) -> None:
        self.link, self.master, self._slave = link, -1, -1

    def plug_in(self) -> None:
        """Have a new device stand behind the name."""
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Take it away, name and all."""
        if self.master >= 0:
            self.link.unlink()
            os.close(self.master)
            os.close(self._slave)
            self.master = -1


class Stream:
    """A source of lines and what writes to it; one of each kind is made by `streams`."""

    def __init__(self, source: RowSource, write: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self.source, self.write, self.end = source, write, end

    def write_in_pieces(self, content: bytes, piece_bytes: int) -> threading.Thread:
        """Have another thread write it in pieces that end anywhere."""

        def write() -> None:
            for begin in range(0, len(content), piece_bytes):
                self.write(content[begin : begin + piece_bytes])

        thread = threading.Thread(target=write, name="writer", daemon=True)
        thread.start()
        return thread


def _file(folder: Path) -> Stream:
    path = folder / "rows.csv"
    path.touch()
    file = path.open("ab", buffering=0)
    source = PathRows(str(path), name="pump", once=False, positions=Positions(None))
    source.open()
    return Stream(source, file.write, file.close)  # type: ignore[arg-type]


def _fifo(folder: Path) -> Stream:
    path = folder / "fifo"
    os.mkfifo(path)
    source = PathRows(str(path), name="pump", once=False, positions=Positions(None))
    source.open()
    writer = os.open(path, os.O_WRONLY)
    return Stream(source, lambda content: write_all(writer, content), lambda: os.close(writer))


def _stdin(folder: Path) -> Stream:
    reader, writer = os.pipe()

    def end() -> None:
        os.close(writer)
        os.close(reader)

    source = StandardInput(reader)
    source.open()
    return Stream(source, lambda content: write_all(writer, content), end)


def _serial(folder: Path) -> Stream:
    port = Pseudoterminal(folder / "ttyUSB0")
    port.plug_in()
    source = SerialLine(sensor_address(f"serial:{port.link}"))
    source.open()
    write_all(port.master, b"half a line\n")
    return Stream(source, lambda content: write_all(port.master, content), port.unplug)


STREAMS: dict[str, Callable[[Path], Stream]] = {
    "file": _file,
    "fifo": _fifo,
    "stdin": _stdin,
    "serial": _serial,
}
"""Makes an open source of each kind that is a stream of bytes."""


def write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def idle_source(kind: str, folder: Path) -> RowSource:
    """A source of any kind to which nobody writes, not open."""
    match kind:
        case "file":
            (folder / "idle.csv").touch()
            return TailFile(folder / "idle.csv")
        case "fifo":
            os.mkfifo(folder / "idle")
            return Fifo(folder / "idle")
        case "stdin":
            reader, _ = os.pipe()
            return StandardInput(reader)
        case "serial":
            port = Pseudoterminal(folder / "ttyUSB0")
            port.plug_in()
            return SerialLine(sensor_address(f"serial:{port.link}"))
        case "iio":
            device = rendered_iio(folder, {"accel_x": (0, "le:s16/16>>0")})
            return IioDevice(sensor_address(device.url))
        case _:
            return PostedRows()


IDLE = ("file", "fifo", "stdin", "serial", "iio", "posted")


class RenderedIio:
    """Folders as the kernel shows them for one IIO device, and a FIFO where its records are read."""

    def __init__(self, folder: Path) -> None:
        self.sysfs, self.dev = folder / "sys", folder / "dev"
        self.folder, self.records = self.sysfs / "iio:device0", self.dev / "iio:device0"
        self.url = f"iio:adxl345?sysfs={self.sysfs}&dev={self.dev}"

    def says(self, path: str) -> str:
        return (self.folder / path).read_text()

    def tell(self, path: str, content: object) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")


def rendered_iio(folder: Path, channels: dict[str, tuple[int, str]], name: str = "adxl345") -> RenderedIio:
    """A device with these channels: by name their index and type."""
    device = RenderedIio(folder)
    device.tell("name", name)
    device.tell("buffer/enable", 0)
    device.tell("buffer/length", 2)
    for channel, (index, kind) in channels.items():
        device.tell(f"scan_elements/in_{channel}_en", 0)
        device.tell(f"scan_elements/in_{channel}_index", index)
        device.tell(f"scan_elements/in_{channel}_type", kind)
    device.dev.mkdir(exist_ok=True)
    os.mkfifo(device.records)
    return device
