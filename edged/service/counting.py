"""How many objects there are: in the picture of each camera and in its zones, and how many have crossed its lines."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

MAX_KEYS = 1000
"""Of a camera that are counted; a model may know more labels."""

Key = tuple[str, str] | tuple[str, str, str]
"""Zone and label, the zone empty for the whole picture; or line, label and direction."""
Labels = tuple[str, ...]


class Counts:
    """Counts, and what of them is news. Any thread may call.

    A label is counted once it was found, or was announced; from then on 0 is said, too, also of zones that want it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Counter[Key]]] = {}
        self._crossed: dict[str, dict[str, Counter[Key]]] = {}
        self._zones: dict[str, dict[str, Labels]] = {}
        self._lines: dict[str, dict[str, Labels]] = {}
        self._said: dict[str, dict[Key, int]] = {}

    def saw(self, camera: str, model: str, found: Mapping[tuple[str, str], int]) -> None:
        """This is there now at a camera, as a model sees it."""
        with self._lock:
            self._found.setdefault(camera, {})[model] = _counter(found)

    def crossed(self, camera: str, model: str, crossings: Mapping[tuple[str, str, str], int]) -> None:
        """So many have crossed lines since the start, as a model saw it."""
        with self._lock:
            self._crossed.setdefault(camera, {})[model] = _counter(crossings)

    def expect(self, camera: str, labels: Iterable[str]) -> None:
        """Say 0 of these, too, before they are found for the first time."""
        self.expect_keys(camera, [("", label) for label in labels])

    def expect_keys(self, camera: str, keys: Iterable[Key]) -> None:
        """The same of zones and labels."""
        with self._lock:
            found = self._found.setdefault(camera, {}).setdefault("", Counter())
            found.update(dict.fromkeys(keys, 0))

    def under(self, camera: str, zones: Mapping[str, Labels], lines: Mapping[str, Labels]) -> list[Key]:
        """A camera has these zones and lines from now on, by name, with the labels that count there (empty = all).

        Returns:
            What was said of others, and is not counted any more.
        """
        with self._lock:
            self._zones[camera], self._lines[camera] = dict(zones), dict(lines)
            for places, counted in ((zones, self._found), (lines, self._crossed)):
                for model, found in counted.get(camera, {}).items():
                    kept = {key: count for key, count in found.items() if _counts_in(places, key)}
                    counted[camera][model] = Counter(kept)
            said = self._said.get(camera, {})
            gone = [key for key in said if not _counts_in(lines if len(key) == 3 else zones, key)]
            for key in gone:
                del said[key]
            return gone

    def forget(self, camera: str) -> list[Key]:
        """A camera is gone; returns what was counted."""
        with self._lock:
            for known in (self._found, self._crossed, self._zones, self._lines):
                known.pop(camera, None)
            return list(self._said.pop(camera, {}))

    def forget_model(self, camera: str, model: str) -> None:
        """A camera does not use a model any more."""
        with self._lock:
            for counted in (self._found, self._crossed):
                counted.get(camera, {}).pop(model, None)

    def labels(self, camera: str) -> Labels:
        """That were counted, the first one first."""
        return tuple(dict.fromkeys(key[1] for key in self.keys(camera) if len(key) == 2))

    def keys(self, camera: str) -> tuple[Key, ...]:
        """All that was counted, the first one first."""
        with self._lock:
            return tuple(self._said.get(camera, {}))

    def news(self, *, again: bool = False) -> list[tuple[str, Key, int]]:
        """Camera, key and count where it is another one than at the last call.

        Args:
            again: All of them: whoever is told knows nothing.
        """
        changed = []
        with self._lock:
            for camera in dict.fromkeys([*self._found, *self._crossed, *self._lines]):
                said, now = self._said.setdefault(camera, {}), self._now(camera)
                for key in [*said, *(key for key in now if key not in said)][:MAX_KEYS]:
                    if again or said.get(key) != now[key]:
                        said[key] = now[key]
                        changed.append((camera, key, now[key]))
        return changed

    def _now(self, camera: str) -> Counter[Key]:
        now: Counter[Key] = Counter()
        for found in (*self._found.get(camera, {}).values(), *self._crossed.get(camera, {}).values()):
            now.update(found)
        everywhere = [key[1] for key in now if key[0] == ""]
        for zone, labels in self._zones.get(camera, {}).items():
            for label in labels or everywhere:
                now[zone, label] += 0
        for line, labels in self._lines.get(camera, {}).items():
            for label in labels or everywhere:
                now[line, label, "in"] += 0
                now[line, label, "out"] += 0
        return now


def _counts_in(places: Mapping[str, Labels], key: Key) -> bool:
    """Whether what a key counts is still counted."""
    if key[0] == "":
        return True
    return key[0] in places and (not places[key[0]] or key[1] in places[key[0]])


def _counter(counts: Mapping[tuple[str, str], int] | Mapping[tuple[str, str, str], int]) -> Counter[Key]:
    counter: Counter[Key] = Counter()
    counter.update(counts)
    return counter
