"""What is to be blurred in frames that models have looked at: of each the newest few. Any thread may call.

A picture of a frame may leave once every model that can see what is to be blurred has looked at that very frame.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 4096
"""Frames of each camera and model, at most."""
REMEMBERED_S = 65.0
"""So long before the newest: a picture waits almost as long."""

Key = tuple[int, float]
"""Number of a frame, and when it was captured on the monotonic clock."""
Regions = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one model says of one frame.

    Attributes:
        labels: That were looked for.
        seen: Those of them that it would have found, wherever they are where it was looked.
        boxes: float32 (N, 4) of things of these labels, in pixels of the frame.
        regions: Where it was looked, x1, y1, x2, y2 in pixels of the frame; empty = everywhere.
    """

    labels: frozenset[str]
    seen: frozenset[str]
    boxes: NDArray[np.float32]
    regions: Regions = ()


class Looks:
    """Of all cameras."""

    def __init__(self) -> None:
        """None was looked at yet."""
        self._news = threading.Condition()
        self._looks: dict[tuple[str, str], OrderedDict[Key, Look]] = {}

    def add(self, camera: str, model: str, key: Key, look: Look) -> None:
        """A model has looked at a frame."""
        with self._news:
            known = self._looks.setdefault((camera, model), OrderedDict())
            known[key] = look
            known.move_to_end(key)
            while len(known) > REMEMBERED or next(iter(known))[1] < key[1] - REMEMBERED_S:
                known.popitem(last=False)
            self._news.notify_all()

    def of(self, camera: str, models: Iterable[str], key: Key, labels: Iterable[str]) -> Look | None:
        """What models say of a frame together; None = not all of them have looked at it for these labels, or will.

        What only some of them have looked at counts as not looked at, and so does a label that none of them would have
        found.
        """
        wanted = frozenset(labels)
        with self._news:
            looks = [self._of_one((camera, model), key) for model in models]
        found = [look for look in looks if look and wanted <= look.labels]
        if not found or len(found) < len(looks):
            return None
        seen = frozenset[str]().union(*(look.seen for look in found))
        if not wanted <= seen:  # a model of other labels served then, say
            return None
        regions = found[0].regions
        for look in found[1:]:
            regions = _common(regions, look.regions)
        return Look(wanted, seen, np.concatenate([look.boxes for look in found]), regions)

    def passed(self, camera: str, models: Iterable[str], key: Key) -> bool:
        """Whether one of the models will not look at a frame any more: it has looked at a later one."""
        with self._news:
            return any(self._has_passed((camera, model), key) for model in models)

    def wait_for(
        self, camera: str, models: Iterable[str], key: Key, labels: Iterable[str], timeout_s: float
    ) -> Look | None:
        """As `of`, once it is known; None = it will not be, or was not in time."""
        models, labels = tuple(models), tuple(labels)
        with self._news:
            self._news.wait_for(
                lambda: bool(self.of(camera, models, key, labels)) or self.passed(camera, models, key),
                timeout_s,
            )
        return self.of(camera, models, key, labels)

    def forget(self, camera: str) -> None:
        """There is no such camera any more."""
        with self._news:
            self._looks = {who: known for who, known in self._looks.items() if who[0] != camera}

    def _of_one(self, who: tuple[str, str], key: Key) -> Look | None:
        known = self._looks.get(who)
        return known.get(key) if known else None

    def _has_passed(self, who: tuple[str, str], key: Key) -> bool:
        known = self._looks.get(who)
        return known is not None and next(reversed(known))[1] > key[1] and key not in known


def _common(one: Regions, other: Regions) -> Regions:
    """Where both have looked."""
    if not one or not other:
        return one or other
    met = ((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])) for a in one for b in other)
    return tuple(box for box in met if box[0] < box[2] and box[1] < box[3]) or ((0, 0, 0, 0),)
