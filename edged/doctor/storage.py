"""Folders that the daemon writes, and the disks they are on. Pure."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.findings import Finding

FULL_BYTES, FULL_FILES = 64 << 20, 100
SHORT_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What was seen of a folder, or of the nearest one above it where it is still to be made.

    Attributes:
        path: Of the folder.
        exists: Whether it is there.
        is_folder: Whether it is a folder and no file.
        readable: Whether this user may list it.
        writable: Whether this user may make files in it, or make it.
        owner: Of it, or of the one above.
        read_only: Whether its file system is mounted read-only.
        mount: Where that is mounted.
        disk: Which one it is; the same for two folders of one disk.
        free_bytes: For this user.
        free_files: Likewise; None where the file system does not count them.
        used_bytes: By its own files.
    """

    path: str
    exists: bool = True
    is_folder: bool = True
    readable: bool = True
    writable: bool = True
    owner: str = ""
    read_only: bool = False
    mount: str = "/"
    disk: int = 0
    free_bytes: int = 1 << 40
    free_files: int | None = None
    used_bytes: int = 0


def store_findings(store: FolderFacts, *, needed: bool, user: str) -> Iterator[Finding]:
    """Of the folder of models.

    Args:
        store: What was seen of it.
        needed: Whether a configured model is to come from it.
        user: Who asks.
    """
    place = {"user": user, "path": shlex.quote(store.path)}
    if not store.exists or not store.is_folder:
        if needed:
            seen = "no such folder" if not store.exists else "is no folder"
            yield kinds.STORE_MISSING.found(store.path, seen, **place)
    elif not store.readable:
        yield kinds.STORE_UNREADABLE.found(store.path, f"belongs to {store.owner}, not to {user}", **place)
    elif store.read_only:
        seen = f"{store.mount} is mounted read-only"
        remedy = f"sudo mount -o remount,rw {shlex.quote(store.mount)}"
        yield kinds.STORE_READONLY.found(store.path, seen, instead=remedy)
    elif not store.writable:
        seen = f"belongs to {store.owner}, and may not be written by {user}"
        yield kinds.STORE_READONLY.found(store.path, seen, **place)
    else:
        yield kinds.STORE.found(store.path, f"may be written by {user}, {gib(store.free_bytes)} free")
    if store.exists or needed:
        yield from _disk(store)


def state_findings(
    state: FolderFacts, outbox: FolderFacts, *, spool_bytes: int, user: str, said: bool
) -> Iterator[Finding]:
    """Of the folder that results wait in.

    Args:
        state: What was seen of it.
        outbox: Of the folder ``outbox`` in it.
        spool_bytes: As ``mqtt.spool_max_bytes``.
        user: Who asks.
        said: Whether something was said of its disk already.
    """
    wrong = next((one for one in (state, outbox) if not one.writable or not one.is_folder), None)
    if wrong is None:
        yield kinds.STATE.found(state.path, f"may be written by {user}, {gib(state.free_bytes)} free")
    elif wrong.read_only:
        seen = f"{wrong.mount} is mounted read-only"
        yield kinds.DISK_READONLY.found(wrong.path, seen, mount=shlex.quote(wrong.mount))
    else:
        seen = (
            f"belongs to {wrong.owner}"
            if wrong.exists
            else f"cannot be made: {wrong.owner} owns what is above"
        )
        yield kinds.STATE_UNWRITABLE.found(
            wrong.path, f"{seen}, and may not be written by {user}", user=user, path=shlex.quote(wrong.path)
        )
    if not said:
        yield from _disk(state)
    room = state.free_bytes + outbox.used_bytes
    if room < spool_bytes and state.free_bytes >= FULL_BYTES:
        bound = f"{max(16, room // 2 >> 20)}MiB"
        seen = f"the outbox may take {gib(spool_bytes)}, and {gib(room)} is to be had"
        yield kinds.OUTBOX_ROOM.found("mqtt.spool_max_bytes", seen, bound=bound)


def _disk(folder: FolderFacts) -> Iterator[Finding]:
    subject, mount = f"disk of {folder.path}", shlex.quote(folder.mount)
    if folder.free_bytes < FULL_BYTES or (folder.free_files is not None and folder.free_files < FULL_FILES):
        files = "" if folder.free_files is None else f" and {folder.free_files} files"
        yield kinds.DISK_FULL.found(subject, f"{gib(folder.free_bytes)}{files} left", path=mount)
    elif folder.free_bytes < SHORT_BYTES:
        yield kinds.DISK_SHORT.found(subject, f"{gib(folder.free_bytes)} left", path=mount)


def gib(count: int) -> str:
    """Bytes for people."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
