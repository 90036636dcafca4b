"""How the loops beside edged speak to the broker: paho as its documentation has it."""

import time
from typing import Any

import paho.mqtt.client as paho


def connected(port: int) -> paho.Client:
    """A client with a thread of its own."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def finish(client: paho.Client, last: Any) -> None:
    """Wait for the last message, then go."""
    if last is not None:
        last.wait_for_publish(10)
    time.sleep(0.2)
    client.disconnect()
    client.loop_stop()
