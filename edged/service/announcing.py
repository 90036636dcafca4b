"""Keeps Home Assistant told of this device, and remembers in ``homeassistant.json`` what it was told.

    {"topic": "homeassistant/device/edged--gate-7/config", "components": {"camera--front--snapshot": "image", …},
     "removed": {…}, "labels": {"front": ["person", "car"]}}

What is not announced any more must be removed by its identifier, and a restart may lie between. So the file is written
before anything is said: a power cut then costs a needless removal, never an entity that nobody removes. A file that
cannot be read is begun anew; what Home Assistant knows beyond it must be deleted there by hand then.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from edged.mqtt.homeassistant import (
    NO_DEVICE,
    PREFIX,
    Announced,
    Component,
    announced_components,
    config_payload,
    discovery_topic,
)
from edged.mqtt.topics import Topics
from edged.service.statefile import StateFileDamagedError, read_state, write_state

FILE = "homeassistant.json"
MAX_BYTES = 4 << 20
MAX_REMOVED = 500
"""Of those that are named as gone; the newest."""

log = structlog.get_logger()


class _File(BaseModel):
    """What was said.

    Attributes:
        topic: Where; empty = nothing was.
        components: Platform of each, by identifier.
        removed: Likewise, of those that are named as gone.
        labels: Those that were counted, by camera.
        withdrawn: Home Assistant was told that there is no device.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: str = ""
    components: dict[str, str] = {}
    removed: dict[str, str] = {}
    labels: dict[str, tuple[str, ...]] = {}
    withdrawn: bool = False


class Announcer:
    """Announces, and withdraws. Any thread may call; a call may wait for the disk, so not the link's.

    Its calls are cheap where nothing has changed: the file is not written, and ``set_state`` is expected to do nothing
    for a state that the broker has.
    """

    def __init__(
        self, folder: Path, set_state: Callable[[str, bytes], None], *, prefix: str = PREFIX
    ) -> None:
        """Read what was said before.

        Args:
            folder: Of this instance's state; made when something is written first.
            set_state: Has the broker keep a payload on a topic, on every connection again; an empty payload clears
                the topic. Called under a lock: it must not call back.
            prefix: Where Home Assistant looks for devices.
        """
        self._path, self._set_state, self._prefix = folder / FILE, set_state, prefix
        self._lock = threading.Lock()
        self._withdrawn_now = False
        self._written = True
        self._known = self._read()

    def labels(self, camera: str) -> tuple[str, ...]:
        """Labels of a camera that were announced last, also before a restart; they count as seen."""
        with self._lock:
            return self._known.labels.get(camera, ())

    def announce(self, announced: Announced, topics: Topics, *, born: bool = False) -> None:
        """Say what there is now, and what is not there any more.

        To be called at the start, after a reload, when a label is seen first, and when Home Assistant has started. Call
        it before the states of what is gone are cleared, or Home Assistant complains in its log that it cannot read
        them.

        Args:
            announced: The device as it is now.
            topics: Of the device. Where they differ from those of the last call, that device is withdrawn.
            born: Home Assistant has just started. It knows nothing then that need be removed, but for what is gone
                since the last call.
        """
        topic = discovery_topic(topics, prefix=self._prefix)
        components = dict(announced_components(announced, topics))
        with self._lock:
            known = self._known
            if known.topic and known.topic != topic:
                self._set_state(known.topic, NO_DEVICE)
                known = _File()
            before = ({} if born else known.removed) | known.components
            gone = {key: platform for key, platform in before.items() if key not in components}
            newest = dict(list(gone.items())[-MAX_REMOVED:])
            self._keep(
                _File(
                    topic=topic,
                    components=components,
                    removed=newest,
                    labels={camera.name: camera.labels for camera in announced.cameras if camera.labels},
                )
            )
            self._withdrawn_now = False
            removed = [Component(*one) for one in newest.items()]
            self._set_state(topic, config_payload(announced, topics, removed=removed))
        if components != known.components:
            log.info("announced to Home Assistant", topic=topic, entities=len(components), gone=len(newest))

    def withdraw(self) -> None:
        """Have Home Assistant forget this device, if it was ever announced.

        It is said again at the next start, in case the broker was not reached in this one; then it is forgotten here.
        """
        with self._lock:
            known = self._known
            if not known.topic or self._withdrawn_now:
                return
            self._withdrawn_now = True
            self._set_state(known.topic, NO_DEVICE)
            self._keep(_File() if known.withdrawn else _File(topic=known.topic, withdrawn=True))
        log.info("withdrawn from Home Assistant", topic=known.topic)

    def _keep(self, said: _File) -> None:
        if said == self._known and self._written:
            return
        self._known, self._written = said, False
        try:
            if said == _File():
                self._path.unlink(missing_ok=True)
            else:
                write_state(self._path, said.model_dump_json(exclude_defaults=True).encode() + b"\n")
        except OSError as error:
            log.warning(
                "what was announced to Home Assistant is not written down",
                file=str(self._path),
                reason=error.strerror or str(error),
            )
        else:
            self._written = True

    def _read(self) -> _File:
        try:
            content = read_state(self._path, MAX_BYTES)
            return _File() if content is None else _File.model_validate_json(content)
        except OSError as error:
            return self._anew(error.strerror or str(error))
        except StateFileDamagedError as error:
            return self._anew(str(error))
        except ValidationError as error:
            return self._anew(error.errors(include_url=False)[0]["msg"])

    def _anew(self, reason: str) -> _File:
        log.warning(
            "what was announced to Home Assistant is not known; what is gone since then must be deleted there",
            file=str(self._path),
            reason=reason,
        )
        return _File()
