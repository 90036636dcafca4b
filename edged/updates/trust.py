"""What the metadata of a repository says, and whether it may be believed: python-tuf's client, and our floor under it.

`look` is the one door to python-tuf. It is told our time and our root metadata, asks for files through us, and its
errors become ours here: what fails a check is an alarm (`UpdateRefused`). Its folder of metadata is a cache: whatever
happens to it, the floor holds, and what is missing is asked for again from the root metadata on.

python-tuf has no public way to set the time that it compares with, nor to list targets; both are read of
``Updater._trusted_set``, for which its version is pinned and tests are there.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edged.errors import ConfigurationError, EdgedError, UpdateRefused
from edged.updates.floor import ROLES, Floor, Mark, clock_is, fallen, raised, standing
from edged.updates.moments import signed_at
from edged.updates.partial import cannot_write, is_full

if TYPE_CHECKING:
    from tuf.ngclient.fetcher import FetcherInterface
    from tuf.ngclient.updater import Updater

MAX_ROOT_BYTES = 512_000

Ask = Callable[[str, int], bytes]
"""Called with the name of a file of metadata and the most bytes that it may have; raises what `Server.metadata` does,
and `Missing` where there is no such file."""


@dataclass(frozen=True, slots=True)
class Target:
    """A file that was signed.

    Attributes:
        length: In bytes.
        sha256: Hexadecimal; empty where another hash was signed only.
        custom: What the publisher says of it; a stranger's JSON.
    """

    length: int
    sha256: str
    custom: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a repository brought.

    Attributes:
        seen: Of each role whose signatures were right, also where the whole was refused.
        keys: Of each role, by the newest root.
        targets: By path; empty where the whole was refused.
        prefixed: Files of targets have their hash before their names.
        error: Why the whole was refused; None if it was not.
        expired: It was because something is not valid any more.
    """

    seen: Mapping[str, Mark]
    keys: Mapping[str, frozenset[str]]
    targets: Mapping[str, Target]
    prefixed: bool
    error: EdgedError | None
    expired: bool = False


class Missing(Exception):
    """There is no such file, by the status of an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_root(path: Path) -> bytes:
    """The root metadata that a box is told to trust.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            str(path),
            f"cannot be read ({error.strerror or error})",
            "put the publisher's root metadata there",
        ) from error
    if len(content) > MAX_ROOT_BYTES:
        raise ConfigurationError(
            str(path), f"is larger than {MAX_ROOT_BYTES:,} bytes", "this is no root metadata"
        )
    return content


def anchor_of(root: bytes) -> str:
    """What identifies the root metadata that a box starts from."""
    return hashlib.sha256(root).hexdigest()


def settled(
    look: Look, floors: list[Floor], *, anchor: str, now_s: float, subject: str
) -> tuple[Floor | None, EdgedError | None]:
    """What a look means, above the floor that was kept. Pure.

    Args:
        look: That was taken.
        floors: That were kept.
        anchor: Of the root metadata that the box starts from.
        now_s: What the clock says, in seconds since 1970.
        subject: Whose it is, for the error.

    Returns:
        The floor from now on, None to leave it as it is; and why nothing may be taken, None if it may.
    """
    held = standing(floors, anchor=anchor, keys=look.keys)
    floor = raised(held, look.seen)
    if problem := fallen(held, look.seen):
        # An old root knows old keys, by which the marks of other roles would seem to have fallen: they have not.
        remedy = "look who put an old repository there"
        return None, UpdateRefused(subject, f"goes back: {problem}", remedy, reason="rollback")
    if look.error and not look.expired:
        return floor, look.error
    clock = clock_is(now_s, floor.latest_s)
    if clock == "behind" or (clock == "ahead" and look.expired):
        return floor, wrong_clock(subject, clock, now_s, floor.latest_s)
    return floor, look.error


def wrong_clock(subject: str, clock: str, now_s: float, latest_s: float) -> UpdateRefused:
    """The clock of this box cannot be right."""
    where = "before" if clock == "behind" else "long after"
    return UpdateRefused(
        subject,
        f"cannot be judged: the clock says {_day(now_s)}, {where} {_day(latest_s)}, when it was signed",
        "set the clock",
        reason="clock",
    )


