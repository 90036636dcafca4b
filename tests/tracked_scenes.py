"""Tracks as a tracker would give them, without one."""

from collections.abc import Callable

import numpy as np

from edged.event import Moment
from edged.events import BookOptions, BookUpdate, EventBook, Line, LineMap
from edged.tracking import TrackedFrame, Tracks
from edged.zones import Zone, ZoneMap

WIDTH, HEIGHT = 200, 100
LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), inertia_frames=1)
RIGHT = Zone("right", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), inertia_frames=1)
MIDDLE = Line("middle", ((0.5, 1.0), (0.5, 0.0)))
"""Drawn upwards: ``in`` is to the right."""


class Scene:
    """A book, and frames for it: where each object stands, or None where it is hidden."""

    def __init__(
        self, *zones: Zone, lines: tuple[Line, ...] = (), options: BookOptions | None = None
    ) -> None:
        ids = iter(range(1, 10**6))
        self.book = EventBook(
            ZoneMap(zones),
            LineMap(lines),
            new_id=lambda: f"e{next(ids)}",
            options=options or BookOptions(),
        )
        self.now_s = 0.0
        self.may_tell: Callable[[bool], bool] = lambda _: True
        self._known: dict[int, tuple[float, float, list[float]]] = {}

    def frame(
        self,
        objects: dict[int, float | None],
        *,
        after_s: float = 0.1,
        score: float = 0.8,
        bottom: float = 60.0,
        still: frozenset[int] = frozenset(),
        labels: dict[int, str] | None = None,
        size: float = 20.0,
    ) -> BookUpdate:
        """Look at a frame ``after_s`` after the one before; objects by track and the x at which they stand."""
        self.now_s += after_s
        labels = labels or {}
        seen = {track: x for track, x in objects.items() if x is not None}
        boxes = {track: [x - size / 2, bottom - size, x + size / 2, bottom] for track, x in seen.items()}
        for track in objects:
            first_s, best, box = self._known.get(track, (self.now_s, 0.0, [0.0] * 4))
            if track in seen:
                best, box = max(best, score), boxes[track]
            self._known[track] = (first_s, best, box)
        alive, rows = sorted(objects), list(seen)
        xyxy = np.array([boxes[track] for track in rows], np.float32).reshape(-1, 4)
        names = [labels.get(track, "person") for track in alive]
        tracks = Tracks(
            track_id=np.array(alive, np.int64),
            xyxy=np.array([self._known[track][2] for track in alive], np.float32).reshape(-1, 4),
            score=np.full(len(alive), score, np.float32),
            best_score=np.array([self._known[track][1] for track in alive], np.float32),
            label=tuple(names),
            first_s=np.array([self._known[track][0] for track in alive]),
            seen_s=np.full(len(alive), self.now_s),
            stationary=np.array([track in still for track in alive], np.bool_),
            detection=np.array([rows.index(track) if track in seen else -1 for track in alive], np.int32),
        )
        moment = Moment(self.now_s, 1000 + self.now_s, round(self.now_s * 10), WIDTH, HEIGHT)
        inside = self.book.zones.inside(
            xyxy, [labels.get(track, "person") for track in rows], width=WIDTH, height=HEIGHT
        )
        tracked = TrackedFrame(tracks, np.array(rows, np.int64), (), ())
        scores = np.full(len(rows), score, np.float32)
        return self.book.update(tracked, moment, xyxy, scores, inside, may_tell=self.may_tell)

    def says(self, objects: dict[int, float | None], **changes: object) -> list[str]:
        """What is told: ``start 1``, ``update 1 entered:left``, ``end 1 lost``."""
        update = self.frame(objects, **changes)  # type: ignore[arg-type]
        return [
            " ".join(
                [
                    event.kind,
                    str(event.track_id),
                    *([event.reason] if event.reason else []),
                    *(
                        ":".join(part for part in (change.what, change.where, change.direction) if part)
                        for change in event.changes
                    ),
                ]
            )
            for event in update.events
        ]
