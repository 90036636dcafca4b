"""`edged run` as a process, looked at from outside only."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mosquitto_broker import until


class Daemon:
    """A running `edged run`; ended by its process id at the latest when the context ends.

    Attributes:
        log: Lines of standard error so far; none where that was given.
    """

    def __init__(
        self,
        *arguments: str,
        wrapper: tuple[str, ...] = (),
        stderr: IO[bytes] | None = None,
        **environment: str,
    ) -> None:
        self._news = threading.Condition()
        self.log: list[str] = []
        self._scratch = tempfile.TemporaryDirectory(prefix="edged-state-", ignore_cleanup_errors=True)
        environment.setdefault("EDGED_STATE__PATH", str(_state_of(arguments) or self._scratch.name))
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "edged", "run", *arguments],
            stderr=stderr or subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment},
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="daemon-log", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            with self._news:
                self.log.append(line.rstrip())
                self._news.notify_all()

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._reader.join(10)
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._scratch.cleanup()

    def says(self, text: str, within_s: float = 15.0, *, times: int = 1) -> bool:
        """Wait for a line with this text."""
        with self._news:
            return self._news.wait_for(lambda: sum(text in line for line in self.log) >= times, within_s)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, within_s: float = 5.0) -> int:
        """Ask it to end and give its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(within_s)

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return [pid for pid in children(self.process.pid) if "edged.worker.process" in command(pid)]

    def worker(self, within_s: float = 10.0) -> int:
        assert until(lambda: bool(self.workers()), within_s), "no worker"
        return self.workers()[0]


def _state_of(arguments: tuple[str, ...]) -> Path | None:
    """Beside the configuration, so that a second start finds it again; None without one."""
    if "-c" not in arguments:
        return None
    return Path(arguments[arguments.index("-c") + 1]).parent / "state"


def children(parent: int) -> list[int]:
    """Living processes of a parent, zombies included."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(folder.name))
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def write_config(
    path: Path, broker: str, *, cameras: dict[str, dict[str, Any]], models: dict[str, Path]
) -> Path:
    """A configuration for the device `box` without a local endpoint."""
    lines = ['device = "box"', "[http]", 'listen = ""', "[mqtt]", f'url = "{broker}"']
    for name, model in models.items():
        lines += [f"[models.{name}]", f'path = "{model}"', 'providers = ["cpu"]']
    for name, camera in cameras.items():
        lines.append(f"[cameras.{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in camera.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
