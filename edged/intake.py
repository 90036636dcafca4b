"""A model comes into the store: from a name of the catalogue, an address, a file, a folder or an archive.

    source ─ fetch or find ─ right digest? ─ unpack ─ model and what belongs to it ─ check ─ publish

All of it happens in a staging folder of the store, which is gone when this ends, however it ends; the last step is a
rename. What reaches the network and what looks into the file are passed in.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from edged.catalog import Catalog, Entry
from edged.download import Bounds, Download, Progress
from edged.errors import BadInput, EdgedError, InputNotFound, ModelRejected, NotAllowed, UsageError
from edged.manifest import read_labels, read_manifest
from edged.modelstore import StoredModel, find_at
from edged.modelstore.adding import find_same, publish
from edged.modelstore.archives import is_archive, unpack_model
from edged.modelstore.digests import sha256_of
from edged.modelstore.finding import belongings, is_alone, model_in, weights
from edged.modelstore.foreign import home_of, told_by_others
from edged.modelstore.staging import cannot_write, staging
from edged.sections import Name
from edged.urls import redacted

MAX_BYTES = 4 * 1024**3
"""Of a file that is fetched, and of a model with all that belongs to it."""

_PIECE_BYTES = 1024**2
_SUFFIXES = re.compile(r"(?i)(\.(onnx|zip|tar|tgz|tbz2|txz|gz|bz2|xz))+$")
_LFS = b"version https://git-lfs"
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml|!--)", re.IGNORECASE)


class Checked(Protocol):
    """What the walk over a model file says."""

    @property
    def external_data(self) -> set[str]:
        """Files of weights, relative to the model and not outside its folder."""
        ...


Check = Callable[[Path], Checked]
"""Looks into a model file; raises ModelRejected where it is none, or none to keep."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for.

    Attributes:
        source: As given.
        shown: The same without secrets, for people.
        entry: Of the catalogue, or None.
        url: To fetch, or None.
        path: To read, or None.
        name: Under which it is stored.
        sha256: That its file must have, in hexadecimal digits, or None.
    """

    source: str
    shown: str
    entry: Entry | None
    url: str | None
    path: Path | None
    name: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """What is in the store now.

    Attributes:
        stored: The version.
        new: Whether it was not there before.
        digest: SHA-256 of the model, in hexadecimal digits.
        size_bytes: Of the model.
        served: The version that is served from now on: a pinned one goes before a newer one. 0 where what is pinned
            is not there.
    """

    stored: StoredModel
    new: bool
    digest: str
    size_bytes: int
    served: int


def understand(
    source: str, *, catalog: Catalog, name: str | None = None, sha256: str | None = None
) -> Wanted:
    """Say what a source is, without touching the network.

    Raises:
        UsageError: Two things it may be, a name or a digest that is none, or nothing to call it after.
        InputNotFound: Neither a file nor a name of the catalogue.
    """
    digest = _hexadecimal(sha256) if sha256 is not None else None
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme and scheme not in {"http", "https"}:
        raise UsageError(
            redacted(source), f"has a scheme ({scheme:.20}) that is not understood", "write https://host/path"
        )
    entry = None if scheme else catalog.find(source)
    path = None if scheme or entry else Path(source)
    if entry and Path(source).exists():
        raise UsageError(
            source,
            "is a file or folder here and a name of the catalogue",
            f"write ./{source} for what is here",
        )
    if path is not None and not path.exists():
        raise _unknown(source, catalog)
    called = name or (
        entry.name if entry else _name_after_url(source) if scheme else _name_after(Path(source))
    )
    if not called:
        raise UsageError(redacted(source), "has no name to call it by", "say --name")
    try:
        TypeAdapter(Name).validate_python(called)
    except ValidationError as error:
        allowed = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError("--name", f"is {called!r:.80}", f"allowed: {allowed}") from error
    return Wanted(
        source=source,
        shown=redacted(source),
        entry=entry,
        url=source if scheme else entry.url if entry else None,
        path=path,
        name=called,
        sha256=digest or (entry.sha256 if entry else None),
    )


def add_model(wanted: Wanted, store: Path, *, download: Download, check: Check, progress: Progress) -> Added:
    """Put a model into the store as the next version of its name, unless it is there already.

    Raises:
        BadInput: Another digest than the one that was wanted, no ONNX model, more than one, or an archive that is not
            safe to unpack.
        InputNotFound: The server or the folder does not have it.
        Unreachable: The server does not answer, or not well.
        NotAllowed: This user may not read it or may not write there.
        CannotWrite: The disk.
    """
    extra = wanted.entry.labels_txt if wanted.entry else None
    labels: Mapping[str, bytes] = {"labels.txt": extra} if extra else {}
    if wanted.url and wanted.sha256:  # nothing needs to come that is here
        same = find_same(store, wanted.name, wanted.sha256, labels)
        if same:
            return _added(store, wanted.name, same, wanted.sha256, new=False)
    with staging(store) as folder:
        found = _find(wanted, folder, download, progress)
        version = folder / "version"
        digest = _gather(found, labels, version, check, wanted.shown)
        same = find_same(store, wanted.name, digest, _contents(version))
        if same:
            return _added(store, wanted.name, same, digest, new=False)
        return _added(store, wanted.name, publish(store, wanted.name, version), digest, new=True)


def _unknown(source: str, catalog: Catalog) -> InputNotFound:
    near = catalog.nearest(source)
    hint = f"did you mean {near!r}?" if near else "`edged model catalog` lists the names"
    return InputNotFound(source, "is no file here and no name of the catalogue", hint)


def _hexadecimal(digest: str) -> str:
    found = digest.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise UsageError("--sha256", f"is {digest!r:.90}", "write the 64 hexadecimal digits of a SHA-256")
    return found


def _name_after_url(url: str) -> str:
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    name = _as_name(_SUFFIXES.sub("", last))
    return "" if name == "model" else name


def _name_after(path: Path) -> str:
    """A file's or a folder's name; `model.onnx` and a version are called after the folder they are in.

    A folder that holds the versions of one model, however deep, is called after the folder of these.
    """
    if path.is_dir():
        path = path.resolve()
        with contextlib.suppress(EdgedError, OSError):  # what is wrong with it is said when it is added
            path = home_of(model_in(path, str(path))) or path
    else:
        path = path.absolute()
        path = path.with_name(_SUFFIXES.sub("", path.name) or "model")
        path = path.parent if path.name == "model" else path
    while path.name.isdecimal():
        path = path.parent
    return _as_name(path.name)


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip("_.-")[:64]


@dataclass(frozen=True, slots=True)
class _Found:
    """A model's file before it is in the store.

    Attributes:
        path: The file.
        ours: Whether it lies in the staging folder, so that it may be moved.
        alone: Whether it came without anything else.
        sha256: That it must have, or None.
    """

    path: Path
    ours: bool
    alone: bool
    sha256: str | None


def _find(wanted: Wanted, folder: Path, download: Download, progress: Progress) -> _Found:
    """Fetch, unpack or look for the model's file."""
    if wanted.url is not None:
        file = folder / "file"
        expected = wanted.entry.size_bytes if wanted.entry else None
        bounds = Bounds(max_bytes=expected or MAX_BYTES, expected_bytes=expected)
        download(wanted.url, file, bounds=bounds, progress=progress)
    else:
        file = wanted.path or Path(wanted.source)
    try:
        if file.is_dir():
            return _Found(model_in(file, wanted.shown), ours=False, alone=False, sha256=wanted.sha256)
        _refuse_pages(file, wanted)
        if not is_archive(file):
            ours = wanted.url is not None
            return _Found(file, ours=ours, alone=ours, sha256=wanted.sha256)
        if wanted.sha256:
            _compare(sha256_of(file), wanted.sha256, wanted.shown)
        model = unpack_model(file, folder / "unpacked", max_bytes=MAX_BYTES, subject=wanted.shown)
    except OSError as error:
        raise _unreadable(wanted.shown, error) from error
    return _Found(model, ours=True, alone=False, sha256=None)


