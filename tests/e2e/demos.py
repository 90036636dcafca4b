"""`edged demo` as a process, looked at from outside only."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from daemons import children


class Demo:
    """A running `edged demo`; ended by its process id at the latest when the context ends.

    Args:
        site: Where edged is imported from.
        folder: To run in; its temporary files go into `temporary` below it.

    Attributes:
        lines: Of standard output so far.
        complaints: Standard error, once it has ended.
    """

    def __init__(self, site: Path, folder: Path, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        self.complaints = ""
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edged", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(site), "TMPDIR": str(self.temporary), **environment},
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._out, self._err = self.process.stdout, self.process.stderr
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._hear)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        for line in self._out:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def _hear(self) -> None:
        self.complaints = self._err.read()

    def says(self, text: str, within_s: float = 40.0) -> bool:
        """Wait for a line with this text."""
        with self._news:
            return self._news.wait_for(lambda: any(text in line for line in self.lines), within_s)

    def line(self, text: str) -> str:
        return next(line for line in self.lines if text in line)

    def ended(self, within_s: float = 40.0) -> int:
        """Its exit code; everything it wrote is read then."""
        code = self.process.wait(within_s)
        for reader in self._readers:
            reader.join(10)
        return code

    def family(self) -> list[int]:
        """Process ids of what it started, and what those started."""
        found, left = [], [self.process.pid]
        while left:
            left += (below := children(left.pop()))
            found += below
        return found

    def __enter__(self) -> "Demo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended()
        self._out.close()
        self._err.close()
