"""The machine that is to run the service, or the folder that will become one: what is there, and the doing."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from edged.errors import CannotWrite, Unreachable
from edged.files import write_whole
from edged.installation.plan import Step

USER = "edged"
UNIT_FOLDER = "/etc/systemd/system"
PACKAGE_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system")
TOOL_TIMEOUT_S = 90.0
"""For systemctl, which waits until a service has ended."""
_MAX_FILE_BYTES = 1_000_000


class Host:
    """A machine, seen from its root folder.

    Args:
        root: ``/`` for this machine; otherwise the root folder of an image.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._here = root == Path("/")
        self.runs_systemd = self._here and Path("/run/systemd/system").is_dir()

    def place(self, path: str) -> Path:
        """Where a path of the machine is for us."""
        return self._root / path.lstrip("/")

    def seen_from_inside(self, path: Path) -> str:
        """A path of ours as the machine will call it; as it is where it does not lie below the root folder."""
        return f"/{path.relative_to(self._root)}" if path.is_relative_to(self._root) else str(path)

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """The files of these that are there."""
        found = {}
        for path in paths:
            with (
                contextlib.suppress(FileNotFoundError, NotADirectoryError),
                self.place(path).open(encoding="utf-8", errors="replace", newline="") as file,
            ):
                found[path] = file.read(_MAX_FILE_BYTES)
        return found

    def packaged_unit(self, name: str) -> str | None:
        """The unit of this name that a package of the distribution brought."""
        return next(
            (f"{one}/{name}" for one in PACKAGE_FOLDERS if self.place(f"{one}/{name}").is_file()), None
        )

    def has_user(self) -> bool:
        """Whether the service's user is there."""
        passwd = self.texts(["/etc/passwd"]).get("/etc/passwd", "")
        return any(line.startswith(f"{USER}:") for line in passwd.splitlines())

    def apply(self, steps: Iterable[Step]) -> None:
        """Write and remove.

        Raises:
            CannotWrite: Not possible; what was done before stays done.
        """
        for step in steps:
            path = self.place(step.path)
            try:
                if step.outcome in {"written", "updated"}:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, step.text.encode())
                    path.chmod(step.mode)
                elif step.outcome == "removed":
                    path.unlink(missing_ok=True)
                    if path.parent.name.endswith(".d") and path.parent.name.startswith(USER):
                        with contextlib.suppress(OSError):  # others' drop-ins are in it
                            path.parent.rmdir()
            except OSError as error:
                raise _cannot_write(path, error) from error

    def make_user_and_folders(self, sysusers: str, tmpfiles: str) -> bool:
        """Have systemd's own tools make them; False where they are not here, or we are not root: a boot does it then.

        Args:
            sysusers: The file of sysusers.d that says whom to make.
            tmpfiles: The file of tmpfiles.d that says which folders.

        Raises:
            CannotWrite: One of them failed.
        """
        tools = (["systemd-sysusers"], sysusers), (["systemd-tmpfiles", "--create"], tmpfiles)
        if os.geteuid() != 0 or any(shutil.which(command[0]) is None for command, _ in tools):
            return False
        for command, path in tools:
            root = [] if self._here else [f"--root={self._root}"]
            self._run([*command, *root, str(self.place(path))])
        return True

    def systemctl(self, *arguments: str) -> str:
        """What it printed; nothing happens where systemd does not run.

        Raises:
            Unreachable: It failed.
        """
        return self._run(["systemctl", *arguments]) if self.runs_systemd else ""

    def units(self, states: str = "") -> list[str]:
        """The units of edged that systemd has in memory, sorted; only those in some states, where they are given.

        Not those without a file that do not run: somebody asked for them, and systemd has not forgotten it yet.
        """
        which = [f"--state={states}"] if states else ["--all"]
        listed = self.systemctl(
            "list-units", *which, "--plain", "--no-legend", "edged.service", "edged@*.service"
        )
        rows = [line.split() for line in listed.splitlines() if line.strip()]
        return sorted(name for name, load, active, *_ in rows if load != "not-found" or active == "active")

    def enabled(self) -> list[str]:
        """The links by which a boot starts edged, as the machine calls them."""
        links = self.place(UNIT_FOLDER).glob(
            "*.wants/edged*.service"
        )  # with a *: also links that lead nowhere
        return sorted(
            self.seen_from_inside(link) for link in links if re.fullmatch(r"edged(@.*)?\.service", link.name)
        )

    def remove_folders(self, patterns: Iterable[str]) -> list[str]:
        """Remove folders with all that is in them; a link to elsewhere is left alone. Those that were removed.

        Raises:
            CannotWrite: Not possible.
        """
        gone = []
        for pattern in patterns:
            for folder in sorted(self._root.glob(pattern.lstrip("/"))):
                if folder.is_symlink() or not folder.is_dir():
                    continue
                try:
                    shutil.rmtree(folder)
                except OSError as error:
                    raise _cannot_write(folder, error) from error
                gone.append(self.seen_from_inside(folder))
        return gone

    def _run(self, command: list[str]) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(command[0], f"did not run: {error}", "run it by hand and see") from error
        if done.returncode != 0:
            said = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise Unreachable(
                " ".join(command), f"failed: {said}", "correct that, then run this command again"
            )
        return done.stdout


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        str(path), f"cannot be written ({error.strerror})", "is the file system full or read-only?"
    )
