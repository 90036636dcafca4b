"""A camera's tracks, from frame to frame.

A frame's detections are given away in three rounds, each by the assignment that is best as a whole:

    1  detections of high scores ─→ tracks that are sure
    2  those of low scores       ─→ sure tracks that are left: half hidden, blurred
    3  all that are left         ─→ tracks that are not sure yet

What is left of the high scores begins tracks. A track is sure, and gets its id, once it was seen often enough; it
ends when it was not seen for long enough. One that has stood for long is waited for longer: what hides it passes by.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.tracking import motion, stillness
from edged.tracking.association import assign, overlap_within
from edged.tracking.options import HIGH_SCORE, TrackOptions
from edged.tracking.state import Rows, begun, none, resized
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


class Tracker:
    """The tracks of one camera by one model; survives the model's replacement, for it knows labels, not classes.

    Attributes:
        next_id: Of the next track that becomes sure.
    """

    def __init__(self, options: TrackOptions = TrackOptions(), *, first_id: int = 1) -> None:  # noqa: B008
        self.next_id = first_id
        self.under(options)
        self._tracks = none()
        self._at_s: float | None = None
        self._frame_size = (0, 0)
        self._labels: list[str] = []
        self._codes: dict[str, int] = {}

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
        self._move(passed_s)
        label = self._label_codes(detections, labels)
        high, low = self._usable(detections)
        left = self._associate(detections, label, high, low)
        tracks = self._tracks
        tracks["missed"] = np.where(tracks["detection"] < 0, tracks["missed"] + 1, 0)
        stillness.watch(tracks, passed_s, self._options.still_s)
        started = self._confirm()
        ended = self._end()
        columns = (left & high).nonzero()[0]
        if len(columns):
            self._tracks = np.concatenate((self._tracks, begun(detections, columns, label, self._now_s)))
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
        tracks["speed"] = 0
        tracks["covariance"] = motion.first_covariance(tracks["size"])
        tracks["still_s"] += passed_s
        tracks["stationary"] |= (tracks["missed"] == 0) & (tracks["still_s"] >= self._options.still_s)

    def expire(self, at_s: float) -> tuple[int, ...]:
        """No frame comes: ids of the tracks that ended by ``at_s``, ascending."""
        passed_s = self._pass(at_s)
        self._move(passed_s)
        self._tracks["still_s"] += passed_s
        self._tracks["missed"] += 2
        return self._end()

    def end_all(self) -> tuple[int, ...]:
        """Ids of the tracks that were alive, ascending; none is now."""
        ids, self._tracks = self._tracks["track_id"], none()
        return _sure(ids)

    @property
    def _now_s(self) -> float:
        return 0.0 if self._at_s is None else self._at_s

    def _pass(self, at_s: float) -> float:
        """Seconds since the last time; 0 where time stands still, goes back or is none."""
        passed_s = 0.0 if self._at_s is None or not np.isfinite(at_s) else max(0.0, at_s - self._at_s)
        if self._at_s is None and np.isfinite(at_s):
            self._at_s = at_s
        elif self._at_s is not None:
            self._at_s += passed_s
        return passed_s

    def _fit(self, width: int, height: int) -> None:
        before, self._frame_size = self._frame_size, (width, height)
        if before not in ((0, 0), self._frame_size) and len(self._tracks):
            resized(self._tracks, width / before[0], height / before[1])

    def _move(self, passed_s: float) -> None:
        """Think every track on by ``passed_s`` seconds; what stood still where it was lost stays there."""
        tracks = self._tracks
        tracks["unseen_s"] += passed_s
        tracks["looks"] += 1
        tracks["detection"] = -1
        if not passed_s or not len(tracks):
            return
        waiting = tracks["stationary"] & (tracks["missed"] > 0) & (tracks["astray_s"] == 0)
        place, speed, covariance = motion.predicted(
            tracks["place"], tracks["speed"], tracks["covariance"], tracks["size"], passed_s
        )
        if waiting.any():
            place[waiting], speed[waiting] = tracks["anchor"][waiting], 0
            covariance[waiting] = motion.first_covariance(tracks["size"][waiting])
        tracks["place"], tracks["speed"], tracks["covariance"] = place, speed, covariance

    def _label_codes(self, detections: Detections, labels: Sequence[str]) -> NDArray[np.int64]:
        """Of each detection the number of its label's text, whatever the class number of the model."""
        codes = self._codes
        if len(codes) > MAX_LABELS:
            self._forget_labels()
            codes = self._codes
        of_class: dict[int, int] = {}
        for number in set(detections.class_id.tolist()):
            of_class[number] = code = codes.setdefault(label_of(labels, number), len(codes))
            if code == len(self._labels):
                self._labels.append(label_of(labels, number))
        return np.array([of_class[number] for number in detections.class_id.tolist()], np.int64)

    def _forget_labels(self) -> None:
        used, self._tracks["label"] = np.unique(self._tracks["label"], return_inverse=True)
        self._labels = [self._labels[code] for code in used.tolist()]
        self._codes = {text: code for code, text in enumerate(self._labels)}

    def _usable(self, detections: Detections) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Detections of high scores, and of low ones: (N,), (N,)."""
        xyxy, score = detections.xyxy, detections.score
        usable = np.isfinite(xyxy).all(axis=1) & (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
        high = usable & (score >= self._high)
        return high, usable & ~high & (score >= self._options.low_score)

    def _associate(
        self,
        detections: Detections,
        label: NDArray[np.int64],
        high: NDArray[np.bool_],
        low: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """The three rounds; which detections are left."""
        tracks, left = self._tracks, high | low
        if not len(tracks) or not left.any():
            return left
        likeness = self._likeness(detections, label, left)
        sure = tracks["track_id"] > 0
        free = np.ones(len(tracks), bool)
        met: list[tuple[Index, Index]] = []
        for among, candidates, least in (
            (sure, high, LIKE_HIGH),
            (sure, low, LIKE_LOW),
            (~sure, left, LIKE_NEW),
        ):
            rows, columns = (among & free).nonzero()[0], (candidates & left).nonzero()[0]
            met_rows, met_columns = assign(likeness[rows[:, None], columns], least)
            if len(met_rows):
                met.append((rows[met_rows], columns[met_columns]))
                free[met[-1][0]], left[met[-1][1]] = False, False
        if met:
            self._see(np.concatenate([r for r, _ in met]), np.concatenate([c for _, c in met]), detections)
        return left

    def _likeness(
        self, detections: Detections, label: NDArray[np.int64], usable: NDArray[np.bool_]
    ) -> motion.Array:
        """Of each track and detection (M, N), 0-1; 0 where they must not meet."""
        tracks = self._tracks
        reach = REACH * np.sqrt(tracks["covariance"][:, 0, :2])
        reach = np.minimum(reach, MAX_REACH * tracks["size"][:, None])
        waiting = tracks["stationary"] & (tracks["missed"] > 0) & (tracks["astray_s"] == 0)
        reach[waiting] = 0
        xyxy = np.where(usable[:, None], detections.xyxy, 0).astype(np.float64)
        likeness = overlap_within(motion.to_xyxy(tracks["place"]), xyxy, reach)
        if waiting.any():
            likeness[waiting[:, None] & (likeness < LIKE_STILL)] = 0
        likeness *= tracks["label"][:, None] == label
        return likeness

    def _see(self, rows: Index, columns: Index, detections: Detections) -> None:
        """Tracks ``rows`` are detections ``columns``."""
        seen = self._tracks[rows]
        xyxy, score = (
            detections.xyxy[columns].astype(np.float64),
            detections.score[columns].astype(np.float64),
        )
        seen["place"], seen["speed"], seen["covariance"] = motion.corrected(
            seen["place"],
            seen["speed"],
            seen["covariance"],
            motion.to_place(xyxy),
            motion.variance_of(seen["size"], score),
        )
        seen["size"] = motion.size_of(seen["place"])
        seen["xyxy"], seen["score"] = xyxy, score
        seen["best_score"] = np.maximum(seen["best_score"], score)
        seen["seen_s"], seen["unseen_s"] = self._now_s, 0
        seen["found"] += 1
        seen["hits"] += score >= self._high
        seen["detection"] = columns
        self._tracks[rows] = seen

    def _confirm(self) -> tuple[int, ...]:
        """Give ids to the tracks that became sure."""
        tracks, options = self._tracks, self._options
        if tracks["track_id"].all():
            return ()
        hits = tracks["hits"]
        lasting = (hits >= 2) & (tracks["seen_s"] - tracks["first_s"] >= options.sure_s)
        often = (hits >= options.sure_hits) | lasting
        sure = ((tracks["track_id"] == 0) & often & (2 * tracks["found"] >= tracks["looks"])).nonzero()[0]
        ids = range(self.next_id, self.next_id + len(sure))
        tracks["track_id"][sure] = ids
        self.next_id = ids.stop
        return tuple(ids)

    def _end(self) -> tuple[int, ...]:
        """Drop the tracks that were not seen for too long; ids of those that had one."""
        late = (self._tracks["missed"] >= 2).nonzero()[0]
        if not len(late):
            return ()
        tracks, options = self._tracks[late], self._options
        stood_s = np.where(tracks["stationary"], tracks["still_s"] - tracks["unseen_s"], 0)
        kept_s = np.clip(STOOD * stood_s, options.lost_s, max(options.lost_s, options.still_lost_s))
        kept_s[self._outside(tracks) >= OUTSIDE] = min(OUTSIDE_S, options.lost_s)
        kept_s[tracks["track_id"] == 0] = NEW_UNSEEN_S
        over = tracks["unseen_s"] >= kept_s
        if not over.any():
            return ()
        self._tracks = np.delete(self._tracks, late[over])
        return _sure(tracks["track_id"][over])

    def _outside(self, tracks: Rows) -> motion.Array:
        """The share (M,) of each track's box that is not in the picture."""
        xyxy = motion.to_xyxy(tracks["place"])
        inside = np.clip(xyxy, 0, np.array(self._frame_size * 2, np.float64))
        area = np.maximum((xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]), 1e-9)
        return np.asarray(1 - (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1]) / area)

    def _told(self, count: int, started: tuple[int, ...], ended: tuple[int, ...]) -> TrackedFrame:
        """What the frame's holder gets: copies."""
        told = self._tracks[self._tracks["track_id"] > 0]
        ids = told["track_id"]
        if (ids[1:] < ids[:-1]).any():  # one began earlier and was sure later
            told = told[ids.argsort()]
            ids = told["track_id"]
        seen = (told["detection"] >= 0).nonzero()[0]
        xyxy = motion.to_xyxy(told["place"]) if len(seen) < len(told) else told["xyxy"]
        xyxy[seen] = told["xyxy"][seen]
        track_id = np.zeros(count, np.int64)
        track_id[told["detection"][seen]] = ids[seen]
        tracks = Tracks(
            track_id=ids,
            xyxy=_clipped(xyxy, *self._frame_size),
            score=told["score"],
            best_score=told["best_score"],
            label=tuple([self._labels[code] for code in told["label"].tolist()]),
            first_s=told["first_s"],
            seen_s=told["seen_s"],
            stationary=told["stationary"],
            detection=told["detection"],
        )
        return TrackedFrame(tracks, track_id, started, ended)


def _clipped(xyxy: motion.Array, width: int, height: int) -> NDArray[np.float32]:
    """Inside the frame, a pixel wide and high at least."""
    inside = np.empty(xyxy.shape, np.float32)
    for column, most in ((0, width), (1, height)):
        inside[:, column] = np.minimum(np.maximum(xyxy[:, column], 0), most - 1)
        inside[:, column + 2] = np.minimum(np.maximum(xyxy[:, column + 2], inside[:, column] + 1), most)
    return inside


def _sure(ids: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(sorted(ids[ids > 0].tolist()))
