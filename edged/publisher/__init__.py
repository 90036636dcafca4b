"""Results to messages in the outbox, as often as each source's ``publish`` says: of cameras, and of sensors."""

from edged.publisher.frames import Publisher
from edged.publisher.rows import RowPublisher, tells_anomalies
from edged.publisher.sender import Sender

__all__ = ["Publisher", "RowPublisher", "Sender", "tells_anomalies"]
