"""What a tracker remembers of its tracks: a few arrays whose last axis is the tracks, and a name for each row.

Rows are views, made once when tracks come or go; a frame that only goes on with tracks writes into them.
"""

import numpy as np
from numpy.typing import NDArray

from edged.tracking import motion
from edged.tracking.motion import Array

Whole = NDArray[np.int64]

_BOXES, _TIMES, _COUNTS = 2, 8, 8


class State:
    """M tracks: those that are sure first, by id, then the others, oldest first.

    Attributes:
        filter: float64 (4, 6, M), see `motion`.
        xyxy: float64 (4, M), of the last detection, pixels.
        anchor: float64 (4, M), where it stands, if it stands: centre x, y, width, height.
        size: float64 (M,), pixels.
        score: Of the last detection.
        best_score: The greatest so far.
        first_s: Of the first detection.
        seen_s: Of the last detection.
        unseen_s: Since the last detection, without the time in which nothing was looked at.
        still_s: Since it has been at its anchor.
        astray_s: Since it has been seen elsewhere.
        track_id: int64 (M,), 0 = not sure yet.
        label: Number of its text.
        missed: Looks in a row that did not show it.
        looks: Since its first detection, with that.
        found: Detections, of any score.
        hits: Those that could have started it.
        detection: Row in this frame's detections, -1 = none.
        anchored: Looks that the anchor is the mean of.
        stationary: bool (M,).
    """

    __slots__ = (
        "_boxes",
        "_counts",
        "_times",
        "anchor",
        "anchored",
        "astray_s",
        "best_score",
        "detection",
        "filter",
        "first_s",
        "found",
        "hits",
        "label",
        "looks",
        "missed",
        "score",
        "seen_s",
        "size",
        "stationary",
        "still_s",
        "track_id",
        "unseen_s",
        "xyxy",
    )

    def __init__(
        self, filtered: Array, boxes: Array, times: Array, counts: Whole, stationary: NDArray[np.bool_]
    ) -> None:
        self.filter, self._boxes, self._times, self._counts = filtered, boxes, times, counts
        self.stationary = stationary
        self.xyxy, self.anchor = boxes
        (
            self.size,
            self.score,
            self.best_score,
            self.first_s,
            self.seen_s,
            self.unseen_s,
            self.still_s,
            self.astray_s,
        ) = times
        (
            self.track_id,
            self.label,
            self.missed,
            self.looks,
            self.found,
            self.hits,
            self.detection,
            self.anchored,
        ) = counts

    @classmethod
    def of(cls, count: int) -> "State":
        """So many tracks of which nothing is known."""
        return cls(
            np.zeros((4, motion.ROWS, count)),
            np.zeros((_BOXES, 4, count)),
            np.zeros((_TIMES, count)),
            np.zeros((_COUNTS, count), np.int64),
            np.zeros(count, np.bool_),
        )

    @classmethod
    def begun(
        cls, xyxy: Array, score: Array, label: Whole, columns: NDArray[np.intp], at_s: float
    ) -> "State":
        """A track for each of the chosen detections.

        Args:
            xyxy: (4, N), of all detections.
            score: (N,).
            label: (N,).
            columns: Of those that are chosen.
            at_s: Now.
        """
        new = cls.of(len(columns))
        new.label[:] = label[columns]
        new.xyxy[:] = xyxy[:, columns]
        new.anchor[:] = motion.to_place(new.xyxy)
        new.size[:] = motion.size_of(new.anchor)
        new.filter[:, motion.PLACE] = new.anchor
        motion.begin(new.filter, new.size)
        new.score[:] = new.best_score[:] = score[columns]
        new.first_s[:] = new.seen_s[:] = at_s
        new.looks[:] = new.found[:] = new.hits[:] = new.anchored[:] = 1
        new.detection[:] = columns
        return new

    def __len__(self) -> int:
        return len(self.stationary)

    @property
    def sure(self) -> int:
        """How many are."""
        return int(np.count_nonzero(self.track_id))

    def waiting(self) -> NDArray[np.bool_] | None:
        """Those (M,) that stood still where they were lost; None = there is none."""
        if not self.missed.any() or not self.stationary.any():
            return None
        waiting = self.stationary & (self.missed > 0) & (self.astray_s == 0)
        return waiting if waiting.any() else None

    def scores(self, count: int) -> NDArray[np.float32]:
        """Copies of ``score`` and ``best_score`` of the first of them: (2, count)."""
        return self._times[1:3, :count].astype(np.float32)

    def moments(self, count: int) -> Array:
        """Copies of ``first_s`` and ``seen_s`` of the first of them: (2, count)."""
        return self._times[3:5, :count].copy()

    def take(self, index: NDArray[np.intp]) -> "State":
        """Those of these numbers, in this order."""
        return State(
            self.filter[..., index],
            self._boxes[..., index],
            self._times[:, index],
            self._counts[:, index],
            self.stationary[index],
        )

    def joined(self, other: "State") -> "State":
        """With others behind."""
        return State(
            np.concatenate((self.filter, other.filter), axis=-1),
            np.concatenate((self._boxes, other._boxes), axis=-1),
            np.concatenate((self._times, other._times), axis=-1),
            np.concatenate((self._counts, other._counts), axis=-1),
            np.concatenate((self.stationary, other.stationary)),
        )

    def resize(self, across: float, down: float) -> None:
        """The camera's pictures became so many times as wide and as high; what they show did not change."""
        factor = np.array([across, down, across, down])[:, None]
        self._boxes *= factor
        motion.resize(self.filter, factor, across * down)
        self.size *= np.sqrt(across * down)
