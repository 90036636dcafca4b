"""A camera of the configuration at work: its thread, and a feed to each of its models."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edged import machine
from edged.frame import Frame
from edged.lifecycle import ServedModel
from edged.mqtt.payloads import ModelInfo, timestamp
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.pipeline import Feed, Pipeline, Result
from edged.publisher import Publisher, Sight
from edged.sections import CameraSettings
from edged.service.frame_totals import UNSERVED, FrameTotals, Latencies
from edged.service.looking import regions_for
from edged.service.overrides import NOTHING, CameraOverride
from edged.service.quota import Quota
from edged.service.source_totals import SourceTotals
from edged.sources.camera import Camera, SourceState, SourceStatus

if TYPE_CHECKING:
    from edged.service.following import Following


class CameraPost:
    """One camera with the feeds it fills.

    Attributes:
        name: As configured.
        section: As configured.
        override: What was switched of it by command.
        camera: What reads it.
        frames: What became of its frames.
        quota: Says how many messages it may send.
    """

    def __init__(
        self,
        name: str,
        section: CameraSettings,
        *,
        once: bool,
        publisher: Publisher,
        on_state: Callable[["CameraPost"], None],
        following: "Mapping[str, Following]",
        override: CameraOverride = NOTHING,
        frames: FrameTotals | None = None,
        quota: Quota | None = None,
    ) -> None:
        """Prepare the camera; `connect` it to its models, then start ``camera``.

        Args:
            name: As configured.
            section: As configured.
            once: Read to its end, every frame waiting for the models.
            publisher: Takes the results.
            on_state: Called from the camera's thread when `state` has changed.
            following: By model: follows what it finds.
            override: What was switched of it by command.
            frames: What the posts before it did under this name; None = there was none.
            quota: Says how many messages it may send; None = as many as there are.
        """
        self.name, self.section, self.override = name, section, override
        self.quota = quota or Quota()
        self._publisher, self._on_state, self._following = publisher, on_state, following
        self._lossless = once or section.realtime is False
        self._models = tuple(dict.fromkeys(section.models))
        self._feeds: dict[str, tuple[Pipeline, Feed]] = {}
        self._unserved: Counter[str] = Counter()
        self._thread_id, self._decode_cpu_s = 0, 0.0
        self.camera = Camera(
            name,
            section,
            once=once,
            deliver=self._deliver,
            on_state=self._state_changed,
            enabled=override.enabled,
        )
        self.frames = frames or FrameTotals(name)
        self.frames.begin(
            self.camera.statistics,
            models=self._models,
            more=self._counts,
            is_over=self.camera.finished.is_set,
        )

    @property
    def min_score(self) -> float | None:
        """In force: detections of a lower score are left out; None = all are kept."""
        switched = self.override.min_score
        return self.section.min_score if switched is None else switched

    @property
    def moving(self) -> bool | None:
        """Whether something moves: as its motion gate sees it, or as what is followed does; None = nobody looks."""
        online = self.camera.state.status is SourceStatus.ONLINE
        if self.section.motion.gate != "off":
            return online and self.camera.motion
        if not self.section.track.enabled:
            return None
        return online and any(one.moving for one in self._following.values())

    def adjust(self, section: CameraSettings) -> None:
        """Put a section in force that asks for no other connection (`edged.service.reloading.is_same_source`)."""
        self.section = section
        for one in self._following.values():
            one.under(section)

    def pass_time(self, now_s: float) -> None:
        """See to objects that no frame tells of; called now and then."""
        online = self.camera.state.status is SourceStatus.ONLINE
        for one in self._following.values():
            one.pass_time(now_s, online=online, enabled=self.override.enabled)

    def switch(self, override: CameraOverride) -> None:
        """Put what was switched by command in force."""
        self.override = override
        self.camera.switch(override.enabled)

    def connect(self, models: Mapping[str, ServedModel]) -> None:
        """Make a feed to each of its models that is served, instead of those it had."""
        self.disconnect()
        feeds = {}
        for name in self._models:
            model, latencies = models[name], Latencies()
            if model.frames is None:
                continue
            emit = self._publisher.emitter(
                self.name,
                lambda: self.section,
                model.info,
                partial(self._look, self._following[name]),
                self.quota.detections,
            )
            feed = Feed(
                source=self.name,
                emit=latencies.timed(emit),
                lossless=self._lossless,
                weight=self.section.weight,
                regions=regions_for(self.section),
            )
            if not self._lossless:
                feed.max_age_s = self.section.max_age
            self.frames.model(name).add(feed, latencies)
            model.frames.attach(feed)
            feeds[name] = (model.frames, feed)
        self._feeds = feeds

    def misses(self, models: Mapping[str, ServedModel]) -> bool:
        """Whether one of its models is served only since `connect`."""
        served = {model.frames for model in (models[name] for name in self.section.models) if model.frames}
        return served != {pipeline for pipeline, _ in self._feeds.values()}

    def disconnect(self) -> None:
        """Take its feeds away; the camera goes on, and frames in work are still published."""
        feeds, self._feeds = self._feeds, {}
        for pipeline, feed in feeds.values():
            pipeline.detach(feed)

    def _look(self, following: "Following", result: Result, info: ModelInfo) -> Sight:
        return following.look(result, info, self.min_score)

    def _deliver(self, frame: Frame) -> None:
        feeds = self._feeds  # as they are now; they are replaced, never changed
        for name in self._models:
            self._following[name].offered(frame)
            if name in feeds:
                pipeline, feed = feeds[name]
                pipeline.offer(feed, frame)
            else:
                self._unserved[name] += 1

    def _state_changed(self, _state: SourceState) -> None:
        self._thread_id = threading.get_native_id()
        self._on_state(self)

    def state(self, device: str) -> CameraStateMessage:
        """For ``camera/<name>/state``."""
        state = self.camera.state
        return CameraStateMessage(
            device=device,
            camera=self.name,
            state=state.status.value,
            why=state.why,
            width=state.width,
            height=state.height,
            fps=round(state.fps, 3) if state.fps else None,
            enabled=self.override.enabled,
            min_score=self.min_score,
            decoder=state.decoder or None,
            gate=state.gate or None,
            since=timestamp(state.since_s),
        )

    def totals(self) -> SourceTotals:
        """Of this camera since the start of the daemon, for ``health``."""
        return self.frames.sum(gated=bool(self.camera.state.gate))

    def _counts(self) -> dict[Any, float]:
        """What the camera's statistics do not have."""
        # A thread that has ended took as much as was seen last.
        self._decode_cpu_s = max(self._decode_cpu_s, machine.thread_cpu_s(self._thread_id))
        unserved = {(UNSERVED, model): count for model, count in dict(self._unserved).items()}
        return {"cpu_s": self._decode_cpu_s, **unserved}
