"""What was switched by command, kept in ``overrides.json`` so that it outlives a restart.

    {"cameras": {"front": {"enabled": false, "min_score": 0.5}}}

The file is written whole. One that is damaged is set aside and the configuration counts: what was switched must never
keep a box from starting.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from edged.service.statefile import StateFileDamagedError, read_state, write_state

FILE = "overrides.json"
MAX_BYTES = 1 << 20

log = structlog.get_logger()


class CameraOverride(BaseModel):
    """What was switched of a camera.

    Attributes:
        enabled: False where it was switched off.
        min_score: Instead of the configured one; None = the configured one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: StrictBool = True
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None


NOTHING = CameraOverride()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    cameras: dict[str, CameraOverride] = {}


class Overrides:
    """What was switched, and its file. Not synchronised: its owner holds a lock around every call."""

    def __init__(self, folder: Path) -> None:
        """Read what was kept; a damaged file is renamed, with one warning.

        Args:
            folder: Of this instance; made when something is written first.
        """
        self._path = folder / FILE
        self._written = True
        self._cameras = dict(self._read().cameras)

    def of(self, camera: str) -> CameraOverride:
        """What was switched of a camera; `NOTHING` where nothing was."""
        return self._cameras.get(camera, NOTHING)

    def put(self, camera: str, override: CameraOverride) -> str:
        """Switch something of a camera, and write it down.

        Returns:
            Why it will not survive a restart; empty if it will.
        """
        if override == self.of(camera) and self._written:
            return ""
        others = {name: known for name, known in self._cameras.items() if name != camera}
        self._cameras = others if override == NOTHING else {**others, camera: override}
        return self._write()

    def forget_all_but(self, cameras: Collection[str]) -> None:
        """Forget what was switched of cameras that are not configured any more."""
        gone = [name for name in self._cameras if name not in cameras]
        if not gone:
            return
        self._cameras = {name: known for name, known in self._cameras.items() if name in cameras}
        log.info("what was switched by command is forgotten", cameras=gone, reason="not configured any more")
        if problem := self._write():
            log.warning("what was switched by command is not written down", reason=problem)

    def _write(self) -> str:
        cameras = {
            name: known.model_dump(exclude_defaults=True) for name, known in sorted(self._cameras.items())
        }
        self._written = False
        try:
            write_state(self._path, json.dumps({"cameras": cameras}, indent=2).encode() + b"\n")
        except OSError as error:
            return f"{self._path} cannot be written ({error.strerror or error})"
        self._written = True
        return ""

    def _read(self) -> _File:
        try:
            content = read_state(self._path, MAX_BYTES)
            return _File() if content is None else _File.model_validate_json(content)
        except OSError as error:
            log.warning(
                "what was switched by command is not known, the configuration counts",
                file=str(self._path),
                reason=error.strerror or str(error),
            )
            return _File()
        except StateFileDamagedError as error:
            return self._set_aside(str(error))
        except ValidationError as error:
            return self._set_aside(error.errors(include_url=False)[0]["msg"])

    def _set_aside(self, reason: str) -> _File:
        aside = self._path.with_name(f"{FILE}.damaged")
        try:
            self._path.replace(aside)
        except OSError as error:
            aside = self._path
            reason = f"{reason}; it cannot be renamed ({error.strerror or error})"
        log.warning(
            "what was switched by command is damaged and set aside, the configuration counts",
            file=str(aside),
            reason=reason,
        )
        return _File()
