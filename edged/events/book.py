"""The objects of one camera as one model sees them, and what is told of them. Pure.

    TrackedFrame ─→ ends ─→ starts ─→ updates     of each object: one start, then updates, then one end
                └→ counts by zone and label, crossings by line and label

Where an object is, in which zone and on which side of a line, is judged by its detections; while it is hidden it stays
where it was.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.event import Box, Event, Moment, Reason, View
from edged.events.followed import BookOptions, Followed
from edged.events.lines import CLEAR, LineMap
from edged.tracking import TrackedFrame, Tracks
from edged.zones import ZoneMap

RECENT = 512
"""Frames that are remembered: one of them is the first in which a new object was seen."""
MANY_CROSSINGS = 1_000
"""Lines times labels that are counted."""


@dataclass(frozen=True, slots=True)
class BookUpdate:
    """What came of a frame.

    Attributes:
        events: In the order in which they are to be told.
        better: Objects of which this frame has the best picture so far, new ones among them; as an update would say it.
    """

    events: tuple[Event, ...] = ()
    better: tuple[Event, ...] = ()


_NO_NEWS = BookUpdate()


class EventBook:
    """Owned by one thread at a time.

    Attributes:
        zones: In force.
        lines: In force.
        crossings: By line, label and direction (``in``, ``out``), since the book was opened.
    """

    def __init__(
        self,
        zones: ZoneMap,
        lines: LineMap,
        *,
        new_id: Callable[[], str],
        options: BookOptions = BookOptions(),  # noqa: B008  # frozen
    ) -> None:
        """Nothing is there yet.

        Args:
            zones: Of the camera.
            lines: Of the camera.
            new_id: Gives an id that was never given before.
            options: How much is told.
        """
        self.zones, self.lines = zones, lines
        self.crossings: Counter[tuple[str, str, str]] = Counter()
        self._new_id, self._options = new_id, options
        self._followed: dict[int, Followed] = {}
        self._counts: Counter[tuple[str, str]] | None = None  # None = to be counted anew
        self._recent: deque[Moment] = deque(maxlen=RECENT)

    def __len__(self) -> int:
        return len(self._followed)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """How many there are, by zone and label; the zone is empty for the whole picture. Not to be changed."""
        if self._counts is None:
            self._counts = Counter(
                (zone, one.label) for one in self._followed.values() for zone in ("", *one.zones)
            )
        return self._counts

    @property
    def moving(self) -> bool:
        """Whether one of them moves."""
        return any(not one.stationary for one in self._followed.values())

    def update(
        self,
        tracked: TrackedFrame,
        moment: Moment,
        xyxy: NDArray[np.float32],
        score: NDArray[np.float32],
        inside: NDArray[np.bool_],
        *,
        may_tell: Callable[[bool], bool] = lambda _: True,
    ) -> BookUpdate:
        """A frame was looked at.

        Args:
            tracked: What came of it.
            moment: When it was captured.
            xyxy: float32 (N, 4) of its detections, in pixels of the frame.
            score: float32 (N,).
            inside: bool (N, Z): in which zone they are (`ZoneMap.inside`).
            may_tell: Whether an update may be told (`Followed.update`); starts and ends always are.
        """
        self._recent.append(moment)
        if not len(tracked.tracks) and not self._followed:
            return _NO_NEWS
        alive = tracked.tracks.track_id.tolist()
        ends = self.end(self._followed.keys() - set(alive))
        views = _views(tracked.tracks, moment, xyxy, score)
        places = inside.tolist()
        new = {track_id for track_id in alive if track_id not in self._followed}
        for at, track_id in enumerate(alive):
            if track_id in new:
                self._begin(tracked.tracks, at, moment, views.get(track_id))
        self._cross(
            [(self._followed[one], view) for one, (view, _) in views.items() if one not in new], moment
        )
        starts, updates, better = [], [], []
        best_score, stationary = tracked.tracks.best_score.tolist(), tracked.tracks.stationary.tolist()
        for at, track_id in enumerate(alive):
            one, improved = self._followed[track_id], track_id in new
            if track_id in views:
                view, row = views[track_id]
                zones = one.zones
                improved |= one.see(view, best_score[at], inside=places[row])
                if one.zones is not zones:
                    self._counts = None
            one.goes_on(moment.at_s, stationary=stationary[at])
            if track_id in new:
                starts.append(one.start())
            elif event := one.update(moment.at_s, may_tell):
                updates.append(event)
            if improved:
                better.append(one.now())
        return BookUpdate((*ends, *starts, *updates), tuple(better))

    def end(self, track_ids: Iterable[int], reason: Reason | None = None) -> list[Event]:
        """Objects are not followed any more; those that are not known are no error.

        Args:
            track_ids: Of their tracks.
            reason: None = what the last view of each says.
        """
        events = []
        for track_id in sorted(track_ids):
            one = self._followed.pop(track_id, None)
            if one is not None:
                self._counts = None
                for at, net in enumerate(one.nets):  # it will not get clear of them any more
                    self._count(one, at, net)
                events.append(one.end(reason))
        return events

    def end_all(self, reason: Reason) -> list[Event]:
        """None is followed any more."""
        return self.end(list(self._followed), reason)

    def under(self, zones: ZoneMap, lines: LineMap) -> None:
        """Other zones and lines are in force from now on; objects, and what was counted of lines of a name, stay."""
        known = {line: at for at, line in enumerate(self.lines.lines)}
        for one in self._followed.values():
            nets = [one.nets[known[line]] if line in known else 0 for line in lines.lines]
            one.under(zones.zones, nets)
        self.zones, self.lines = zones, lines
        self._counts = None
        names = {line.name for line in lines.lines}
        self.crossings = Counter({key: count for key, count in self.crossings.items() if key[0] in names})

    def _begin(self, tracks: Tracks, at: int, moment: Moment, seen: tuple[View, int] | None) -> None:
        """Open a page for a track."""
        track_id, first_s = int(tracks.track_id[at]), float(tracks.first_s[at])
        view = seen[0] if seen else View(moment, _box(tracks.xyxy[at].tolist()), float(tracks.score[at]))
        self._counts = None
        self._followed[track_id] = Followed(
            self._new_id(),
            track_id,
            tracks.label[at],
            first=next((one for one in self._recent if one.at_s >= first_s), moment),
            view=view,
            best_score=float(tracks.best_score[at]),
            stationary=bool(tracks.stationary[at]),
            zones=self.zones.zones,
            lines=len(self.lines),
            options=self._options,
        )

    def _cross(self, seen: Sequence[tuple[Followed, View]], moment: Moment) -> None:
        """Count lines that objects have crossed and are clear of."""
        if not len(self.lines) or not seen:
            return
        before = np.array([_stands(one.seen) for one, _ in seen])
        after = np.array([_stands(view) for _, view in seen])
        crossed = self.lines.crossed(before, after).tolist()
        for (one, _), row in zip(seen, crossed, strict=True):
            one.nets = [net + times for net, times in zip(one.nets, row, strict=True)]
        if not any(any(one.nets) for one, _ in seen):
            return
        distances = self.lines.distances_px(after, moment.width, moment.height).tolist()
        for (one, view), row in zip(seen, distances, strict=True):
            clear_px = CLEAR * (view.box[2] - view.box[0] + view.box[3] - view.box[1]) / 2
            for at, (net, distance_px) in enumerate(zip(one.nets, row, strict=True)):
                if net and distance_px > clear_px:
                    self._count(one, at, net)

    def _count(self, one: Followed, at: int, net: int) -> None:
        line = self.lines.lines[at]
        wanted = not line.labels or one.label in line.labels
        one.nets[at] = 0
        if not net or not wanted or one.best_score < line.min_score:
            return
        key = (line.name, one.label, "in" if net > 0 else "out")
        if key in self.crossings or len(self.crossings) < MANY_CROSSINGS:
            self.crossings[key] += abs(net)
        one.crossed(line.name, net)


def _views(
    tracks: Tracks, moment: Moment, xyxy: NDArray[np.float32], score: NDArray[np.float32]
) -> dict[int, tuple[View, int]]:
    """Of the tracks that were detected in this frame: how, and in which row."""
    rows = zip(tracks.track_id.tolist(), tracks.detection.tolist(), strict=True)
    boxes, scores = xyxy.tolist(), score.tolist()
    return {one: (View(moment, _box(boxes[row]), scores[row]), row) for one, row in rows if row >= 0}


def _stands(view: View) -> tuple[float, float]:
    """Where an object is, in fractions of the frame."""
    x1, _, x2, y2 = view.box
    width, height = view.moment.width, view.moment.height
    return (x1 / width + x2 / width) / 2, y2 / height


def _box(corners: Sequence[float]) -> Box:
    x1, y1, x2, y2 = corners
    return (x1, y1, x2, y2)
