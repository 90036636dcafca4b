"""Pictures that a broker keeps for us, and what became of their right to be there: ``pictures.json``.

    {"topics": {"edged/gate-7/camera/front/snapshot/person": {"camera": "front", "label": "person", "rules": "3f2a…"}}}

A picture stays on a broker whatever becomes of edged and its configuration. So it is written down which there are,
before they are sent; one whose camera, label or privacy is configured otherwise by now is taken back, also after a
restart.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from edged.mqtt.topics import level
from edged.sections import CameraSettings
from edged.service.statefile import StateFileDamagedError, read_state, write_state

FILE = "pictures.json"
MAX_BYTES = 1 << 20
MAX_LABELS = 32
"""Of one camera; the oldest goes."""
MAX_TOPIC_BYTES = 65535

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Entry:
    """Of one topic.

    Attributes:
        camera: Whose it is.
        label: Of what.
        rules: What was asked for when it was made (`rules_of`).
    """

    camera: str
    label: str
    rules: str


class KeptPictures:
    """Any thread may call."""

    def __init__(
        self,
        folder: Path | None,
        cameras: Callable[[], Mapping[str, CameraSettings]],
        set_state: Callable[[str, bytes], None],
        clear_state: Callable[[str], None],
    ) -> None:
        """Read which there are.

        Args:
            folder: Of this instance; None = nothing is written down.
            cameras: As they are configured now.
            set_state: Has the broker keep a payload on a topic.
            clear_state: Has it forget it.
        """
        self._path = folder / FILE if folder else None
        self._cameras, self._set, self._clear = cameras, set_state, clear_state
        self._lock = threading.Lock()
        self._kept = self._read()

    @property
    def topics(self) -> tuple[str, ...]:
        """On which there may be a picture."""
        with self._lock:
            return tuple(self._kept)

    def put(self, topic: str, camera: str, label: str, picture: bytes, section: CameraSettings) -> None:
        """Have a picture kept, unless the configuration has changed since it was made.

        Args:
            topic: Where.
            camera: Whose it is.
            label: Of what.
            picture: A JPEG.
            section: Of the camera, under which it was made.
        """
        entry = _Entry(camera=camera, label=label, rules=rules_of(section))
        with self._lock:
            if not _may_stay(entry, self._cameras().get(camera)):
                return
            if self._kept.get(topic) != entry:
                self._kept.pop(topic, None)
                self._kept[topic] = entry
                mine = [one for one, known in self._kept.items() if known.camera == camera]
                for oldest in mine[:-MAX_LABELS]:
                    self._take_back(oldest)
                self._write()
            self._set(topic, picture)

    def review(self, *, root: str) -> None:
        """Take back what is not to be there any more; to be called at the start and when the configuration has changed.

        Args:
            root: Before every topic of this device; others were those of another name.
        """
        with self._lock:
            cameras = self._cameras()
            gone = [
                topic
                for topic, entry in self._kept.items()
                if not topic.startswith(f"{root}/") or not _may_stay(entry, cameras.get(entry.camera))
            ]
            for topic in gone:
                self._take_back(topic)
            if gone:
                self._write()

    def _take_back(self, topic: str) -> None:
        del self._kept[topic]
        self._clear(topic)

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            if self._kept:
                topics = {topic: asdict(entry) for topic, entry in self._kept.items()}
                write_state(self._path, json.dumps({"topics": topics}).encode() + b"\n")
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "pictures that the broker keeps are not written down",
                file=str(self._path),
                reason=error.strerror or str(error),
            )

    def _read(self) -> dict[str, _Entry]:
        if self._path is None:
            return {}
        try:
            content = read_state(self._path, MAX_BYTES)
            return _entries(content) if content is not None else {}
        except OSError as error:
            why = error.strerror or str(error)
        except StateFileDamagedError as error:
            why = str(error)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = f"it is not what was written: {error}"
        log.warning(
            "which pictures the broker keeps is not known; what should not be there must be deleted there",
            file=str(self._path),
            reason=why,
        )
        return {}


def _entries(content: bytes) -> dict[str, _Entry]:
    topics = json.loads(content)["topics"]
    entries = {
        topic: _Entry(str(entry["camera"]), str(entry["label"]), str(entry["rules"]))
        for topic, entry in topics.items()
    }
    for topic, entry in entries.items():
        if not _is_a_picture(topic, entry):  # it would be cleared on the broker, whosoever it is
            raise ValueError(f"{topic[:100]!a} is no topic of a picture")
    return entries


def _is_a_picture(topic: str, entry: _Entry) -> bool:
    if not topic.endswith(f"/camera/{entry.camera}/snapshot/{level(entry.label)}"):
        return False
    is_plain = all(not part or level(part) == part for part in topic.split("/"))
    return is_plain and len(topic.encode()) <= MAX_TOPIC_BYTES  # what is no Unicode is a `ValueError`


def rules_of(section: CameraSettings) -> str:
    """What was asked for, in few letters: a picture that was made under other rules may not stay."""
    said = json.dumps(section.privacy.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _may_stay(entry: _Entry, section: CameraSettings | None) -> bool:
    if section is None or not section.snapshots.enabled or rules_of(section) != entry.rules:
        return False
    return not section.snapshots.labels or entry.label in section.snapshots.labels
