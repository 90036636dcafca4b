"""What a device says of itself, over whichever link there is: info, states, counts, health, pictures."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edged.errors import ModelAwaited
from edged.lifecycle import ServedModel
from edged.mqtt.homeassistant import discovery_topic
from edged.mqtt.link import LinkState
from edged.mqtt.topics import Topics
from edged.outbox import Outbox, Rank
from edged.sections import CameraSettings
from edged.service.announcing import Announcer
from edged.service.broker import topics_of
from edged.service.counting import Counts, Key
from edged.service.device import Device
from edged.service.homeassistant import HomeAssistant
from edged.service.kept_pictures import KeptPictures
from edged.service.motion_states import MotionStates
from edged.service.posts import CameraPost
from edged.service.report import Health, info, sample

if TYPE_CHECKING:
    from edged.service.sensor_posts import SensorPost


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
        self._motion, self._motion_said = MotionStates(), dict[str, str]()
        self._looks = True
        self._pictures = KeptPictures(
            state,
            lambda: device.settings().cameras,
            self._set,
            lambda topic: device.link().clear_state(topic),
        )
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
        self._pictures.review(root=self._topics.root)
        self.counts(anew=True)
        self.motion(time.monotonic(), anew=True)

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
            updates=device.settings().updates,
        )
        self._set(self._topics.info, message.payload())

    def model(self, model: ServedModel) -> None:
        """Which version of a model serves."""
        if model.error and not isinstance(model.error, ModelAwaited):
            self.remember(str(model.error))
        self._set(self._topics.model_state(model.name), self._device.model_state(model).payload())
        if len(self._device.cameras()) + len(self._device.sensors()):
            self.info()  # what really runs a model may have changed with its process

    def update(self, model: ServedModel) -> None:
        """How far the update of a model is."""
        self._set(self._topics.model_state(model.name), self._device.model_state(model).payload())

    def camera(self, post: CameraPost) -> None:
        """Whether a camera delivers."""
        with self._lock:  # the camera's thread and one that switches it must not overtake each other
            if post in self._device.cameras():
                state = post.state(self._device.settings().device)
                self._set(self._topics.camera_state(post.name), state.payload())

    def sensor(self, post: "SensorPost") -> None:
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
        if self.homeassistant:
            self.homeassistant.tell(device.settings(), self._topics, device.models(), anew=anew)
        self.counted(anew=anew)

    def counted(self, *, anew: bool = False) -> None:
        """Counts that are other ones now; any thread may call.

        Args:
            anew: This link was told nothing yet.
        """
        with self._lock:  # of two threads with news of one count the later one speaks last
            for camera, key, count in self._counts.news(again=anew):
                self._set(_topic(self._topics, camera, key), str(count).encode())

    def not_counted(self, camera: str, keys: list[Key]) -> None:
        """Counts that will not be said any more."""
        with self._lock:
            for key in keys:
                self._device.link().clear_state(_topic(self._topics, camera, key))

    def motion(self, now_s: float, *, anew: bool = False) -> None:
        """Whether something moves, of each camera that can tell; belongs to the main thread.

        Args:
            now_s: On the monotonic clock.
            anew: This link was told nothing yet.
        """
        said = {} if anew else self._motion_said
        told: dict[str, str] = {}
        for post in self._device.cameras():
            moving = post.moving
            if moving is None:
                continue
            off_delay_s = post.section.motion.off_delay if self._looks else 0.0
            moving = moving and self._looks
            told[post.name] = self._motion.see(post.name, moving, now_s, off_delay_s=off_delay_s)
            if said.get(post.name) != told[post.name]:
                self._set(self._topics.motion(post.name), told[post.name].encode())
        for camera in self._motion_said.keys() - told.keys():
            self._device.link().clear_state(self._topics.motion(camera))
        self._motion.forget_all_but(told)
        self._motion_said = told

    def still(self, now_s: float) -> None:
        """Nobody looks at any camera any more: no motion is left standing; belongs to the main thread."""
        self._looks = False
        self.motion(now_s)

    def snapshot(self, camera: str, picture: bytes) -> None:
        """A picture of a camera, if somebody can hear it now."""
        self._device.link().publish(self._topics.snapshot(camera), picture)

    def keep_picture(self, camera: str, label: str, picture: bytes, section: CameraSettings) -> None:
        """The best picture of the newest object of a label, for who comes later."""
        with self._lock:  # not while it goes over to another link
            self._pictures.put(self._topics.best_view(camera, label), camera, label, picture, section)

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
            for key in self._counts.forget(name):
                link.clear_state(_topic(topics, name, key))

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
                        _topic(topics, post.name, key)
                        for post in device.cameras()
                        for key in self._counts.keys(post.name)
                    ),
                    *map(topics.motion, self._motion_said),
                    *self._pictures.topics,
                    *([discovery_topic(topics)] if device.settings().mqtt.homeassistant else []),
                ):
                    link.clear_state(topic)
            switch()

    def _set(self, topic: str, payload: bytes) -> None:
        self._device.link().set_state(topic, payload)

    def _repeat(self, topic: str) -> None:
        self._device.link().repeat_state(topic)


def _topic(topics: Topics, camera: str, key: Key) -> str:
    """Where a count is said."""
    if len(key) == 3:
        return topics.line_count(camera, *key)
    zone, label = key
    return topics.zone_count(camera, zone, label) if zone else topics.count(camera, label)
