"""How many objects of each label are in the newest picture of each camera."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

MAX_LABELS = 1000
"""Of a camera that are counted; a model may know more."""


class Counts:
    """Counts, and what of them is news. Any thread may call.

    A label is counted once it was found, or was announced; from then on 0 is said, too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Counter[str]]] = {}
        self._said: dict[str, dict[str, int]] = {}

    def saw(self, camera: str, model: str, found: Mapping[str, int]) -> None:
        """A model has looked at a picture of a camera: this is in it."""
        with self._lock:
            self._found.setdefault(camera, {})[model] = Counter(found)

    def sees_nothing(self, camera: str) -> None:
        """There is no picture of a camera any more."""
        with self._lock:
            for model in self._found.get(camera, {}):
                self._found[camera][model] = Counter()

    def expect(self, camera: str, labels: Iterable[str]) -> None:
        """Say 0 of these, too, before they are found for the first time."""
        with self._lock:
            found = self._found.setdefault(camera, {})
            found.setdefault("", Counter()).update(dict.fromkeys(labels, 0))

    def forget(self, camera: str) -> list[str]:
        """A camera is gone; returns the labels that were counted."""
        with self._lock:
            self._found.pop(camera, None)
            return list(self._said.pop(camera, {}))

    def labels(self, camera: str) -> tuple[str, ...]:
        """That were counted, the first one first."""
        with self._lock:
            return tuple(self._said.get(camera, {}))

    def news(self, *, again: bool = False) -> list[tuple[str, str, int]]:
        """Camera, label and count where it is another one than at the last call.

        Args:
            again: All of them: whoever is told knows nothing.
        """
        changed = []
        with self._lock:
            for camera, models in self._found.items():
                said = self._said.setdefault(camera, {})
                now: Counter[str] = Counter()
                for found in models.values():
                    now.update(found)
                for label in [*said, *(label for label in now if label not in said)][:MAX_LABELS]:
                    if again or said.get(label) != now[label]:
                        said[label] = now[label]
                        changed.append((camera, label, now[label]))
        return changed