def look(folder: Path, root: bytes, ask: Ask, *, now_s: float, subject: str) -> Look:
    """Look at a repository.

    Args:
        folder: Of the cache.
        root: Metadata to start from.
        ask: For files.
        now_s: What the clock says, in seconds since 1970.
        subject: Whose it is, for errors.

    Raises:
        ConfigurationError: The root metadata that the box was given is none.
        UpdateRefused: The clock says what no calendar has.
        UpdateUnreachable: A file does not come, or the disk.
    """
    try:
        return _look(folder, root, ask, now_s=now_s, subject=subject)
    except OSError as error:
        if is_full(error):
            raise cannot_write(folder / "metadata", error) from error
        # Something stands in the way: a folder where a file is to be, a link that cannot be made. It is only a cache.
        shutil.rmtree(folder, ignore_errors=True)
    try:
        return _look(folder, root, ask, now_s=now_s, subject=subject)
    except OSError as error:
        raise cannot_write(folder / "metadata", error) from error


def _look(folder: Path, root: bytes, ask: Ask, *, now_s: float, subject: str) -> Look:
    from tuf.api.exceptions import ExpiredMetadataError, RepositoryError  # noqa: PLC0415  # only who has [updates]
    from tuf.ngclient.updater import Updater  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob("tmp*"):  # of a look that was killed
        left.unlink(missing_ok=True)
    try:
        now = datetime.fromtimestamp(now_s, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise UpdateRefused(
            subject, "cannot be judged: the clock says no date", "set the clock", reason="clock"
        ) from error
    try:
        updater = Updater(str(folder), "", fetcher=cast("FetcherInterface", _Fetcher(ask)), bootstrap=root)
    except RepositoryError as error:
        said = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            "updates.root", f"is no root metadata ({said})", "put the publisher's root metadata there"
        ) from error
    updater._trusted_set.reference_time = now  # see above
    failure: EdgedError | None = None
    expired = False
    try:
        updater.refresh()
    except UpdateRefused as error:
        failure = error
    except (EdgedError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  # a stranger's JSON inside a library: whatever it is, it is not trusted
        failure, expired = _refused(error, subject), isinstance(error, ExpiredMetadataError)
    return _said(updater, failure, expired=expired)


def _said(updater: "Updater", failure: EdgedError | None, *, expired: bool) -> Look:
    trusted = updater._trusted_set  # see above
    root = trusted.root
    keys = {
        name: frozenset(_fingerprint(root.keys[keyid]) for keyid in role.keyids if keyid in root.keys)
        for name, role in root.roles.items()
    }
    seen = {
        role: Mark(
            trusted[role].version,
            signed_at(role, trusted[role].unrecognized_fields, trusted[role].expires),
            keys.get(role, frozenset()),
        )
        for role in ROLES
        if role in trusted
    }
    targets = (
        {}
        if failure
        else {
            path: Target(file.length, file.hashes.get("sha256", ""), _table(file.custom))
            for path, file in trusted.targets.targets.items()
        }
    )
    return Look(seen, keys, targets, bool(root.consistent_snapshot), failure, expired)


def _table(custom: Any) -> Mapping[str, Any]:
    return custom if isinstance(custom, Mapping) else {}


def _fingerprint(key: Any) -> str:
    """Of a key itself: what the metadata calls it may be given to another one."""
    text = f"{key.keytype}\n{key.scheme}\n{sorted(map(str, key.keyval.items()))}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _refused(error: Exception, subject: str) -> UpdateRefused:
    from tuf.api import exceptions  # noqa: PLC0415

    said = " ".join(str(error).split())[:200]
    if isinstance(error, exceptions.ExpiredMetadataError):
        return UpdateRefused(
            subject, f"is not valid any more ({said})", "have its publisher sign it again", reason="frozen"
        )
    if isinstance(error, exceptions.BadVersionNumberError):
        return UpdateRefused(
            subject, f"goes back ({said})", "look who put an old repository there", reason="rollback"
        )
    if isinstance(error, exceptions.LengthOrHashMismatchError):
        return UpdateRefused(
            subject,
            f"does not fit together ({said})",
            "upload it again; look who changed it",
            reason="mismatch",
        )
    return UpdateRefused(
        subject, f"is not signed as it must be ({said})", "look who changed it", reason="signature"
    )


class _Fetcher:
    """How python-tuf gets files: it calls only this one method."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def download_bytes(self, url: str, max_length: int) -> bytes:
        from tuf.api.exceptions import DownloadHTTPError  # noqa: PLC0415

        try:
            return self._ask(url.lstrip("/"), max_length)
        except Missing as missing:
            raise DownloadHTTPError("no such file", missing.status) from missing


def _day(moment_s: float) -> str:
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d")
    return "no date"
