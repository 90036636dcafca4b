"""A camera of the configuration at work: its thread, and a feed to each of its models."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from edged import machine
from edged.frame import Frame
from edged.lifecycle import ServedModel
from edged.mqtt.payloads import CameraStateMessage, SourceHealthShape, timestamp
from edged.pipeline import Feed, Pipeline
from edged.pipeline.turns import Spent
from edged.publisher import Publisher
from edged.sections import CameraSettings
from edged.service.looking import regions_for
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
        self._reported = _Totals()
        self._thread_id = 0
        self._past: Counter[str] = Counter()
        self._spent = Spent()  # by feeds that are no more
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
                weight=self.section.weight,
                regions=regions_for(self.section),
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
            self._spent.add(feed.spent)

    def _deliver(self, frame: Frame) -> None:
        for pipeline, feed in self._feeds:
            pipeline.offer(feed, frame)

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

    def health(self, seconds: float) -> SourceHealthShape:
        """Rates and shares since the last call, which was ``seconds`` ago, and drops since the start."""
        counts, statistics = Counter(self._past), self.camera.statistics
        for _, feed in self._feeds:
            counts.update(feed.counts)
        published, late = counts.pop("published", 0), counts["full"] + counts["stale"]
        counts.pop("withheld", None)
        counts["unreadable"] += statistics.unreadable
        spent = [feed.spent for _, feed in self._feeds]
        now = _Totals(
            captured=statistics.captured,
            still=statistics.still,
            published=published,
            late=late,
            frames=self._spent.frames + sum(one.frames for one in spent),
            queue_s=self._spent.queue_s + sum(one.queue_s for one in spent),
            decode_cpu_s=machine.thread_cpu_s(self._thread_id),
            prepare_cpu_s=self._spent.prepare_cpu_s + sum(one.prepare_cpu_s for one in spent),
            inference_s=self._spent.inference_s + sum(one.inference_s for one in spent),
        )
        since, self._reported = now.since(self._reported), now
        return SourceHealthShape(
            name=self.name,
            captured_per_s=round(since.captured / seconds, 2),
            published_per_s=round(since.published / seconds, 2),
            dropped={reason: count for reason, count in sorted(counts.items()) if count},
            still_per_s=round(since.still / seconds, 2) if self.camera.state.gate else None,
            late_per_s=round(since.late / seconds, 2),
            decode_cpu_percent=round(100 * since.decode_cpu_s / seconds, 1),
            prepare_cpu_percent=round(100 * since.prepare_cpu_s / seconds, 1),
            inference_percent=round(100 * since.inference_s / seconds, 1),
            queue_ms=round(1000 * since.queue_s / since.frames, 3) if since.frames else None,
        )


@dataclass(frozen=True, slots=True)
class _Totals:
    """Of a camera since the start."""

    captured: float = 0
    still: float = 0
    published: float = 0
    late: float = 0
    frames: float = 0
    queue_s: float = 0.0
    decode_cpu_s: float = 0.0
    prepare_cpu_s: float = 0.0
    inference_s: float = 0.0

    def since(self, before: "_Totals") -> "_Totals":
        """What was added; where a thread or a feed is another one by now, nothing."""
        pairs = ((getattr(self, one.name), getattr(before, one.name)) for one in fields(self))
        return _Totals(*(max(0, now - then) for now, then in pairs))
