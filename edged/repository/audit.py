"""A repository as a box sees it: walked by TUF's own client from a root that is trusted, then every target read.

From a folder the same client reads files in place of answers. Everything that is wrong with targets is gathered;
metadata that does not verify ends the walk, as it does on a box.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher
from urllib3.exceptions import HTTPError

from edged.errors import BadInput, EdgedError, InputNotFound, Unreachable
from edged.offers import Offer, read_offer
from edged.repository.terms import ROOT, SNAPSHOT, TARGETS, TIMESTAMP

MAX_ROOT_BYTES = 512_000
_PIECE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class RoleState:
    """One role, as it verified.

    Attributes:
        role: Its name.
        version: Of its metadata.
        expires: When a box stops believing it.
        keys: How many keys it has.
        threshold: How many of them must sign.
    """

    role: str
    version: int
    expires: datetime
    keys: int
    threshold: int


@dataclass(slots=True)
class Findings:
    """What a walk found.

    Attributes:
        roles: In the order of the walk.
        offers: That could be read.
        targets: How many files were read.
        read_bytes: Of them.
        problems: A line each.
        not_ed25519: Kinds of keys that a box checks only with `cryptography` installed.
    """

    roles: list[RoleState] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    targets: int = 0
    read_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    not_ed25519: set[str] = field(default_factory=set)


def is_url(place: str) -> bool:
    """Whether a place is asked over HTTP."""
    return urlsplit(place).scheme in {"http", "https"}


def first_root(place: str) -> bytes:
    """The root that a repository began with; who takes it from a server trusts the server this once.

    Raises:
        InputNotFound: There is none.
        Unreachable: The server does not answer.
    """
    with _translated(place):
        return _fetcher(place).download_bytes(f"{_base(place)}metadata/1.root.json", MAX_ROOT_BYTES)


def walk(place: str, trusted: bytes, say: Callable[[str], None] = lambda _: None) -> Findings:
    """Verify everything.

    Args:
        place: A folder, or the address of one.
        trusted: The root that boxes have.
        say: Told what is being read.

    Raises:
        BadInput: The metadata does not verify: no box would take anything from here.
        InputNotFound: There is no repository.
        Unreachable: The server does not answer.
    """
    found = Findings()
    fetcher = _fetcher(place)
    with tempfile.TemporaryDirectory(prefix="edged-verify-") as cache, _translated(place):
        base = _base(place)
        updater = Updater(cache, f"{base}metadata/", fetcher=fetcher, bootstrap=trusted)
        updater.refresh()
        targets = _read_roles(Path(cache), found)
    for target in targets.targets.values():
        say(target.path)
        found.targets += 1
        try:
            found.read_bytes += _read_target(fetcher, f"{_base(place)}targets/", target)
            if target.path.endswith(".tar"):
                found.offers.append(
                    read_offer(target.path, target.length, target.hashes["sha256"], target.custom)
                )
        except EdgedError as error:
            found.problems.append(str(error))
    signed = {target.path for target in targets.targets.values()}
    found.problems += [
        f"{offer.target}: its delta {delta.target} is not signed; publish it again"
        for offer in found.offers
        for delta in offer.deltas
        if delta.target not in signed
    ]
    return found


def _read_roles(cache: Path, found: Findings) -> Targets:
    """What the client verified, from where it keeps it."""
    root = Metadata[Root].from_bytes((cache / "root.json").read_bytes()).signed
    timestamp = Metadata[Timestamp].from_bytes((cache / "timestamp.json").read_bytes()).signed
    snapshot = Metadata[Snapshot].from_bytes((cache / "snapshot.json").read_bytes()).signed
    targets = Metadata[Targets].from_bytes((cache / "targets.json").read_bytes()).signed
    for role, signed in ((ROOT, root), (TARGETS, targets), (SNAPSHOT, snapshot), (TIMESTAMP, timestamp)):
        keys = root.roles[role]
        found.roles.append(RoleState(role, signed.version, signed.expires, len(keys.keyids), keys.threshold))
    found.not_ed25519 = {key.keytype for key in root.keys.values()} - {"ed25519"}
    return targets


def _read_target(fetcher: FetcherInterface, base: str, target: TargetFile) -> int:
    """Read one target to its end; its bytes.

    Raises:
        EdgedError: It is not there, or is not what was signed.
    """
    folder, _, name = target.path.rpartition("/")
    hashed, length = hashlib.sha256(), 0
    signed = target.hashes.get("sha256", "")
    if not signed:
        raise BadInput(target.path, "is signed without a SHA-256", "publish it again")
    address = f"{base}{quote(folder)}/{signed}.{quote(name)}"
    with _translated(target.path):
        for piece in fetcher.fetch(address):
            length += len(piece)
            hashed.update(piece)
            if length > target.length:
                break
    if length != target.length:
        words = (
            f"more than {target.length:,}" if length > target.length else f"{length:,} of {target.length:,}"
        )
        raise BadInput(target.path, f"has {words} bytes", "restore the file, or publish the version again")
    if hashed.hexdigest() != signed:
        raise BadInput(target.path, "has another hash than was signed", "restore the file")
    return length


class _FolderFetcher(FetcherInterface):
    """Answers from files as a static web server would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._folder / unquote(urlsplit(url).path).lstrip("/")
        try:
            file = path.open("rb")
        except OSError as error:
            raise DownloadHTTPError(f"{path}: {error.strerror}", 404) from error
        return _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _fetcher(place: str) -> FetcherInterface:
    if is_url(place):
        return Urllib3Fetcher()
    if not Path(place).is_dir():
        raise InputNotFound(place, "no such folder", "name a repository's folder or address")
    return _FolderFetcher(Path(place))


def _base(place: str) -> str:
    return f"{place.rstrip('/')}/" if is_url(place) else "file:///"


@contextlib.contextmanager
def _translated(subject: str) -> Iterator[None]:
    try:
        yield
    except DownloadHTTPError as error:
        problem = f"lacks a file that it names (HTTP {error.status_code}: {error})"
        raise InputNotFound(subject, problem, "copy the whole folder to the server") from error
    except DownloadError as error:
        cause = error.__cause__ or error
        raise Unreachable(subject, f"does not answer as it should ({cause})", "check the address") from error
    except RepositoryError as error:
        raise BadInput(
            subject, f"does not verify ({type(error).__name__}: {error})", "boxes take nothing from here"
        ) from error
    except (HTTPError, OSError) as error:
        raise Unreachable(subject, f"broke off ({error})", "try again") from error