def _gather(found: _Found, labels: Mapping[str, bytes], version: Path, check: Check, shown: str) -> str:
    """Make ``version`` of a model and what belongs to it; the model's digest.

    What is checked is what stays: a file that nobody else has.
    """
    try:
        version.mkdir()
        onnx = version / "model.onnx"
        members = {} if found.alone else belongings(found.path, shown)
        told: dict[str, bytes] = {}
        if not found.alone and is_alone(found.path):
            told = dict(told_by_others(found.path, shown))
        left = MAX_BYTES - _bring(found.path, onnx, shown, ours=found.ours, left=MAX_BYTES)
        digest = sha256_of(onnx)
        if found.sha256:
            _compare(digest, found.sha256, shown)
        with _said_of(shown):
            external = sorted(check(onnx).external_data)
        if found.alone and external:
            raise ModelRejected(
                shown,
                f"keeps its weights in other files ({external[0]!r:.100})",
                "add a folder or an archive that holds them too",
            )
        members |= weights(found.path.parent, external, shown)
        for name, source in members.items():
            target = version / name
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= _bring(source, target, shown, ours=found.ours, left=left)
        for name, content in (told | dict(labels)).items():
            if name not in members:
                (version / name).write_bytes(content)
    except OSError as error:
        raise cannot_write(version.parent.parent, error) from error
    for name, read in (("model.toml", read_manifest), ("labels.txt", read_labels)):
        if (version / name).exists():
            with _said_of(f"{shown}: {name}"):
                read(version / name)
    return digest


