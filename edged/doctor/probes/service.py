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

from edged.doctor.service import UNIT, Presence

ANSWER_S = 1.0
MAX_ANSWER_BYTES = 65536
SYSTEMCTL_S = 3.0
PROPERTIES = (
    "LoadState,ActiveState,UnitFileState,Result,ExecMainStatus,NRestarts,User,DynamicUser,PrivateDevices"
)
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # asked, not bound


def presence(listen: str, *, named: bool, state: Path) -> Presence:
    """Whether a daemon runs.

    Args:
        listen: As ``http.listen``.
        named: Whether the configuration names it.
        state: The folder of what survives a restart.
    """
    answers, unwell = ("", ()) if not listen else _endpoint(listen)
    return Presence(listen, named, answers, unwell, _is_locked(state / "outbox"), _free_port())


def unit() -> Mapping[str, str]:
    """Properties of the unit; empty without systemd."""
    if not os.path.isdir("/run/systemd/system"):  # noqa: PTH112
        return {}
    command = ["systemctl", "show", UNIT, f"--property={PROPERTIES}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SYSTEMCTL_S)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def _endpoint(listen: str) -> tuple[str, tuple[str, ...]]:
    """Who answers, and why it is not well."""
    host, _, port = listen.rpartition(":")
    reasons: list[str] = []
    is_edged = is_there = False
    for path in ("/healthz", "/readyz"):
        try:
            server, told = _get(EVERYWHERE.get(host, host).strip("[]"), int(port), path)
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


def _get(host: str, port: int, path: str) -> tuple[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
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
