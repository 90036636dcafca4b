"""The objects of one camera as one model sees them, from frame to frame; it outlives connections, reloads and models.

    Result ─→ masks ─→ tracker ─→ book ─→ events, counts
                  └──→ what is kept, with the track and the zones of each detection ─→ the message

Frames come from callers' threads, one at a time; time in which none comes is seen by the main thread.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.event import Event, Moment, Reason
from edged.events import EventBook, Line, LineMap
from edged.frame import Frame
from edged.mqtt.payloads import ModelInfo
from edged.pipeline import Result
from edged.publisher import Sight
from edged.sections import CameraSettings, TrackSettings
from edged.service.outlets import Outlets
from edged.tracking import Tracker, TrackOptions, Tracks
from edged.tracking.options import HIGH_SCORE
from edged.zones import Mask, MaskMap, Zone, ZoneMap

OFFLINE_S = 10.0
"""A camera that is offline for so long has no objects any more; until then those that stand still are waited for."""
BLIND_S = 10.0
"""A model that has looked at nothing for so long, though there were frames, sees nothing."""
DISORDER_S = 10.0
"""A scene whose clock goes back further has begun anew."""
BELOW = 1e-3
"""A detection that is not worth a message is so much less sure than one that may begin a track."""


_NO_WORTH = np.zeros(0, np.bool_)


class Following:
    """One camera, one model.

    Attributes:
        camera: Its name.
        model: Its name.
    """

    def __init__(
        self,
        camera: str,
        model: str,
        section: CameraSettings,
        outlets: Outlets,
        *,
        may_tell: Callable[[bool], bool] = lambda _: True,
    ) -> None:
        """Nothing was seen yet.

        Args:
            camera: Its name.
            model: Its name.
            section: Of the camera.
            outlets: Where it goes.
            may_tell: Whether an update may be told (`EventBook.update`).
        """
        self.camera, self.model, self._outlets = camera, model, outlets
        self._may_tell = may_tell
        self._lock = threading.RLock()  # around everything below
        self._track = section.track
        self._tracker = Tracker(_options(section.track))
        self._book = EventBook(_zones(section), _lines(section), new_id=outlets.new_id)
        self._masks = _masks(section)
        self._info: ModelInfo | None = None
        self._shift_s, self._at_s = 0.0, -np.inf
        self._looked_s = (
            self._offered_s
        ) = -np.inf  # on the monotonic clock, when the newest frames were captured
        self._offline_s: float | None = None
        self._counted: object = None
        self._tracks: Tracks | None = None  # after the frame that is looked at
        self._closed = False

    @property
    def moving(self) -> bool:
        """Whether an object that is followed moves."""
        with self._lock:
            return self._book.moving

    def under(self, section: CameraSettings) -> None:
        """The camera is configured otherwise: objects are followed on, unless they are not to be any more."""
        with self._lock:
            self._book.under(_zones(section), _lines(section))
            self._masks = _masks(section)
            if self._track.enabled and not section.track.enabled:
                self.end("removed")
            self._track = section.track
            self._tracker.under(_options(section.track))
            self._count(self._book.counts)

    def offered(self, frame: Frame) -> None:
        """A frame is on its way to the model."""
        self._offered_s = frame.captured_monotonic_s

    def look(self, result: Result, info: ModelInfo, min_score: float | None) -> Sight:
        """What the model found in a frame, as far as it is worth a message; objects are followed by all of it.

        Args:
            result: What it found.
            info: What it is.
            min_score: Detections of a lower score are not worth a message; None = all are.
        """
        frame = result.frame
        with self._lock:
            self._info, self._looked_s = info, frame.captured_monotonic_s
            found, worth, labels = self._shown(result, min_score)
            inside = self._book.zones.inside(found.xyxy, labels, width=frame.width, height=frame.height)
            track_ids, events = None, 0
            self._tracks = None
            if self._closed:
                pass
            elif self._track.enabled and frame.scene_s is not None and result.model.task == "detect":
                track_ids, events = self._follow(result, self._time_s(frame.scene_s), found, worth, inside)
            else:
                self._count_found(labels, inside, worth)
            if self._outlets.looked:
                self._outlets.looked(self.camera, self.model, result, self._tracks)
            if len(found) and not worth.all():
                found, inside = found.take(worth), inside[worth]
                track_ids = None if track_ids is None else track_ids[worth]
            return Sight(
                result=result if len(found) == len(result.detections) else replace(result, detections=found),
                track_ids=None if track_ids is None else track_ids.tolist(),
                zones=self._zones_of(inside, found.score) if len(self._book.zones) else None,
                events=events,
            )

    def pass_time(self, now_s: float, *, online: bool, enabled: bool) -> None:
        """See to objects that no frame tells of.

        Args:
            now_s: On the monotonic clock.
            online: Whether frames come.
            enabled: Whether the camera is switched on.
        """
        with self._lock:
            if online:
                self._offline_s = None
                if len(self._book) and self._offered_s - self._looked_s > BLIND_S:
                    self._expire(self._offered_s, None)
                return
            if self._offline_s is None:
                self._offline_s = now_s
            if not enabled or now_s - self._offline_s > OFFLINE_S:
                self.end("offline")
            else:
                self._expire(now_s, "offline")

    def end(self, reason: Reason) -> None:
        """None of the objects is followed any more."""
        with self._lock:
            self._tracker.end_all()
            self._tell(self._book.end_all(reason))
            self._count({})

    def close(self, reason: Reason) -> None:
        """There is no such camera or model any more; frames in work are looked at for their messages only."""
        with self._lock:
            self.end(reason)
            self._closed = True

    def _shown(
        self, result: Result, min_score: float | None
    ) -> tuple[Detections, NDArray[np.bool_], list[str]]:
        """What no mask hides, which of it is worth a message, and the labels of it all."""
        frame, found, count = result.frame, result.detections, len(result.detections)
        if len(result.low):
            found = _joined(found, result.low)
        if not len(found):  # as most frames of most cameras
            return found, _NO_WORTH, []
        worth = np.arange(len(found)) < count
        if min_score is not None:
            worth &= found.score >= min_score
        labels = [label_of(result.model.labels, class_id) for class_id in found.class_id.tolist()]
        if len(self._masks):
            hidden = self._masks.hidden(found.xyxy, labels, width=frame.width, height=frame.height)
            shown = ~hidden
            found, worth = found.take(shown), worth[shown]
            labels = [label for label, there in zip(labels, shown.tolist(), strict=True) if there]
        return found, worth, labels

    def _follow(
        self,
        result: Result,
        at_s: float,
        found: Detections,
        worth: NDArray[np.bool_],
        inside: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], int]:
        """Go on with the tracks, and tell of it: the track of each detection, and how many events there were."""
        frame = result.frame
        if frame.still_s is not None and (still_s := frame.still_s + self._shift_s) > self._at_s:
            self._tracker.asleep(min(still_s, at_s))
        self._at_s = max(self._at_s, at_s)
        followed = found
        if len(found) and not worth.all():
            high = HIGH_SCORE if self._track.high_score is None else self._track.high_score
            score = np.where(worth, found.score, np.minimum(found.score, high - BELOW)).astype(np.float32)
            followed = Detections(found.xyxy, score, found.class_id)
        tracked = self._tracker.update(
            followed,
            result.model.labels,
            at_s,
            width=frame.width,
            height=frame.height,
        )
        self._tracks = tracked.tracks
        moment = Moment(at_s, frame.captured_at_s, frame.sequence, frame.width, frame.height)
        update = self._book.update(tracked, moment, found.xyxy, found.score, inside, may_tell=self._may_tell)
        self._tell(update.events, frame.captured_at_s)
        self._count(self._book.counts)
        if self._outlets.watch and (update.events or update.better):
            self._outlets.watch(self.camera, update, frame, found)
        return tracked.track_id, len(update.events)

    def _time_s(self, scene_s: float) -> float:
        """The time of a scene on a clock that only goes on though recordings are read anew."""
        if scene_s + self._shift_s < self._at_s - DISORDER_S:
            self._shift_s = self._at_s - scene_s
        return scene_s + self._shift_s

    def _expire(self, until_s: float, reason: Reason | None) -> None:
        """No frame was looked at until a moment of the monotonic clock."""
        if not len(self._book):  # also without tracks: there is no picture any more
            self._count({})
            return
        unseen_s = max(0.0, until_s - self._looked_s)
        self._tell(self._book.end(self._tracker.expire(self._at_s + unseen_s), reason))
        self._count(self._book.counts)

    def _tell(self, events: Sequence[Event], at_s: float | None = None) -> None:
        if self._info is None:  # there are no objects before a frame
            return
        for event in events:
            self._outlets.tell(self.camera, self._info, event, at_s)

    def _count_found(
        self, labels: Sequence[str], inside: NDArray[np.bool_], worth: NDArray[np.bool_]
    ) -> None:
        """Without tracks what is in the newest picture counts."""
        found: Counter[tuple[str, str]] = Counter()
        names = [zone.name for zone in self._book.zones.zones]
        for label, row, counts in zip(labels, inside.tolist(), worth.tolist(), strict=True):
            if counts:
                found["", label] += 1
                found.update((name, label) for name, there in zip(names, row, strict=True) if there)
        self._count(found)

    def _count(self, found: Mapping[tuple[str, str], int]) -> None:
        """Say what is there, where that is news."""
        crossings = self._book.crossings
        if (found, crossings) != self._counted:
            self._counted = counted = (dict(found), dict(crossings))
            self._outlets.counted(self.camera, self.model, *counted)

    def _zones_of(self, inside: NDArray[np.bool_], score: NDArray[np.float32]) -> list[tuple[str, ...]]:
        zones = self._book.zones.zones
        return [
            tuple(
                zone.name for zone, there in zip(zones, row, strict=True) if there and sure >= zone.min_score
            )
            for row, sure in zip(inside.tolist(), score.tolist(), strict=True)
        ]


def _joined(first: Detections, second: Detections) -> Detections:
    return Detections(
        np.concatenate([first.xyxy, second.xyxy]),
        np.concatenate([first.score, second.score]),
        np.concatenate([first.class_id, second.class_id]),
    )


def _options(track: TrackSettings) -> TrackOptions:
    return TrackOptions(high_score=track.high_score, low_score=track.low_score, lost_s=track.lost)


def _zones(section: CameraSettings) -> ZoneMap:
    return ZoneMap(
        [
            Zone(
                name,
                zone.points,
                labels=zone.labels,
                min_score=zone.min_score,
                min_area=zone.min_area,
                share=zone.share,
                inertia_frames=zone.inertia if isinstance(zone.inertia, int) else 1,
                inertia_s=zone.inertia if isinstance(zone.inertia, float) else 0.0,
                loitering_s=zone.loitering,
            )
            for name, zone in section.zones.items()
        ]
    )


def _lines(section: CameraSettings) -> LineMap:
    return LineMap(
        [Line(name, line.points, line.labels, line.min_score) for name, line in section.lines.items()]
    )


def _masks(section: CameraSettings) -> MaskMap:
    return MaskMap([Mask(mask.points, mask.labels) for mask in section.masks.values()])
