"""The plainest tracker: a box goes to the track whose last box it overlaps most."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracks.scenes import Look
from benchmarks.tracks.scores import iou_of

OVERLAP, SCORE, KEPT_S, HITS = 0.3, 0.4, 1.0, 2


class PlainTracker:
    """Greedy, by intersection over union, label by label; a track is told from its second box on."""

    def __init__(self) -> None:
        self._next = 1
        self._tracks: list[dict[str, object]] = []

    def update(self, look: Look) -> NDArray[np.int64]:
        """Ids (N,) of the detections, 0 = none."""
        ids = np.zeros(len(look.score), np.int64)
        self._tracks = [track for track in self._tracks if look.at_s - track["seen_s"] <= KEPT_S]
        usable = np.flatnonzero(look.score >= SCORE)
        boxes = np.array([track["xyxy"] for track in self._tracks], float).reshape(-1, 4)
        iou = iou_of(boxes, look.xyxy[usable])
        iou[np.array([track["label"] for track in self._tracks])[:, None] != look.label[usable]] = 0
        taken: set[int] = set()
        while iou.size and iou.max() >= OVERLAP:
            row, column = np.unravel_index(iou.argmax(), iou.shape)
            track, number = self._tracks[row], int(usable[column])
            track |= {"xyxy": look.xyxy[number], "seen_s": look.at_s, "hits": track["hits"] + 1}
            if track["hits"] >= HITS:
                ids[number] = track["id"]
            taken.add(number)
            iou[row], iou[:, column] = 0, 0
        for number in (int(n) for n in usable if int(n) not in taken):
            self._tracks.append(
                {
                    "id": self._next,
                    "xyxy": look.xyxy[number],
                    "label": look.label[number],
                    "seen_s": look.at_s,
                    "hits": 1,
                }
            )
            self._next += 1
        return ids
