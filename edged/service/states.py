"""What a device says of itself, over whichever link there is: info, states, counts, health, pictures."""

import threading
from collections.abc import Callable
from pathlib import Path

from edged.lifecycle import ServedModel
from edged.mqtt.homeassistant import discovery_topic
from edged.mqtt.link import LinkState
from edged.mqtt.topics import Topics
from edged.outbox import Outbox, Rank
from edged.service.announcing import Announcer
from edged.service.broker import topics_of
from edged.service.counting import Counts
from edged.service.device import Device
from edged.service.homeassistant import HomeAssistant
from edged.service.posts import CameraPost
from edged.service.report import Health, info, sample
from edged.service.sensor_posts import SensorPost
from edged.sources.camera import SourceStatus


class StatePublisher:
    """Publishes it. Any thread may have a model or a camera published; the rest belongs to the main thread.

    Attributes:
        reports: Of health, with the last errors.
    """

    def __init__(self, device: Device, outbox: Outbox, counts: Counts, state: Path | None) -> None:
        """Nothing is said yet.

        Args:
            device: What is spoken of.
            outbox: Takes ``health``.
            counts: Of what is in the pictures.
            state: The folder of this instance; None = Home Assistant is told nothing.
        """
        self._device, self._outbox, self._counts = device, outbox, counts
        self.reports, self._lock = Health(), threading.Lock()
        announcer = Announcer(state, self._set) if state else None
        self.homeassistant = HomeAssistant(announcer, counts, self._repeat) if announcer else None

    @property
    def _topics(self) -> Topics:
        return topics_of(self._device.settings())

    def everything(self) -> None:
        """To a link that was told nothing yet."""
        for model in self._device.models().values():
            self.model(model)
        for post in self._device.cameras():
            self.camera(post)
        for sensor in self._device.sensors():
            self.sensor(sensor)
        self.info()
        self.counts(anew=True)

    def info(self) -> None:
        """What the device is and runs."""
        device = self._device
        message = info(
            device.settings().device,
            [post.name for post in device.cameras()],
            [post.name for post in device.sensors()],
            list(device.models().values()),
            device.started_at_s,
            before=device.previous_end,
        )
        self._set(self._topics.info, message.payload())

    def model(self, model: ServedModel) -> None:
        """Which version of a model serves."""
        if model.error:
            self.remember(str(model.error))
        self._set(self._topics.model_state(model.name), model.state(self._device.settings().device).payload())
        if len(self._device.cameras()) + len(self._device.sensors()):
            self.info()  # what really runs a model may have changed with its process

    def camera(self, post: CameraPost) -> None:
        """Whether a camera delivers."""
        with self._lock:  # the camera's thread and one that switches it must not overtake each other
            if post in self._device.cameras():
                state = post.state(self._device.settings().device)
                self._set(self._topics.camera_state(post.name), state.payload())

    def sensor(self, post: SensorPost) -> None:
        """Whether a sensor delivers."""
        with self._lock:
            if post in self._device.sensors():
                state = post.state(self._device.settings().device)
                self._set(self._topics.sensor_state(post.name), state.payload())

    def sensors(self) -> None:
        """Of sensors with rejected or dropped rows, or an alarm that came or went, since this was called last."""
        for post in self._device.sensors():
            if post.has_news():
                self.sensor(post)

    def counts(self, *, anew: bool = False) -> None:
        """How many of what are in the pictures, and to Home Assistant that this can be asked.

        Args:
            anew: This link was told nothing yet.
        """
        device = self._device
        for post in device.cameras():
            if post.camera.state.status is not SourceStatus.ONLINE:
                self._counts.sees_nothing(post.name)
        if self.homeassistant:
            self.homeassistant.tell(device.settings(), self._topics, device.models(), anew=anew)
        for camera, label, count in self._counts.news(again=anew):
            self._set(self._topics.count(camera, label), str(count).encode())

    def snapshot(self, camera: str, picture: bytes) -> None:
        """A picture of a camera, if somebody can hear it now."""
        self._device.link().publish(self._topics.snapshot(camera), picture)

    def health(self) -> None:
        """How the device is doing."""
        device = self._device
        message = self.reports.report(device.settings().device, sample(device, self._outbox))
        for post in device.sensors():
            self.sensor(post)  # how many rows it has read is no news, and shall not be old
        self._outbox.append(self._topics.health, message.payload(), qos=0, rank=Rank.TELEMETRY)

    def remember(self, error: str) -> None:
        """Keep an error for the reports of health."""
        self.reports.remember(error)

    def link_changed(self, state: LinkState) -> None:
        """The broker came, or went."""
        if state.why:
            self.remember(f"broker: {state.why}")

    def take_back_model(self, name: str) -> None:
        """A model is not used any more."""
        self._device.link().clear_state(self._topics.model_state(name))

    def take_back_camera(self, name: str) -> None:
        """A camera is gone."""
        with self._lock:
            link, topics = self._device.link(), self._topics
            link.clear_state(topics.camera_state(name))
            for label in self._counts.forget(name):
                link.clear_state(topics.count(name, label))

    def take_back_sensor(self, name: str) -> None:
        """A sensor is gone."""
        with self._lock:
            self._device.link().clear_state(self._topics.sensor_state(name))

    def move(self, switch: Callable[[], None], *, take_back: bool) -> None:
        """Go over to another link, or other names.

        Args:
            switch: Puts the other link and settings in force; nothing of a camera is said meanwhile.
            take_back: Have the broker of now forget what was said.
        """
        device = self._device
        with self._lock:
            if take_back:
                link, topics = device.link(), self._topics
                for topic in (
                    topics.info,
                    *(topics.camera_state(post.name) for post in device.cameras()),
                    *(topics.sensor_state(post.name) for post in device.sensors()),
                    *map(topics.model_state, device.models()),
                    *(
                        topics.count(post.name, label)
                        for post in device.cameras()
                        for label in self._counts.labels(post.name)
                    ),
                    *([discovery_topic(topics)] if device.settings().mqtt.homeassistant else []),
                ):
                    link.clear_state(topic)
            switch()

    def _set(self, topic: str, payload: bytes) -> None:
        self._device.link().set_state(topic, payload)

    def _repeat(self, topic: str) -> None:
        self._device.link().repeat_state(topic)