def _bring(source: Path, target: Path, shown: str, *, ours: bool, left: int) -> int:
    """Move a file of ours, copy one of the user's; its bytes."""
    if ours:
        source.rename(target)
        return target.stat().st_size
    count = 0
    try:
        reading = source.open("rb")
    except OSError as error:
        raise _unreadable(f"{shown}: {source.name}", error) from error
    with reading, target.open("xb") as writing:
        while piece := _read(reading, f"{shown}: {source.name}"):
            count += len(piece)
            if count > left:
                raise BadInput(shown, f"is larger than {MAX_BYTES:,} bytes", "use a smaller model")
            writing.write(piece)
    return count


def _read(file: BinaryIO, subject: str) -> bytes:
    try:
        return file.read(_PIECE_BYTES)
    except OSError as error:
        raise _unreadable(subject, error) from error


def _unreadable(subject: str, error: OSError) -> EdgedError:
    if isinstance(error, PermissionError):
        return NotAllowed(subject, "may not be read by this user", "check its permissions")
    if isinstance(error, FileNotFoundError):
        return InputNotFound(subject, "no such file", "check the path")
    return BadInput(subject, f"cannot be read ({error.strerror or error})", "check the file")


@contextlib.contextmanager
def _said_of(subject: str) -> Iterator[None]:
    """Errors within are about what the user named, not about a file in the staging folder."""
    try:
        yield
    except (BadInput, InputNotFound) as error:
        raise type(error)(subject, error.problem, error.remedy) from error


def _refuse_pages(file: Path, wanted: Wanted) -> None:
    """Say plainly what is often fetched instead of a model."""
    if not file.is_file():
        raise ModelRejected(wanted.shown, "is no file", "name an .onnx file, a folder or an archive")
    with file.open("rb") as opened:
        head = opened.read(512)
    if head.startswith(_LFS):
        remedy = "fetch the file with `git lfs pull`"
        if wanted.url:
            remedy = "take the address of the file itself, on GitHub that of its button `Download raw file`"
        raise ModelRejected(wanted.shown, "is a Git LFS pointer, not the model", remedy)
    if _PAGE.match(head):
        remedy = (
            "take the address that its download button leads to" if wanted.url else "fetch the model again"
        )
        raise ModelRejected(wanted.shown, "is a web page, not a model", remedy)


def _compare(found: str, expected: str, shown: str) -> None:
    if found != expected:
        raise BadInput(
            shown,
            f"has the digest sha256:{found}, expected sha256:{expected}",
            "it is not the file that was wanted; nothing was stored",
        )


def _contents(version: Path) -> dict[str, Path | bytes]:
    """What a version holds beside the model."""
    return {
        path.relative_to(version).as_posix(): path
        for path in version.rglob("*")
        if path.is_file() and path != version / "model.onnx"
    }


def _added(store: Path, name: str, stored: StoredModel, digest: str, *, new: bool) -> Added:
    onnx = stored.path / "model.onnx" if stored.path.is_dir() else stored.path
    served = stored.version
    if (store / name).is_dir():
        try:
            served = find_at(store / name).version
        except EdgedError:  # a pin that leads nowhere: the daemon says so
            served = 0
    return Added(stored, new, digest, onnx.stat().st_size if onnx.exists() else 0, served)
