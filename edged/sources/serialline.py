"""Lines that a device writes on a serial port: USB adapters, microcontrollers, weighing scales.

The port is spoken to with pyserial, which is an extra. What was under way when it was opened is half a line and is
dropped. A device that is unplugged is lost, and opened again when it is back.
"""

import errno
import os
import time
from typing import TYPE_CHECKING

from edged.errors import ConfigurationError, EdgedError, InputNotFound, NotAllowed, RuntimeMissing, SourceLost
from edged.rows import Delivery
from edged.sources.lines import BLOCK_BYTES, Lines, arrived
from edged.sources.sensoraddress import SensorAddress
from edged.sources.waker import Waker

if TYPE_CHECKING:
    import serial

DEFAULT_BAUD = 115200
BYTE_SIZES = {str(bits): bits for bits in (8, 7, 6, 5)}
PARITIES = {"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"} | {
    letter: letter for letter in "NEOMS"
}
STOP_BITS = {"1": 1.0, "1.5": 1.5, "2": 2.0}


class SerialLine:
    """One serial port; see `edged.sources.rowsource.RowSource`. It overflows while nobody reads."""

    patient = False
    dropped = 0
    format: None = None
    ended = False

    def __init__(self, address: SensorAddress) -> None:
        """Nothing is opened yet.

        Raises:
            ConfigurationError: An option has a value that is not allowed.
        """
        self._address, self._device = address, address.target
        self._baud = address.whole_number("baud", DEFAULT_BAUD)
        self._byte_size = int(address.one_of("bytesize", BYTE_SIZES, "8"))
        self._parity = str(address.one_of("parity", PARITIES, "none"))
        self._stop_bits = float(address.one_of("stopbits", STOP_BITS, "1"))
        self._port: serial.Serial | None = None
        self._waker: Waker | None = None
        self._lines = Lines(inside=True)

    def open(self) -> None:
        """See `RowSource.open`."""
        self.close()
        self._port = self._opened()
        self._waker = Waker()
        self._lines = Lines(inside=True)

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        end_s = time.monotonic() + timeout_s
        while self._port is not None and self._waker is not None:
            if not self._waker.wait(self._port.fileno(), end_s - time.monotonic()):
                break
            whole = self._lines.cut(self._piece(self._port))
            if whole:
                return [arrived(whole)]
        return []

    def close(self) -> None:
        """See `RowSource.close`."""
        waker, self._waker = self._waker, None
        port, self._port = self._port, None
        if waker is not None:
            waker.close()
        if port is not None:
            port.close()

    def wake(self) -> None:
        """See `RowSource.wake`."""
        waker = self._waker
        if waker is not None:
            waker.wake()

    def _opened(self) -> "serial.Serial":
        try:
            import serial  # noqa: PLC0415  # an extra: only who has a serial line needs it
        except ImportError as error:
            remedy = "install it: pip install 'edged[serial]'"
            raise RuntimeMissing(
                self._device, "pyserial, which reads serial lines, is missing", remedy
            ) from error
        try:
            return serial.Serial(
                self._device,
                self._baud,
                self._byte_size,
                self._parity,
                self._stop_bits,
                timeout=0,
                exclusive=True,
            )
        except ValueError as error:
            problem = f"{self._device} does not do {self._baud} baud"
            raise ConfigurationError(self._address.key, problem, "set what the device writes with") from error
        except OSError as error:
            raise self._cannot_open(error) from error

    def _cannot_open(self, error: OSError) -> EdgedError:
        match error.errno:
            case errno.ENOENT | errno.ENODEV | errno.ENXIO:
                remedy = "is it plugged in? see: ls /dev/serial/by-id"
                return InputNotFound(self._device, "no such device", remedy)
            case errno.EACCES | errno.EPERM:
                remedy = "add the user to the group dialout"
                return NotAllowed(self._device, "may not be opened by this user", remedy)
            case errno.EWOULDBLOCK | errno.EBUSY:
                return SourceLost(self._device, "is used by another program", "end that one")
            case number:
                reason = os.strerror(number) if number else "not a serial port"
                return SourceLost(self._device, f"cannot be opened ({reason})", "is it a serial port?")

    def _piece(self, port: "serial.Serial") -> bytes:
        try:
            return port.read(BLOCK_BYTES)
        except OSError as error:
            raise SourceLost(
                self._device, "was unplugged, or does not answer", "it is opened again"
            ) from error
