"""What stands in the store now: the versions of a model, and which of them are still on their way in.

A version has arrived when nobody has touched it for a second, no program has it open to write, and its file does not
end too early. That way a copy by ``cp``, ``scp`` or ``rsync``, in place or not, is never taken for a version while it
runs, and one that was renamed into place is taken after that second.
"""

import contextlib
import errno
import hashlib
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edged.errors import EdgedError
from edged.manifest import model_files
from edged.modelstore.digests import sha256_of

QUIET_S = 1.0
"""Nobody touched it for so long: a copy between two files, or two writes, takes less."""
SETTLED_S = 2.0
"""Files that were last written so long before they were first seen did not come just now."""
CUT_SHORT_S, CUT_SHORT_UNKNOWN_S = 1.5, 15.0
"""A file that ends too early is waited for; longer where it cannot be told whether a program still writes to it."""
MAX_FILES = 1000
MAX_FIELDS = 100_000
"""Of a file, that are counted: a model has as many as it has functions and notes; a file of nothing else never ends."""
MAX_DEPTH = 3
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SERVED_LEASES = frozenset({"nfs", "nfs4", "cifs", "smb3"})

Mark = tuple[str, int, int, int, int]
"""Name, bytes, time of the last write and of the last change in nanoseconds, inode."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A version as it stands there now.

    Attributes:
        version: Its number.
        path: Its folder without links, or its file in such a folder: what describes a file lies beside its link.
        marks: One for each of its files; others mean that it was touched.
    """

    version: int
    path: Path
    marks: tuple[Mark, ...]


def is_folder_of_versions(path: Path) -> bool:
    """Whether a folder holds versions rather than a model."""
    return any(True for _ in version_folders(path))


def survey(folder: Path) -> dict[int, Standing]:
    """The versions in a folder, by number; empty where there is no such folder."""
    found = {}
    for number, path in version_folders(folder):
        if standing := stand(path, number):
            found[number] = standing
    return found


def stand(path: Path, version: int) -> Standing | None:
    """A version at a path of its own, or None where there is none."""
    # Links in a circle are a RuntimeError before Python 3.13.
    with contextlib.suppress(OSError, EdgedError, RuntimeError):
        is_folder = path.is_dir()
        real = _without_links(path) if is_folder else path.parent.resolve() / path.name
        files = _files_of(real) if is_folder else _files_beside(real)
        marks = tuple(sorted(_marks(real if is_folder else real.parent, files)))
        if marks:
            return Standing(version, real, marks)
    return None


def strays(folder: Path, found: Collection[int]) -> dict[Path, str]:
    """Folders in a folder of versions that look like versions and are none: why, and what would make them one.

    Args:
        folder: Where they stand.
        found: Versions in it, which are not looked at again.
    """
    versions, strange = {str(number) for number in found}, {}
    with contextlib.suppress(OSError):
        for child in sorted(folder.iterdir()):
            is_known = child.name.startswith(".") or child.name in versions
            if not is_known and os.path.isdir(child) and (why := _why_no_version(child)):  # noqa: PTH112
                strange[child] = why
    return strange


def _why_no_version(folder: Path) -> str:
    if not _VERSION.fullmatch(folder.name):
        rule = "a number of at most 9 digits that does not begin with 0"
        return f"its name is not that of a version: call it {rule}" if _holds_model(folder) else ""
    if not _holds_model(folder):
        return "it holds no .onnx file: put the model there as model.onnx"
    readable = stand(folder, int(folder.name)) is not None  # it may have come a moment ago
    return "" if readable else "it holds no file: put the model there as the file model.onnx"


def content_digest(path: Path) -> str:
    """``sha256:…`` of all files of a version and their names; empty where one of them cannot be read."""
    total = hashlib.sha256()
    try:
        files = sorted(_files_of(path) if path.is_dir() else _files_beside(path))
        for file in files:
            name = file.relative_to(path) if path.is_dir() else Path(file.name)
            inner = sha256_of(file) if file.is_file() else "no file"  # a pipe would be waited for
            total.update(os.fsencode(name) + f"\0{inner}\n".encode())
    except (OSError, EdgedError):
        return ""
    return f"sha256:{total.hexdigest()}"


@dataclass(slots=True)
class Arrivals:
    """Remembers since when each version stands as it does. Not synchronised."""

    _since: dict[int, tuple[tuple[Mark, ...], float]] = field(default_factory=dict)
    _missing: dict[tuple[Mark, ...], int] = field(default_factory=dict)

    def look(self, found: Mapping[int, Standing], now_s: float) -> dict[int, str]:
        """Which versions have not arrived yet, and what is waited for.

        Args:
            found: By number, as `survey` gives them.
            now_s: On the monotonic clock.
        """
        for number in self._since.keys() - found.keys():
            del self._since[number]
        self._missing = {
            one.marks: self._missing[one.marks] for one in found.values() if one.marks in self._missing
        }
        return {number: why for number, one in found.items() if (why := self._waits_for(one, now_s))}

    def _waits_for(self, one: Standing, now_s: float) -> str:
        before = self._since.get(one.version)
        if before is None and _is_old(one.marks):
            before = (one.marks, now_s - max(CUT_SHORT_UNKNOWN_S, QUIET_S))
        if before is None or before[0] != one.marks:
            before = (one.marks, now_s)
        self._since[one.version] = before
        quiet_s = now_s - before[1]
        if quiet_s < QUIET_S:
            return "it was touched a moment ago"
        try:
            onnx = model_files(one.path).onnx
        except (EdgedError, OSError):
            return ""  # the gate says why
        if not os.path.isfile(onnx):  # noqa: PTH113  # says False where Path.is_file raises
            return ""
        written = is_open_for_writing(onnx)
        if written or (quiet_s < CUT_SHORT_UNKNOWN_S and _any_is_written(one)):
            return "a program is still writing to it"
        if one.marks not in self._missing:
            self._missing[one.marks] = missing_bytes(onnx)
        missing = self._missing[one.marks]
        patience_s = CUT_SHORT_UNKNOWN_S if written is None else CUT_SHORT_S
        return f"{missing} bytes are missing at its end" if missing and quiet_s < patience_s else ""


