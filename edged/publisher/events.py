"""Events of tracked objects to messages."""

import time
from collections.abc import Callable
from typing import Protocol

from edged.event import Event, Kind
from edged.mqtt.event_payloads import event_message
from edged.mqtt.payloads import ModelInfo
from edged.publisher.sender import Sender


class TakesEvents(Protocol):
    """Hands messages about events on, in order."""

    def put(self, kind: Kind, event_id: str, topic: str, payload: bytes, *, qos: int) -> None:
        """Take one; see `edged.service.open_events`."""


class EventPublisher:
    """Makes a message of each event. Called from the callers' threads."""

    def __init__(self, sender: Sender, outlet: TakesEvents, new_id: Callable[[], str]) -> None:
        """Nothing is told yet.

        Args:
            sender: Under which names.
            outlet: Takes the messages.
            new_id: Gives an id that was never given before.
        """
        self._sender, self._outlet = sender, outlet
        self.new_id = new_id

    def redirect(self, sender: Sender) -> None:
        """Use other names from now on."""
        self._sender = sender

    def tell(self, camera: str, model: ModelInfo, event: Event, at_s: float | None = None) -> None:
        """Say it.

        Args:
            camera: Its name.
            model: What has found the object.
            event: What happened.
            at_s: When, in seconds since 1970; None = now.
        """
        sender = self._sender
        payload = event_message(
            event,
            message_id=self.new_id(),
            device=sender.topics.device,
            camera=camera,
            at_s=time.time() if at_s is None else at_s,
            model=model,
        )
        self._outlet.put(event.kind, event.id, sender.topics.events(camera), payload, qos=sender.qos)
