"""A camera of the configuration at work: its thread, and a feed to each of its models."""

from collections import Counter
from collections.abc import Callable, Mapping

from edged.frame import Frame
from edged.lifecycle import ServedModel
from edged.mqtt.payloads import CameraStateMessage, SourceHealthShape, timestamp
from edged.pipeline import Feed, Pipeline
from edged.publisher import Publisher
from edged.sections import CameraSettings
from edged.service.overrides import NOTHING, CameraOverride
from edged.sources.camera import Camera, SourceState


class CameraPost:
    """One camera with the feeds it fills.

    Attributes:
        name: As configured.
        section: As configured.
        override: What was switched of it by command.
        camera: What reads it.
    """

    def __init__(
        self,
        name: str,
        section: CameraSettings,
        *,
        once: bool,
        publisher: Publisher,
        on_state: Callable[["CameraPost"], None],
        override: CameraOverride = NOTHING,
    ) -> None:
        """Prepare the camera; `connect` it to its models, then start ``camera``.

        Args:
            name: As configured.
            section: As configured.
            once: Read to its end, every frame waiting for the models.
            publisher: Takes the results.
            on_state: Called from the camera's thread when `state` has changed.
            override: What was switched of it by command.
        """
        self.name, self.section, self.override = name, section, override
        self._publisher, self._on_state = publisher, on_state
        self._lossless = once or section.realtime is False
        self._feeds: tuple[tuple[Pipeline, Feed], ...] = ()
        self._reported = (0, 0)
        self._past: Counter[str] = Counter()
        self.camera = Camera(
            name,
            section,
            once=once,
            deliver=self._deliver,
            on_state=self._state_changed,
            enabled=override.enabled,
        )

    @property
    def min_score(self) -> float | None:
        """In force: detections of a lower score are left out; None = all are kept."""
        switched = self.override.min_score
        return self.section.min_score if switched is None else switched

    def switch(self, override: CameraOverride) -> None:
        """Put what was switched by command in force."""
        self.override = override
        self.camera.switch(override.enabled)

    def connect(self, models: Mapping[str, ServedModel]) -> None:
        """Make a feed to each of its models that is served, instead of those it had."""
        self.disconnect()
        feeds = []
        for model in (models[name] for name in self.section.models):
            if model.frames is None:
                continue
            feed = Feed(
                source=self.name,
                emit=self._publisher.emitter(self.name, self.section, model.info, lambda: self.min_score),
                lossless=self._lossless,
            )
            if not self._lossless:
                feed.max_age_s = self.section.max_age
            model.frames.attach(feed)
            feeds.append((model.frames, feed))
        self._feeds = tuple(feeds)

    def misses(self, models: Mapping[str, ServedModel]) -> bool:
        """Whether one of its models is served only since `connect`."""
        served = {model.frames for model in (models[name] for name in self.section.models) if model.frames}
        return served != {pipeline for pipeline, _ in self._feeds}

    def disconnect(self) -> None:
        """Take its feeds away; the camera goes on, and frames in work are still published."""
        feeds, self._feeds = self._feeds, ()
        for pipeline, feed in feeds:
            pipeline.detach(feed)
            self._past.update(feed.counts)

    def _deliver(self, frame: Frame) -> None:
        for pipeline, feed in self._feeds:
            pipeline.offer(feed, frame)

    def _state_changed(self, _state: SourceState) -> None:
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
            since=timestamp(state.since_s),
        )

    def health(self, seconds: float) -> SourceHealthShape:
        """Rates since the last call, which was ``seconds`` ago, and drops since the start."""
        counts = Counter(self._past)
        for _, feed in self._feeds:
            counts.update(feed.counts)
        published = counts.pop("published", 0)
        counts.pop("withheld", None)
        statistics = self.camera.statistics
        counts["unreadable"] += statistics.unreadable
        before, self._reported = self._reported, (statistics.captured, published)
        return SourceHealthShape(
            name=self.name,
            captured_per_s=round(max(0, statistics.captured - before[0]) / seconds, 2),
            published_per_s=round(max(0, published - before[1]) / seconds, 2),
            dropped={reason: count for reason, count in sorted(counts.items()) if count},
        )
