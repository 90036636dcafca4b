"""Where rows come from: what every such source can do, and which one an address asks for."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from edged.errors import ConfigurationError
from edged.rows import Delivery
from edged.sources.iio import IioDevice
from edged.sources.pathrows import PathRows
from edged.sources.pipes import StandardInput
from edged.sources.positions import Positions
from edged.sources.sensoraddress import SensorAddress
from edged.sources.serialline import SerialLine


class RowSource(Protocol):
    """Where rows come from. Opened, read and closed by the sensor's thread alone; `wake` may be called by any.

    It is opened again after it broke, or was switched off. Lines come whole and in order; of one that is too long
    only the beginning comes.
    """

    @property
    def patient(self) -> bool:
        """Whether rows are kept for us while nobody reads. A device overflows; and silent, it may have died."""

    @property
    def dropped(self) -> int:
        """Deliveries since it was made that had to make room for newer ones, of a source that does not wait."""

    @property
    def format(self) -> Literal["csv", "json", "text"] | None:
        """The format its rows are in whatever is configured; None where it depends on who writes them."""

    @property
    def ended(self) -> bool:
        """Whether all was read and nothing will ever come again."""

    def open(self) -> None:
        """Begin, or go on where it was left.

        Raises:
            InputNotFound: It is not there, or not yet.
            SourceLost: It is, and does not work now.
            NotAllowed: This user may not.
            BadInput: It is not what it should be.
            RuntimeMissing: A package is missing.
            ConfigurationError: It cannot do what the address asks for.
        """

    def read(self, timeout_s: float) -> list[Delivery]:
        """What came. Waits ``timeout_s`` for it at most; empty where nothing did, it was woken, or it has ended.

        Raises:
            EdgedError: It broke; it is to be closed, and may be opened again.
        """

    def close(self) -> None:
        """Let go of it; also where it is not open."""

    def wake(self) -> None:
        """End the present `read`, or the next one."""


def row_source(
    address: SensorAddress,
    *,
    name: str,
    once: bool,
    positions: Positions,
    extra: Mapping[str, Callable[[SensorAddress], RowSource]],
) -> RowSource:
    """The source that ``address`` asks for, not open yet.

    Args:
        address: See `sensor_address`.
        name: Of the sensor: what a file was read up to is kept under it.
        once: Read it once to its end.
        positions: Where it is kept up to where a followed file was read.
        extra: Makes those of kinds that are not built here: ``mqtt``, ``http``.

    Raises:
        ConfigurationError: An option has a value that is not allowed, or nobody makes such a source.
    """
    if address.kind in extra:
        return extra[address.kind](address)
    match address.kind:
        case "stdin":
            return StandardInput()
        case "serial":
            return SerialLine(address)
        case "iio":
            return IioDevice(address)
        case "path":
            return PathRows(address.target, name=name, once=once, positions=positions)
        case kind:
            raise ConfigurationError(address.key, f"{kind}: cannot be read here", "name a file or - instead")
