"""What is known of a model's versions: what stands in the store, what was rejected, pinned, and trusted."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from edged.errors import EdgedError, InputNotFound
from edged.modelstore.digests import onnx_digest
from edged.modelstore.home import Home
from edged.modelstore.pins import look_at_pin, write_pin
from edged.modelstore.pruning import clear, prune
from edged.modelstore.records import (
    Rejection,
    Service,
    lift_rejection,
    read_rejection,
    read_service,
    rejection_file,
    write_rejection,
    write_service,
)
from edged.modelstore.survey import Arrivals, Mark, Standing, content_digest, stand

log = structlog.get_logger()

COPIES = 3
"""Of a single file, which edged makes and therefore clears."""


STRAY_S = 10.0
"""A folder that is no version is spoken of when it has been there for so long: it may be on its way in."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version and what identifies it.

    Attributes:
        standing: Where it stands, and as what.
        digest: ``sha256:…`` of its ONNX file; empty where it cannot be read.
        content: Of all its files.
    """

    standing: Standing
    digest: str
    content: str

    @property
    def number(self) -> int:
        """Its number."""
        return self.standing.version


@dataclass(frozen=True, slots=True)
class _Rejected:
    """A rejection, the version as it stood then, and whether it is written down."""

    rejection: Rejection
    marks: tuple[Mark, ...]
    written: bool


class Ledger:
    """Owned by the model's thread; others may read its attributes, which are replaced and never changed.

    Attributes:
        found: What stood in the store at the last look, by number.
        waiting: Of that, what has not arrived yet, and what it waits for.
        pinned: The version that a person wants served, or None.
        pin_problem: Why there is nothing to serve where the pin points, and what to do; empty where there is.
    """

    def __init__(self, name: str, home: Home, *, keep_versions: int) -> None:
        """Nothing is looked at yet.

        Args:
            name: Of the model, for the log.
            home: Where it lives.
            keep_versions: How many are kept; 0 = all.
        """
        self._name, self.home, self._keep_versions = name, home, keep_versions
        self.found: dict[int, Standing] = {}
        self.waiting: dict[int, str] = {}
        self.pinned: int | None = None
        self.pin_problem = ""
        self._arrivals = Arrivals()
        self._strays: dict[Path, float] = {}
        self._warned_of: set[Path] = set()
        self._warned_of_pin = ""
        self._rejected: dict[int, _Rejected] = {}
        self._identities: dict[int, Version] = {}
        if folder := home.records:
            clear(folder)

    def look(self, now_s: float) -> dict[int, Standing]:
        """Look at the store; what has arrived and is not rejected, by number."""
        found = self.home.look()
        waiting = self._arrivals.look(found, now_s)
        self.found, self.waiting = found, waiting
        if folder := self.home.records:
            self._look_at_pin(folder)
        self._rejected = {n: known for n, known in self._rejected.items() if n in found}
        self._identities = {n: version for n, version in self._identities.items() if n in found}
        arrived = {number: one for number, one in found.items() if number not in waiting}
        return {number: one for number, one in arrived.items() if not self._is_rejected(one)}

    def _look_at_pin(self, folder: Path) -> None:
        self.pinned, problem = look_at_pin(folder)
        if problem:
            problem = f"the file pinned {problem}: correct it, or delete it"
        elif self.pinned is not None and self.pinned not in self.found:
            problem = (
                f"version {self.pinned} is pinned and is not there: put it there, or delete the file pinned"
            )
        self.pin_problem = problem

    def warn(self, now_s: float) -> None:
        """Say in the log what leads nowhere, as it was seen at the last look: each once, for as long as it is so.

        Args:
            now_s: On the monotonic clock.
        """
        if self.pin_problem and self.pin_problem != self._warned_of_pin:
            log.warning("the pin of a model leads nowhere", model=self._name, why=self.pin_problem)
        self._warned_of_pin = self.pin_problem
        strays = self.home.strays(self.found)
        self._strays = {path: self._strays.get(path, now_s) for path in strays}
        self._warned_of &= set(strays)
        for path, since_s in self._strays.items():
            if path not in self._warned_of and (now_s - since_s >= STRAY_S or _was_left_alone(path)):
                self._warned_of.add(path)
                log.warning(
                    "a folder in the store is ignored", model=self._name, folder=str(path), why=strays[path]
                )

    def still_stands(self, version: Version) -> bool:
        """Whether a version is there as it was."""
        now = self.home.look().get(version.number)
        return now is not None and now.marks == version.standing.marks

    def identify(self, standing: Standing) -> Version:
        """Read a version through, once."""
        known = self._identities.get(standing.version)
        if known and known.standing == standing:
            return known
        version = Version(standing, onnx_digest(standing.path), content_digest(standing.path))
        self._identities[standing.version] = version
        return version

    def find(self, number: int | None) -> Version:
        """The version of a number.

        Raises:
            InputNotFound: There is none.
        """
        found = self.home.look()
        if number is None or number not in found:
            there = ", ".join(map(str, sorted(found))) or "none"
            raise InputNotFound(f"models.{self._name}", f"has no version {number}", f"there are {there}")
        return self.identify(found[number])

    def known(self, number: int | None) -> Version | None:
        """The version of a number, if it is there."""
        standing = self.home.look().get(number) if number else None
        return self.identify(standing) if standing else None

    def is_kept(self, standing: Standing) -> bool:
        """Whether a single file that was touched is what was kept of it anyway."""
        return self.home.same_as_before(standing, self.identify(standing).content)

    # What was rejected

    @property
    def rejections(self) -> dict[int, Rejection]:
        """Of what stands there, what is not tried again, by number."""
        return {number: known.rejection for number, known in self._rejected.items()}

    def reject(self, version: Version, *, step: str, reason: str, keep: bool = True) -> None:
        """A version is not tried again before one of its files is another.

        Args:
            version: Which.
            step: At which it failed.
            reason: Why.
            keep: Write it down, so that it outlives this process.
        """
        from edged.mqtt.payloads import timestamp  # noqa: PLC0415  # a daemon asks for its first model before that

        rejection = Rejection(
            version=version.number,
            digest=version.digest,
            content=version.content,
            step=step,
            reason=reason,
            at=timestamp(time.time()),
        )
        written = False
        log.error("version rejected", model=self._name, version=version.number, step=step, reason=reason)
        if keep and (folder := self.home.records):
            try:
                write_rejection(folder, rejection)
                written = True
            except EdgedError as error:
                log.warning("the rejection was not written down", model=self._name, error=str(error))
        self._note(version.number, _Rejected(rejection, version.standing.marks, written))

    def is_rejected(self, version: Version) -> bool:
        """Whether a version is rejected as it was when it was identified."""
        known = self._rejected.get(version.number)
        return known is not None and known.rejection.is_of(version.content, version.digest)

    def forgive(self, number: int) -> None:
        """A version is tried again."""
        self._rejected = {n: known for n, known in self._rejected.items() if n != number}
        if folder := self.home.records:
            lift_rejection(folder, number)

    def _is_rejected(self, standing: Standing) -> bool:
        number, folder = standing.version, self.home.records
        known = self._rejected.get(number)
        if known and known.written and folder and not rejection_file(folder, number).exists():
            self.forgive(number)  # a person took the record away: try it again
            return False
        if known and known.marks == standing.marks:
            return True
        if known is None and folder and (rejection := read_rejection(folder, number)):
            known = _Rejected(rejection, standing.marks, written=True)
        if known is None:
            return False
        version = self.identify(standing)
        if known.rejection.is_of(version.content, version.digest):
            self._note(number, replace(known, marks=standing.marks))
            return True
        self.forgive(number)
        return False

    def _note(self, number: int, rejected: _Rejected) -> None:
        self._rejected = {**self._rejected, number: rejected}  # others read it

    # What is served

    def pin(self, number: int | None) -> None:
        """Serve this version whatever is newer, or the newest.

        Raises:
            NotAllowed, CannotWrite: It cannot be written down.
        """
        if folder := self.home.records:
            write_pin(folder, number)
        self.pinned, self.pin_problem = number, ""

    @property
    def trusted(self) -> Service | None:
        """What served well last, as it is written down."""
        folder = self.home.records
        return read_service(folder) if folder else None

    def trusted_among(self, acceptable: Mapping[int, Standing]) -> int | None:
        """The version that served well last, if it is there with the same bytes."""
        service = self.trusted
        standing = acceptable.get(service.version) if service else None
        if service is None or standing is None or self.identify(standing).digest != service.digest:
            return None
        return service.version

    def trust(self, version: Version, *, previous: int | None, spared: int | None) -> None:
        """Write down that a version serves well, and remove what is older than need be."""
        folder = self.home.records
        if folder is None:
            return
        record = Service(version=version.number, digest=version.digest or "unknown", previous=previous)
        try:
            if read_service(folder) != record:
                write_service(folder, record)
        except EdgedError as error:
            log.warning("what serves was not written down", model=self._name, error=str(error))
        kept = [version.number, previous, spared, self.pinned]
        keep = self._keep_versions or (COPIES if self.home.copies else 0)
        for number in prune(folder, keep=keep, below=version.number, spared=kept):
            log.info("old version removed", model=self._name, version=number)

    def settle_in(self, version: Version, *, whole: bool) -> Path:
        """Where a version's files stay while it serves; see `Home.accepted`."""
        try:
            path = self.home.accepted(version.standing, whole=whole)
        except (EdgedError, OSError) as error:
            log.warning("the version could not be kept in the store", model=self._name, error=str(error))
            return version.standing.path
        if path != version.standing.path and (copy := stand(path, version.number)):
            # Its files go by other names now; it is the same version all the same.
            self._identities[version.number] = replace(version, standing=copy)
        return path

    def refreshed(self, version: Version, standing: Standing) -> Version | None:
        """The version as it stands now, if it was only touched; None if it is another one."""
        if self.identify(standing).content != version.content:
            return None
        return replace(version, standing=standing)


def _was_left_alone(folder: Path) -> bool:
    """Whether nothing came into a folder or left it for a while."""
    try:
        return time.time() - folder.stat().st_mtime >= STRAY_S
    except OSError:
        return False
