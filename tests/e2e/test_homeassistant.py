"""A daemon that announces itself, as Home Assistant and people see it: over a real broker, from outside."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clips
import paho.mqtt.client as paho
import pytest
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto
from paho.mqtt.enums import CallbackAPIVersion
from toy_models import toy_detector

Brokers = Callable[..., Mosquitto]
CONFIG = "homeassistant/device/edged--box/config"


@pytest.fixture
def broker(mosquitto: Brokers) -> Mosquitto:
    return mosquitto()


@pytest.fixture
def sender(broker: Mosquitto) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("localhost", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


class Box:
    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.config, self._broker = folder / "edged.toml", broker
        self._model = toy_detector(folder / "toy.onnx")
        self._clip = clips.counting_clip(folder / "clip.mkv", 100)

    def configure(self, *cameras: str, announced: bool = True) -> None:
        sections = {name: {"url": self._clip, "models": ["m"], "fps": 5} for name in cameras}
        write_config(self.config, self._broker.url, cameras=sections, models={"m": self._model})
        text = self.config.read_text()
        self.config.write_text(text.replace("[mqtt]", f"[mqtt]\nhomeassistant = {str(announced).lower()}"))

    def run(self) -> Daemon:
        return Daemon("-c", str(self.config))


@pytest.fixture
def box(tmp_path: Path, broker: Mosquitto) -> Box:
    return Box(tmp_path, broker)


def announced(listener: Listener) -> dict[str, Any]:
    """The components that were announced last."""
    payloads = listener.payloads(CONFIG)
    return json.loads(payloads[-1])["components"] if payloads and payloads[-1] else {}


def whole(listener: Listener, *cameras: str) -> bool:
    """Whether these cameras stand in the announcement with what was found in them."""
    return listener.wait_for(
        lambda: all(any("cat" in key and camera in key for key in announced(listener)) for camera in cameras),
        20,
    )


def test_each_entity_reads_topics_that_are_published_and_its_commands_do_what_they_say(
    box: Box, broker: Mosquitto, sender: paho.Client
) -> None:
    box.configure("front", "back")
    with Listener(broker) as listener, box.run() as daemon:
        assert whole(listener, "front", "back"), daemon.log
        components = announced(listener)
        read = {
            value
            for component in components.values()
            for key, value in component.items()
            if key in {"state_topic", "json_attributes_topic"}
        }
        expected = {topic for topic in read if not topic.endswith(("/health", "/snapshot"))}
        assert listener.wait_for(lambda: expected <= {message.topic for message in listener.messages}, 20)
        counts = [key for key in components if "cat" in key and "front" in key]
        topic = components[counts[0]]["state_topic"]
        assert listener.wait_for(lambda: listener.payloads(topic)[-1:] == [b"1"], 10)
        (switch,) = [one for key, one in components.items() if one["platform"] == "switch" and "front" in key]
        sender.publish(switch["command_topic"], switch["payload_off"], qos=1)
        state = "edged/box/camera/front/state"
        assert listener.wait_for(lambda: listener.objects(state)[-1]["state"] == "disabled", 10)
        assert listener.wait_for(lambda: listener.payloads(topic)[-1:] == [b"0"], 10)
        sender.publish(switch["command_topic"], switch["payload_on"], qos=1)
        assert listener.wait_for(lambda: listener.objects(state)[-1]["state"] == "online", 10)
        (button,) = [one for key, one in components.items() if one["platform"] == "button" and "front" in key]
        (picture,) = [one for key, one in components.items() if one["platform"] == "image" and "front" in key]
        sender.publish(button["command_topic"], button["payload_press"], qos=1)
        assert listener.wait_for(lambda: bool(listener.payloads(picture["image_topic"])), 10)
        assert listener.payloads(picture["image_topic"])[0].startswith(b"\xff\xd8")
        assert daemon.end() == 0


def test_home_assistant_that_starts_later_is_told_again_and_what_is_gone_is_removed(
    box: Box, broker: Mosquitto, sender: paho.Client
) -> None:
    box.configure("front", "back")
    with Listener(broker) as listener, box.run() as daemon:
        assert whole(listener, "front", "back"), daemon.log
        before = announced(listener)
        said = len(listener.payloads(CONFIG))
        sender.publish("homeassistant/status", "online", qos=1)
        assert listener.wait_for(lambda: len(listener.payloads(CONFIG)) > said, 10)
        box.configure("front")
        daemon.send(signal.SIGHUP)
        gone = {key for key in before if "back" in key}
        assert listener.wait_for(
            lambda: all(set(announced(listener).get(key, {})) == {"platform"} for key in gone), 20
        )
        assert len(gone) > 5
        count = next(before[key]["state_topic"] for key in gone if "cat" in key)
        assert listener.wait_for(lambda: listener.payloads(count)[-1:] == [b""], 10)
        assert daemon.end() == 0
    box.configure("front", announced=False)
    with Listener(broker) as listener, box.run() as daemon:
        assert listener.wait_for(lambda: listener.payloads(CONFIG)[-1:] == [b""], 20), daemon.log
        assert daemon.end() == 0


def test_nothing_is_announced_or_listened_to_unless_it_is_wanted(box: Box, broker: Mosquitto) -> None:
    box.configure("front", announced=False)
    with Listener(broker) as listener, box.run() as daemon:
        assert listener.wait_for(lambda: bool(listener.payloads("edged/box/camera/front/count/cat")), 20), (
            daemon.log
        )
        assert daemon.end() == 0
    assert not [message for message in listener.messages if message.topic.startswith("homeassistant/")]
    assert not [line for line in broker.log if "homeassistant" in line]
