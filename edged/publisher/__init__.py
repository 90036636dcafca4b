"""Results to messages in the outbox, as often as each source's ``publish`` says: of cameras, and of sensors."""

from typing import TYPE_CHECKING, Any

from edged.publisher.events import EventPublisher
from edged.publisher.frames import Publisher, Sight
from edged.publisher.sender import Sender

if TYPE_CHECKING:
    from edged.publisher.rows import RowPublisher, tells_anomalies

__all__ = ["EventPublisher", "Publisher", "RowPublisher", "Sender", "Sight", "tells_anomalies"]


def __getattr__(name: str) -> Any:
    """What sensors need, when it is asked for: a daemon without any starts without it."""
    if name in {"RowPublisher", "tells_anomalies"}:
        from edged.publisher import rows  # noqa: PLC0415

        return getattr(rows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
