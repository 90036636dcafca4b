"""Somebody who sends commands to the device `box` over MQTT 5 and hears the answers."""

import json
import queue
from typing import Any

import paho.mqtt.client as paho
from mosquitto_broker import Mosquitto
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Operator:
    """A context manager; answers are told apart by their correlation data."""

    def __init__(self, broker: Mosquitto) -> None:
        self._sent = 0
        self._early: dict[bytes, dict[str, Any]] = {}
        self._answers: queue.SimpleQueue[tuple[bytes, dict[str, Any]]] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._hear
        self._client.connect("localhost", broker.port)
        self._client.subscribe("me/answers", qos=1)
        self._client.loop_start()

    def __enter__(self) -> "Operator":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        correlation = getattr(message.properties, "CorrelationData", b"")
        self._answers.put((correlation, json.loads(message.payload)))

    def send(self, verb: str, **arguments: Any) -> bytes:
        """Send a command; what its answer carries."""
        self._sent += 1
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "me/answers"
        properties.CorrelationData = b"%d" % self._sent
        payload = json.dumps(arguments).encode()
        self._client.publish(f"edged/box/cmd/{verb}", payload, qos=1, properties=properties)
        return b"%d" % self._sent

    def answer(self, correlation: bytes, within_s: float = 20.0) -> dict[str, Any]:
        """The answer to a command."""
        while correlation not in self._early:
            heard, answer = self._answers.get(timeout=within_s)
            self._early[heard] = answer
        return self._early.pop(correlation)

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        return self.answer(self.send(verb, **arguments))
