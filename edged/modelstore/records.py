"""What edged writes beside the versions of a model: which is pinned, which is rejected and why, which was served last.

    <folder>/pinned                      a version number and nothing else
    <folder>/<version>.rejected.json     `Rejection`
    <folder>/.served.json                `Service`: after a power cut it is served first, before anything newer is tried

Every file is written whole. One that cannot be read counts as not there, and so does one that says nonsense: a record
must never keep a box from serving.
"""

import contextlib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edged.files import write_whole
from edged.modelstore.pins import read_whole
from edged.modelstore.staging import cannot_write

SERVED = ".served.json"
REJECTED = ".rejected.json"
MAX_REASON = 4000
"""Characters; a model can have its error say anything, and a record that is longer than `MAX_BYTES` is not read."""


def _writable(text: object) -> object:
    """A text that can be written as JSON: names of files may hold bytes that are no UTF-8."""
    return text[:MAX_REASON].encode(errors="replace").decode() if isinstance(text, str) else text


VersionNumber = Annotated[int, Field(ge=1, lt=10**9)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Rejection(_Record):
    """Why a version is not served.

    Attributes:
        version: Its number.
        digest: ``sha256:…`` of its ONNX file; empty where it could not be read.
        content: Of all its files; another one is another version to try.
        step: Of the gate, or ``probation``.
        reason: In one line.
        at: ISO 8601.
    """

    version: VersionNumber
    digest: str = ""
    content: str = ""
    step: str = ""
    reason: Annotated[str, BeforeValidator(_writable)] = ""
    at: str = ""

    def is_of(self, content: str, digest: str) -> bool:
        """Whether this is about a version as it stands now: by all its files, or by its model if no more is known."""
        return content == self.content if self.content else digest == self.digest


class Service(_Record):
    """What was served last, and what before.

    Attributes:
        version: Of the version that serves.
        digest: ``sha256:…`` of its ONNX file.
        previous: The version that served before it, or None.
    """

    version: VersionNumber
    digest: str
    previous: VersionNumber | None = None


def rejection_file(folder: Path, version: int) -> Path:
    """Where the rejection of a version stands."""
    return folder / f"{version}{REJECTED}"


def read_rejection(folder: Path, version: int) -> Rejection | None:
    """Why a version was rejected, or None."""
    with contextlib.suppress(OSError, ValidationError):
        return Rejection.model_validate_json(read_whole(rejection_file(folder, version)))
    return None


def write_rejection(folder: Path, rejection: Rejection) -> None:
    """Write down that a version is not to be served.

    Raises:
        NotAllowed, CannotWrite: The store cannot be written.
    """
    path = rejection_file(folder, rejection.version)
    try:
        write_whole(path, rejection.model_dump_json(indent=2).encode() + b"\n")
    except OSError as error:
        raise cannot_write(path, error) from error


def lift_rejection(folder: Path, version: int) -> None:
    """Forget a rejection, so that the version is tried again. One that cannot be removed stays."""
    with contextlib.suppress(OSError):
        rejection_file(folder, version).unlink(missing_ok=True)


def read_service(folder: Path) -> Service | None:
    """What was served last, or None."""
    with contextlib.suppress(OSError, ValidationError):
        return Service.model_validate_json(read_whole(folder / SERVED))
    return None


def write_service(folder: Path, service: Service) -> None:
    """Write down what is served.

    Raises:
        NotAllowed, CannotWrite: The store cannot be written.
    """
    try:
        write_whole(folder / SERVED, service.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise cannot_write(folder / SERVED, error) from error
