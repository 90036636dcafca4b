"""A sensor that the Linux kernel reads itself: accelerometers, gyroscopes, converters of Industrial I/O (IIO).

    /sys/bus/iio/devices/iio:device0/     name, what is measured, how, and the switch      → set up when opened
    /dev/iio:device0                      records, when the buffer is on                   → a CSV line for each

Values are in the unit of the kernel's documentation; a time stamp is in seconds. Options of the address: ``channels``
(default: all), ``rate`` in Hz, ``trigger`` by its name, ``length`` of the buffer in records, and for containers and
tests ``sysfs`` and ``dev``, the folders to use instead of the two above. Setting up needs the right to write to sysfs.
"""

import errno
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from edged.errors import BadInput, ConfigurationError, EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.rows import Delivery
from edged.sources.iiochannels import Channel, csv_lines, laid_out, parsed
from edged.sources.lines import arrived
from edged.sources.sensoraddress import SensorAddress
from edged.sources.waker import Waker

SYSFS, DEV = "/sys/bus/iio/devices", "/dev"
DEFAULT_LENGTH = 1024
"""Records that the kernel keeps while we are busy."""
READ_BYTES = 64 * 1024
WRITE_REMEDY = "let this user write there: a udev rule with GROUP and MODE, see docs"


class IioDevice:
    """One device with a buffer; see `edged.sources.rowsource.RowSource`. It overflows while nobody reads."""

    patient = False
    dropped = 0
    format: Literal["csv"] = "csv"
    ended = False

    def __init__(self, address: SensorAddress) -> None:
        """Nothing is looked up yet.

        Raises:
            ConfigurationError: An option has a value that is not allowed.
        """
        self._address, self._wanted = address, address.target
        self._sysfs = Path(address.options.get("sysfs") or SYSFS)
        self._dev = Path(address.options.get("dev") or DEV)
        self._length = address.whole_number("length", DEFAULT_LENGTH)
        self._rate = address.options.get("rate", "")
        if self._rate and not re.fullmatch(r"\d{1,7}(\.\d{1,6})?", self._rate):
            raise address.bad_option("rate", "a number of Hz")
        self._chosen = [
            name.strip() for name in address.options.get("channels", "").split(",") if name.strip()
        ]
        self._folder: Path | None = None  # of the device whose buffer we switched on
        self._device = -1
        self._waker: Waker | None = None
        self._channels: list[Channel] = []
        self._record_bytes = 1
        self._partial = b""
        self._begun = False

    def open(self) -> None:
        """See `RowSource.open`."""
        self.close()
        try:
            self._open(self._found())
        except EdgedError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise SourceLost(
                f"iio:{self._wanted}", f"cannot be set up ({error.strerror})", "it is tried again"
            ) from error

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`. The first line after each opening names the columns."""
        end_s = time.monotonic() + timeout_s
        while self._waker is not None and self._waker.wait(self._device, end_s - time.monotonic()):
            records = self._partial + self._piece()
            whole = len(records) // self._record_bytes * self._record_bytes
            self._partial = records[whole:]
            if whole:
                return [
                    arrived(self._header() + csv_lines(records[:whole], self._record_bytes, self._channels))
                ]
        return []

    def close(self) -> None:
        """See `RowSource.close`. Switches the buffer off."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()
        if self._device >= 0:
            os.close(self._device)
            self._device = -1
        folder, self._folder = self._folder, None
        if folder is not None:
            with suppress(OSError):  # unplugged: it is off
                (folder / "buffer" / "enable").write_text("0")

    def wake(self) -> None:
        """See `RowSource.wake`."""
        waker = self._waker
        if waker is not None:
            waker.wake()

    def _open(self, folder: Path) -> None:
        self._device = self._opened(self._dev / folder.name)  # first: it fails where another program has it
        self._channels, self._record_bytes = laid_out(self._set_up(folder))
        self._folder = folder
        self._switch_on(folder)
        self._waker, self._partial, self._begun = Waker(), b"", False

    def _found(self) -> Path:
        """The device's folder in sysfs, by its number or its name."""
        wanted = self._wanted
        named = {
            folder: _said(folder / "name")
            for folder in sorted(self._sysfs.glob("iio:device*"))
            if (folder / "name").exists()
        }
        for folder, name in named.items():
            if wanted in {name, folder.name, folder.name.removeprefix("iio:")}:
                return folder
        there = ", ".join(f"{folder.name.removeprefix('iio:')} ({name})" for folder, name in named.items())
        problem = f"no such device; there are {there}" if there else f"no such device, {self._sysfs} has none"
        raise InputNotFound(f"iio:{wanted}", problem, "is its driver loaded? see: ls /sys/bus/iio/devices")

    def _set_up(self, folder: Path) -> list[Channel]:
        """Switch the buffer off, choose channels, rate and trigger.

        Returns:
            The channels, as the device describes them.
        """
        elements = folder / "scan_elements"
        names = sorted(file.name.removesuffix("_en") for file in elements.glob("in_*_en"))
        if not names:
            problem = "has no buffer: its driver gives single values only"
            raise BadInput(f"iio:{self._wanted}", problem, "write its values to a FIFO or to MQTT instead")
        chosen = self._chosen or [name.removeprefix("in_") for name in names]
        unknown = [name for name in chosen if f"in_{name}" not in names]
        if unknown:
            allowed = ", ".join(name.removeprefix("in_") for name in names)
            raise ConfigurationError(
                self._address.key, f"the device has no channel {unknown[0]}", f"it has {allowed}"
            )
        self._write(folder / "buffer" / "enable", "0")
        for name in names:
            self._write(elements / f"{name}_en", "1" if name.removeprefix("in_") in chosen else "0")
        trigger = self._set_trigger(folder) if "trigger" in self._address.options else None
        if self._rate:
            self._set_rate(folder, trigger)
        return [self._channel(folder, name) for name in chosen]

    def _channel(self, folder: Path, name: str) -> Channel:
        elements = folder / "scan_elements" / f"in_{name}"
        try:
            channel = parsed(name, _said(Path(f"{elements}_index")), _said(Path(f"{elements}_type")))
            scale, offset = _shared(folder, name, "scale", 1.0), _shared(folder, name, "offset", 0.0)
        except (OSError, ValueError) as error:
            raise BadInput(
                f"iio:{self._wanted}", f"cannot be understood: {error}", "leave it out of channels"
            ) from error
        return replace(channel, scale=scale, offset=offset)

    def _set_trigger(self, folder: Path) -> Path:
        """Have a trigger say when to measure; its folder."""
        wanted = self._address.options["trigger"]
        triggers = {
            _said(one / "name"): one for one in self._sysfs.glob("trigger*") if (one / "name").exists()
        }
        if wanted not in triggers:
            raise self._address.bad_option(
                "trigger", " or ".join(sorted(triggers)) or "not to be had: there is none"
            )
        self._write(folder / "trigger" / "current_trigger", wanted)
        return triggers[wanted]

    def _set_rate(self, folder: Path, trigger: Path | None) -> None:
        """Where it can be set: for the device, for kinds of its channels, or for its trigger."""
        places = [folder / "sampling_frequency", *sorted(folder.glob("in_*_sampling_frequency"))]
        places += [trigger / "sampling_frequency"] if trigger else []
        places = [place for place in places if place.exists()]
        if not places:
            raise ConfigurationError(
                self._address.key, "the device has no rate that can be set", "leave out rate"
            )
        for place in places:
            self._write(place, self._rate, lambda: self._rate_refused(folder))

    def _rate_refused(self, folder: Path) -> ConfigurationError:
        offered = [_said(file) for file in sorted(folder.glob("*sampling_frequency_available"))]
        allowed = f"one of {offered[0]}" if offered else "a rate that its driver knows"
        return self._address.bad_option("rate", allowed)

    def _switch_on(self, folder: Path) -> None:
        self._write(folder / "buffer" / "length", str(self._length))
        self._write(folder / "buffer" / "enable", "1", self._no_trigger)

    def _no_trigger(self) -> ConfigurationError:
        triggers = sorted(
            _said(one / "name") for one in self._sysfs.glob("trigger*") if (one / "name").exists()
        )
        remedy = (
            f"add trigger= {' or '.join(triggers)}" if triggers else "make a trigger and add trigger=NAME"
        )
        return ConfigurationError(self._address.key, "the device does not start by itself", remedy)

    def _write(self, path: Path, text: str, refused: Callable[[], EdgedError] | None = None) -> None:
        """Set something. ``refused`` makes the error for a value that the driver does not take."""
        try:
            path.write_text(text)
        except PermissionError as error:
            raise NotAllowed(str(path), "may not be written by this user", WRITE_REMEDY) from error
        except OSError as error:
            if error.errno == errno.EINVAL and refused is not None:
                raise refused() from error
            problem = f"cannot be set to {text} ({error.strerror})"
            raise SourceLost(str(path), problem, "does another program use the device?") from error

    def _opened(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise InputNotFound(str(path), "no such device", "is it passed into this container?") from error
        except PermissionError as error:
            remedy = "let this user read it: a udev rule with GROUP and MODE, see docs"
            raise NotAllowed(str(path), "may not be opened by this user", remedy) from error
        except OSError as error:
            problem = f"cannot be opened ({error.strerror})"
            raise SourceLost(str(path), problem, "does another program use it?") from error

    def _piece(self) -> bytes:
        try:
            piece = os.read(self._device, max(READ_BYTES, self._record_bytes))
        except BlockingIOError:
            return b""
        except OSError as error:
            raise SourceLost(
                f"iio:{self._wanted}", f"cannot be read ({error.strerror})", "it is opened again"
            ) from error
        if not piece:
            raise SourceLost(f"iio:{self._wanted}", "went away", "it is opened again")
        return piece

    def _header(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return ",".join(column for channel in self._channels for column in channel.columns).encode() + b"\n"


def _shared(folder: Path, name: str, what: str, default: float) -> float:
    """A channel's own number, or the one it shares with its kind: of ``accel_x`` in ``in_accel_scale``."""
    kind = re.match(r"[a-z]+", name)
    without_numbers = re.sub(r"\d+", "", name)
    for candidate in (name, without_numbers, kind[0] if kind else name):
        with suppress(FileNotFoundError):
            return float(_said(folder / f"in_{candidate}_{what}"))
    return default


def _said(path: Path) -> str:
    return path.read_text(errors="replace").strip()
