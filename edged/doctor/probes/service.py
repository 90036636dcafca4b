"""Looks for the daemon of a configuration: at its local endpoint, its outbox, its systemd unit."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edged.doctor.service import INSTANCES, UNIT, Presence, state_of_instance
from edged.service.state import state_folder
from edged.settings import LoadedSettings

ANSWER_S = 1.0
MAX_ANSWER_BYTES = 1 << 20
SYSTEMCTL_S = 3.0
PROPERTIES = (
    "Id,LoadState,ActiveState,UnitFileState,Result,ExecMainStatus,NRestarts,User,DynamicUser,PrivateDevices"
)
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # asked, not bound


def presence(listen: str, *, named: bool, state: Path, device: str = "") -> Presence:
    """Whether a daemon runs.

    Args:
        listen: As ``http.listen``.
        named: Whether the configuration names it.
        state: The folder of what survives a restart.
        device: Of the configuration; who answers in another name is another instance.
    """
    answers, unwell = ("", ()) if not listen else _endpoint(listen)
    locked, other = _is_locked(state / "outbox"), ""
    if answers == "edged" and device and (told := _device_at(listen)) not in {"", device}:
        answers, unwell, other = "neighbour", (), told
    return Presence(listen, named, answers, other, unwell, locked, _free_port())


def state_looked_at(loaded: LoadedSettings) -> Path:
    """Where the daemon of this configuration keeps its state: of an ``edged@``, what systemd made for it."""
    of_instance = state_of_instance(loaded.path)
    moved = loaded.settings.state.path or os.environ.get("STATE_DIRECTORY")
    return of_instance if of_instance and of_instance.is_dir() and not moved else state_folder(loaded)


def units() -> list[Mapping[str, str]]:
    """Properties of the unit and of each of its instances in memory; none without systemd."""
    if not os.path.isdir("/run/systemd/system"):  # noqa: PTH112
        return []
    command = ["systemctl", "show", UNIT, INSTANCES, f"--property={PROPERTIES}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SYSTEMCTL_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return shown(done.stdout)


def shown(text: str) -> list[Mapping[str, str]]:
    """What `systemctl show` printed of several units: a block each, an empty line between them."""
    blocks = (block.splitlines() for block in text.split("\n\n"))
    found = [dict(line.split("=", 1) for line in lines if "=" in line) for lines in blocks]
    return [one for one in found if one]


def _endpoint(listen: str) -> tuple[str, tuple[str, ...]]:
    """Who answers, and why it is not well."""
    reasons: list[str] = []
    is_edged = is_there = False
    for path in ("/healthz", "/readyz"):
        try:
            server, told = _get(listen, path)
        except (OSError, OverflowError, http.client.HTTPException) as error:
            is_there |= not isinstance(error, ConnectionRefusedError | socket.gaierror | OverflowError)
            continue
        is_there = True
        if server.startswith("edged") or (isinstance(told, dict) and {"ok", "reasons"} <= told.keys()):
            is_edged = True
            reasons += (
                [str(reason)[:500] for reason in told.get("reasons", ())] if isinstance(told, dict) else []
            )
    return ("edged" if is_edged else "other" if is_there else ""), tuple(dict.fromkeys(reasons))


def _device_at(listen: str) -> str:
    """Whose daemon answers; empty where it does not say."""
    with contextlib.suppress(OSError, OverflowError, http.client.HTTPException):
        _, told = _get(listen, "/status")
        return str(told.get("device", ""))[:500] if isinstance(told, dict) else ""
    return ""


def _get(listen: str, path: str) -> tuple[str, Any]:
    host, _, port = listen.rpartition(":")
    host = EVERYWHERE.get(host, host).strip("[]")
    connection = http.client.HTTPConnection(host, int(port), timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(MAX_ANSWER_BYTES)
        with contextlib.suppress(ValueError):
            return answer.getheader("Server", ""), json.loads(text)
        return answer.getheader("Server", ""), None
    finally:
        connection.close()


def _is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of this folder, as the kernel lists it: to try would take it for a moment."""
    with contextlib.suppress(OSError):
        status = folder.stat()
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        return any("FLOCK" in line and place in line.split() for line in locks)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