def is_open_for_writing(path: Path) -> bool | None:
    """Whether any program of this machine has a file open to write to it; None where that cannot be told.

    Asked of the kernel by a read lease, which it grants to the file's owner while nobody writes. A network's file
    system also refuses one that its server did not grant, which says nothing.
    """
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415  # not on every system

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Who opens the file in this very moment has us signalled: not by SIGIO, which ends a process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno != errno.EAGAIN or _file_system(descriptor) in _SERVED_LEASES:
            return None
        return True
    finally:
        os.close(descriptor)
    return False


def missing_bytes(onnx: Path) -> int:
    """How many bytes the last field of a file says it has beyond the file's end; 0 where it is no such file.

    An ONNX file is a protocol-buffer message: its fields say how long they are. Source: protobuf.dev, "Encoding".
    """
    with contextlib.suppress(OSError), onnx.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        position = 0
        for _ in range(MAX_FIELDS):
            if position >= size:
                return position - size
            file.seek(position)
            head = file.read(20)
            key, used = _varint(head, 0)
            kind = key & 7
            if used == 0 or kind not in {0, 1, 2, 5} or not key >> 3:
                return 1 if used == 0 and len(head) < 10 else 0
            length, more = _varint(head, used) if kind in {0, 2} else ({1: 8, 5: 4}[kind], used)
            if more == 0:
                return 1 if len(head) < 20 else 0
            position += more + (0 if kind == 0 else length)
    return 0


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number and where it ends; it ends at 0 if it does not end in the data."""
    result = 0
    for shift, byte in enumerate(data[position : position + 10]):
        result |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return result, position + shift + 1
    return 0, 0


def version_folders(folder: Path) -> Iterator[tuple[int, Path]]:
    """Number and folder of each version in a folder, in no order."""
    try:
        children = list(folder.iterdir())
    except OSError:
        return
    for child in children:
        is_version = _VERSION.fullmatch(child.name) and os.path.isdir(child)  # noqa: PTH112  # Path.is_dir raises
        if is_version and _holds_model(child):
            yield int(child.name), child


def _holds_model(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(path.suffix == ".onnx" and not path.name.startswith(".") for path in folder.iterdir())
    return False


def _without_links(folder: Path) -> Path:
    """Where the files of a version are: Triton has a folder ``model.onnx`` for a model with weights beside it."""
    real = folder.resolve()
    inner = real / "model.onnx"
    return inner.resolve() if inner.is_dir() and _holds_model(inner) else real


def _files_of(folder: Path) -> list[Path]:
    """The files of a version's folder, as deep as golden pictures lie."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in files if not name.startswith(".")]
        if len(found) > MAX_FILES:
            break
    return found[:MAX_FILES]


def _files_beside(onnx: Path) -> list[Path]:
    files = model_files(onnx)
    return [path for path in (files.onnx, files.manifest, files.labels) if path]


def _marks(folder: Path, files: list[Path]) -> Iterator[Mark]:
    for file in files:
        try:
            state = file.stat()
        except OSError:  # a link to nowhere
            try:
                state = file.lstat()
            except OSError:
                continue  # deleted since it was listed
        yield _mark(folder, file, state)


def _mark(folder: Path, file: Path, state: os.stat_result) -> Mark:
    if not stat.S_ISREG(state.st_mode):
        return (str(file.relative_to(folder)), 0, 0, 0, state.st_ino)
    name = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    return (name, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def _any_is_written(one: Standing) -> bool:
    """Whether any file of a version is open to write, as its weights may be."""
    folder = one.path if one.path.is_dir() else one.path.parent
    return any(changed and is_open_for_writing(folder / name) for name, _, _, changed, _ in one.marks)


def _file_system(descriptor: int) -> str:
    """The kind of file system that an open file lies in, as ``ext4``; empty if unknown. Source: proc(5)."""
    with contextlib.suppress(OSError):
        opened = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii", "replace")
        mount = re.search(r"^mnt_id:\s*(\d+)$", opened, re.MULTILINE)
        for line in Path("/proc/self/mountinfo").read_text("ascii", "replace").splitlines():
            if mount and line.startswith(f"{mount[1]} "):
                return line.partition(" - ")[2].partition(" ")[0]
    return ""


def _is_old(marks: tuple[Mark, ...]) -> bool:
    """Whether files were last changed long before now; a clock that is wrong only has us wait a second."""
    newest_s = max(max(written, changed) for _, _, written, changed, _ in marks) / 1e9
    return newest_s < time.time() - SETTLED_S
