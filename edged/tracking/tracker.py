"""A camera's tracks, from frame to frame.

A frame's detections are given away in three rounds, each by the assignment that is best as a whole:

    1  detections of high scores ─→ tracks that are sure
    2  those of low scores       ─→ sure tracks that are left: half hidden, blurred
    3  all that are left         ─→ tracks that are not sure yet

What is left of the high scores begins tracks. A track is sure, and gets its id, once it was seen often enough; it
ends when it was not seen for long enough. One that has stood for long is waited for longer: what hides it passes by.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.tracking import motion, stillness
from edged.tracking.association import assign, overlap_within
from edged.tracking.motion import PLACE, Array
from edged.tracking.options import HIGH_SCORE, TrackOptions
from edged.tracking.state import State
from edged.tracking.tracks import TrackedFrame, Tracks

LIKE_HIGH, LIKE_LOW, LIKE_NEW = 0.2, 0.3, 0.3
"""Overlap that a track and a detection must have, by round."""
LIKE_STILL = 0.4
"""Overlap with the place where a stationary track was lost."""
REACH = 0.3
"""Standard deviations by which boxes are larger for their overlap."""
MAX_REACH = 1.0
"""Sizes."""
NEW_UNSEEN_S = 0.3
"""A track that is not sure and was not seen for so long, and in two looks, is forgotten."""
STOOD = 0.15
"""Of the time that a stationary track has stood it is waited for: a person for seconds, a parked car for a minute."""
OUTSIDE, OUTSIDE_S = 0.5, 0.2
"""A track that has left the picture by such a share of its box is lost so soon."""
MAX_LABELS = 4096
"""Texts that are remembered; beyond, those of no track are forgotten."""

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Found = tuple[Array, Array, NDArray[np.int64]]
"""Of N detections: corners (4, N), 0 where they are no box; scores (N,); numbers of the labels' texts (N,)."""


class Tracker:
    """The tracks of one camera by one model; survives the model's replacement, for it knows labels, not classes.

    Attributes:
        next_id: Of the next track that becomes sure.
    """

    def __init__(self, options: TrackOptions = TrackOptions(), *, first_id: int = 1) -> None:  # noqa: B008
        self.next_id = first_id
        self.under(options)
        self._tracks = State.of(0)
        self._at_s: float | None = None
        self._frame_size = (0, 0)
        self._most = np.zeros((2, 1))
        self._labels: list[str] = []
        self._codes: dict[str, int] = {}
        self._classes: tuple[Sequence[str], dict[int, int]] = ((), {})

    def under(self, options: TrackOptions) -> None:
        """Other options are in force from now on; tracks stay."""
        self._options = options
        self._high = HIGH_SCORE if options.high_score is None else options.high_score

    def update(
        self, detections: Detections, labels: Sequence[str], at_s: float, *, width: int, height: int
    ) -> TrackedFrame:
        """Take what was found in a frame.

        Args:
            detections: N objects, boxes in pixels of the frame. What is not finite, or has no area, is left alone.
            labels: Of the model's classes.
            at_s: When the frame was captured, monotonic seconds; an earlier time than the last counts as the last.
            width: Of the frame, pixels.
            height: Of the frame, pixels.
        """
        passed_s = self._pass(at_s)
        self._fit(width, height)
        if not len(self._tracks) and not len(detections):
            return _NOTHING
        waiting = self._tracks.waiting()
        self._move(passed_s, waiting)
        found, high, low = self._usable(detections, labels)
        left = self._associate(found, high, low, waiting)
        tracks = self._tracks
        started: tuple[int, ...] = ()
        ended: tuple[int, ...] = ()
        if len(tracks):
            tracks.missed += 1
            tracks.missed *= tracks.detection < 0
            stillness.watch(tracks, passed_s, self._options.still_s)
            started, ended = self._confirm(), self._end()
        columns = (left & high).nonzero()[0]
        if len(columns):
            self._tracks = self._tracks.joined(State.begun(*found, columns, self._now_s))
            if self._options.sure_hits <= 1:
                started += self._confirm()
        return self._told(len(detections), started, ended)

    def asleep(self, at_s: float) -> None:
        """The motion gate sleeps: time passes in which nothing was looked at and nothing moved.

        Nothing is lost by it, and what stood still goes on doing so.

        Args:
            at_s: Until when.
        """
        passed_s, tracks = self._pass(at_s), self._tracks
        motion.begin(tracks.filter, tracks.size)
        tracks.still_s += passed_s
        tracks.stationary |= (tracks.missed == 0) & (tracks.still_s >= self._options.still_s)

    def expire(self, at_s: float) -> tuple[int, ...]:
        """No frame comes: ids of the tracks that ended by ``at_s``, ascending."""
        passed_s = self._pass(at_s)
        tracks = self._tracks
        self._move(passed_s, tracks.waiting())
        tracks.still_s += passed_s
        tracks.missed += 2
        return self._end()

    def end_all(self) -> tuple[int, ...]:
        """Ids of the tracks that were alive, ascending; none is now."""
        ids, self._tracks = self._tracks.track_id, State.of(0)
        return _sure(ids)

    @property
    def _now_s(self) -> float:
        return 0.0 if self._at_s is None else self._at_s

    def _pass(self, at_s: float) -> float:
        """Seconds since the last time; 0 where time stands still, goes back or is none."""
        if not math.isfinite(at_s):
            return 0.0
        if self._at_s is None:
            self._at_s = at_s
        passed_s = max(0.0, at_s - self._at_s)
        self._at_s += passed_s
        return passed_s

    def _fit(self, width: int, height: int) -> None:
        before = self._frame_size
        if before == (width, height):
            return
        self._frame_size = (width, height)
        self._most = np.array([[width], [height]], np.float64)
        if before != (0, 0) and len(self._tracks):
            self._tracks.resize(width / before[0], height / before[1])

    def _move(self, passed_s: float, waiting: Mask | None) -> None:
        """Think every track on by ``passed_s`` seconds; what stood still where it was lost stays there."""
        tracks = self._tracks
        tracks.unseen_s += passed_s
        tracks.looks += 1
        tracks.detection.fill(-1)
        if not passed_s or not len(tracks):
            return
        motion.predict(tracks.filter, passed_s)
        if waiting is not None:
            stays = tracks.filter[..., waiting]
            stays[:, PLACE] = tracks.anchor[:, waiting]
            motion.begin(stays, tracks.size[waiting])
            tracks.filter[..., waiting] = stays

    def _label_codes(self, detections: Detections, labels: Sequence[str]) -> NDArray[np.int64]:
        """Of each detection the number of its label's text, whatever the class number of the model."""
        if len(self._codes) > MAX_LABELS:
            self._forget_labels()
        if self._classes[0] is not labels or not isinstance(labels, tuple):
            self._classes = (labels, {})
        codes, classes = self._codes, self._classes[1]
        numbers = detections.class_id.tolist()
        for number in numbers:
            if number not in classes:
                classes[number] = code = codes.setdefault(label_of(labels, number), len(codes))
                if code == len(self._labels):
                    self._labels.append(label_of(labels, number))
        return np.array([classes[number] for number in numbers], np.int64)

    def _forget_labels(self) -> None:
        used, self._tracks.label[:] = np.unique(self._tracks.label, return_inverse=True)
        self._labels = [self._labels[code] for code in used.tolist()]
        self._codes = {text: code for code, text in enumerate(self._labels)}
        self._classes = ((), {})

    def _usable(self, detections: Detections, labels: Sequence[str]) -> tuple[Found, Mask, Mask]:
        """What was found, and which of it (N,) has a high score, and which a low one."""
        xyxy, score = detections.xyxy.T.astype(np.float64), detections.score.astype(np.float64)
        high = detections.score >= self._high
        low = (detections.score >= self._options.low_score) > high  # and not high
        sides, numbers = xyxy[:2] < xyxy[2:], np.isfinite(xyxy)
        if not (sides.all() and numbers.all()):
            boxes = sides.all(axis=0) & numbers.all(axis=0)
            xyxy[:, ~boxes] = 0
            high &= boxes
            low &= boxes
        return (xyxy, score, self._label_codes(detections, labels)), high, low

    def _associate(self, found: Found, high: Mask, low: Mask, waiting: Mask | None) -> Mask:
        """The three rounds; which detections are left."""
        count, left = len(self._tracks), high | low
        if not count or not left.any():
            return left
        sure = self._tracks.sure
        likeness = self._likeness(found, waiting)
        free = np.ones(count, np.bool_)
        met: list[tuple[Index, Index]] = []
        for first, behind, candidates, least in (
            (0, sure, high, LIKE_HIGH),
            (0, sure, low, LIKE_LOW),
            (sure, count, left, LIKE_NEW),
        ):
            columns = candidates.nonzero()[0]
            if first == behind or not len(columns):
                continue
            rows = first + free[first:behind].nonzero()[0]
            if len(rows) == count and len(columns) == len(left):
                pairs = assign(likeness, least)
            else:
                of_rows, of_columns = assign(likeness[rows[:, np.newaxis], columns], least)
                pairs = rows[of_rows], columns[of_columns]
            if len(pairs[0]):
                met.append(pairs)
                free[pairs[0]] = left[pairs[1]] = False
        if met:
            rows, columns = met[0] if len(met) == 1 else tuple(map(np.concatenate, zip(*met, strict=True)))
            self._see(rows, columns, found)
        return left

    def _likeness(self, found: Found, waiting: Mask | None) -> Array:
        """Of each track and detection (M, N), 0-1; 0 where they must not meet."""
        tracks = self._tracks
        reach = np.sqrt(tracks.filter[:2, motion.OF_PLACE])
        reach *= REACH
        np.minimum(reach, MAX_REACH * tracks.size, out=reach)
        if waiting is not None:
            reach[:, waiting] = 0
        likeness = overlap_within(motion.to_xyxy(tracks.filter[:, PLACE]), found[0], reach)
        if waiting is not None:
            likeness[waiting[:, np.newaxis] & (likeness < LIKE_STILL)] = 0
        if len(self._codes) > 1:
            likeness *= tracks.label[:, np.newaxis] == found[2]
        return likeness

    def _see(self, rows: Index, columns: Index, found: Found) -> None:
        """Tracks ``rows`` are detections ``columns``."""
        tracks = self._tracks
        at: Index | slice = rows
        if len(rows) == len(tracks):  # as a rule, and without copies
            at, columns = slice(None), columns[rows.argsort()]
        xyxy, score = found[0][:, columns], found[1][columns]
        seen = tracks.filter[..., at]
        motion.correct(seen, motion.to_place(xyxy), score)
        size = motion.size_of(seen[:, PLACE])
        seen[:, motion.SQUARE] = np.square(size)
        tracks.filter[..., at] = seen
        tracks.size[at] = size
        tracks.xyxy[:, at] = xyxy
        tracks.score[at] = score
        tracks.best_score[at] = np.maximum(tracks.best_score[at], score)
        tracks.seen_s[at] = self._now_s
        tracks.unseen_s[at] = 0
        tracks.found[at] += 1
        tracks.hits[at] += score >= self._high
        tracks.detection[at] = columns

    def _confirm(self) -> tuple[int, ...]:
        """Give ids to the tracks that became sure."""
        tracks, options, old = self._tracks, self._options, self._tracks.sure
        if old == len(tracks):
            return ()
        hits = tracks.hits[old:]
        lasting = (hits >= 2) & (tracks.seen_s[old:] - tracks.first_s[old:] >= options.sure_s)
        often = (hits >= options.sure_hits) | lasting
        sure = often & (2 * tracks.found[old:] >= tracks.looks[old:])
        count = int(np.count_nonzero(sure))
        if not count:
            return ()
        ids = range(self.next_id, self.next_id + count)
        tracks.track_id[old:][sure] = ids
        self.next_id = ids.stop
        order = np.concatenate((np.arange(old), old + (~sure).argsort(kind="stable")))
        self._tracks = tracks.take(order)
        return tuple(ids)

    def _end(self) -> tuple[int, ...]:
        """Drop the tracks that were not seen for too long; ids of those that had one."""
        late = (self._tracks.missed >= 2).nonzero()[0]
        if not len(late):
            return ()
        tracks, options = self._tracks.take(late), self._options
        stood_s = np.where(tracks.stationary, tracks.still_s - tracks.unseen_s, 0)
        kept_s = np.clip(STOOD * stood_s, options.lost_s, max(options.lost_s, options.still_lost_s))
        kept_s[self._outside(tracks) >= OUTSIDE] = min(OUTSIDE_S, options.lost_s)
        kept_s[tracks.track_id == 0] = NEW_UNSEEN_S
        over = tracks.unseen_s >= kept_s
        if not over.any():
            return ()
        self._tracks = self._tracks.take(np.delete(np.arange(len(self._tracks)), late[over]))
        return _sure(tracks.track_id[over])

    def _outside(self, tracks: State) -> Array:
        """The share (M,) of each track's box that is not in the picture."""
        xyxy = motion.to_xyxy(tracks.filter[:, PLACE])
        inside = np.minimum(np.maximum(xyxy.reshape(2, 2, -1), 0), self._most)
        area = np.maximum((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]), 1e-9)
        sides = inside[1] - inside[0]
        return np.asarray(1 - sides[0] * sides[1] / area)

    def _told(self, count: int, started: tuple[int, ...], ended: tuple[int, ...]) -> TrackedFrame:
        """What the frame's holder gets: copies."""
        tracks, sure = self._tracks, self._tracks.sure
        track_id = np.zeros(count, np.int64)
        if not sure:
            return TrackedFrame(_NONE, track_id, started, ended)
        ids, detection, xyxy = tracks.track_id[:sure].copy(), tracks.detection[:sure], tracks.xyxy[:, :sure]
        unseen = detection < 0
        if unseen.any():
            xyxy = np.where(unseen, motion.to_xyxy(tracks.filter[:, PLACE, :sure]), xyxy)
            seen = ~unseen
            track_id[detection[seen]] = ids[seen]
        else:
            track_id[detection] = ids
        (score, best_score), (first_s, seen_s) = tracks.scores(sure), tracks.moments(sure)
        told = Tracks(
            track_id=ids,
            xyxy=self._clipped(xyxy),
            score=score,
            best_score=best_score,
            label=tuple([self._labels[code] for code in tracks.label[:sure].tolist()]),
            first_s=first_s,
            seen_s=seen_s,
            stationary=tracks.stationary[:sure].copy(),
            detection=detection.astype(np.int32),
        )
        return TrackedFrame(told, track_id, started, ended)

    def _clipped(self, xyxy: Array) -> NDArray[np.float32]:
        """Corners (4, M) as (M, 4) inside the frame, a pixel wide and high at least."""
        inside = np.empty(xyxy.shape, np.float32)
        low, high = inside[:2], inside[2:]
        low[:] = np.minimum(np.maximum(xyxy[:2], 0), self._most - 1)
        high[:] = np.minimum(np.maximum(xyxy[2:], low + 1), self._most)
        return inside.T


def _sure(ids: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(sorted(ids[ids > 0].tolist()))


_NONE = Tracks(
    track_id=np.zeros(0, np.int64),
    xyxy=np.zeros((0, 4), np.float32),
    score=np.zeros(0, np.float32),
    best_score=np.zeros(0, np.float32),
    label=(),
    first_s=np.zeros(0),
    seen_s=np.zeros(0),
    stationary=np.zeros(0, np.bool_),
    detection=np.zeros(0, np.int32),
)
_NOTHING = TrackedFrame(_NONE, np.zeros(0, np.int64), (), ())
