"""A Debian with systemd as its first process, in a container of systemd-nspawn; also where the host runs no systemd.

The base is made once with debootstrap (about a minute, 300 MB) and kept in ``EDGED_SYSTEMD_ROOT``; a test writes to a
layer above it. The machine has a network of its own, with a loopback and nothing else.
"""

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from real_parts import unavailable

REPOSITORY = Path(__file__).parents[1]
Done = subprocess.CompletedProcess[str]
PACKAGES = "systemd,systemd-sysv,dbus,python3,iproute2,procps,mosquitto,mosquitto-clients"
MASKED = ("getty.target", "console-getty.service", "systemd-logind.service", "systemd-networkd.service")
_BOOT = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec systemd-nspawn --quiet --boot --directory="$0" --machine=edged-test --console=pipe --register=no --keep-unit \
    --private-network
"""
# A /run of its own: nspawn looks there for a systemd of the host, and fails where there is none. cgroup v2 always, on a
# host with v1 without its controllers: under v1 a systemd in a container is not told that the last process of a unit
# has ended, and now and then, after a kill, it waits TimeoutStopSec for nothing.

CONFIGURATION = """
device = "box"
[models.codes]
path = "/srv/codes"
providers = ["cpu"]
[cameras.belt]
url = "/srv/conveyor.mp4"
models = ["codes"]
fps = 5
"""


def require() -> None:
    """Skip, or fail with CI=true, where such a machine cannot be."""
    if os.geteuid() != 0:
        unavailable("only root can boot a container")
    for program in ("systemd-nspawn", "debootstrap", "dpkg-deb", "nsenter", "unshare"):
        if not shutil.which(program):
            unavailable(f"{program} is missing: apt-get install systemd-container debootstrap")


def release() -> str:
    """The code name of this Debian, which the package is built for."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "bookworm")


def base() -> Path:
    """The root folder that all machines have below their own layer; made where it is not there yet."""
    folder = Path(os.environ.get("EDGED_SYSTEMD_ROOT") or f"/var/tmp/edged-systemd-{release()}")
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release(), str(part)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    if done.returncode != 0:
        unavailable(f"debootstrap ended with {done.returncode}: {done.stdout[-2000:]}")
    for unit in MASKED:
        (part / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (part / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    part.rename(folder)
    return folder


def with_material(root: Path) -> None:
    """Put into a root folder what `CONFIGURATION` names."""
    shutil.copytree(REPOSITORY / "models" / "parcel-codes" / "1", root / "srv" / "codes")
    shutil.copy(REPOSITORY / "demo" / "conveyor.mp4", root / "srv")


class Layer:
    """A root folder of one's own above the base; as a context manager, it is taken away at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.root = folder, folder / "root"

    def __enter__(self) -> Path:
        for name in ("root", "upper", "work"):
            (self._folder / name).mkdir(parents=True)
        layers = f"lowerdir={base()},upperdir={self._folder}/upper,workdir={self._folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        return self.root

    def __exit__(self, *_exc: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.root)], check=True)
        shutil.rmtree(self._folder, ignore_errors=True)


class Machine:
    """A booted one; as a context manager, it is shut down at the end."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __enter__(self) -> "Machine":
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        self._console = (self.root.parent / "console").open("wb")
        self._nspawn = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _BOOT, str(self.root)],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        if not until(lambda: self.said("systemctl", "is-system-running") in {"running", "degraded"}, 120):
            self.__exit__()
            unavailable(f"the container does not boot: {(self.root.parent / 'console').read_text()[-2000:]}")
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGTERM)  # nspawn has the machine power off
        try:
            self._nspawn.wait(60)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._console.close()

    def run(self, *command: object, timeout: float = 60, **options: Any) -> Done:
        """A command in the machine, as root; ``timeout`` seconds of a machine that nobody else uses."""
        words = [str(word) for word in command]
        enter = ["nsenter", "--all", "--target", str(self._leader()), "--", *words]
        return subprocess.run(enter, capture_output=True, text=True, timeout=timeout * crowd(), **options)

    def said(self, *command: object) -> str:
        """What a command printed, however it ended; empty while nothing can be asked."""
        return self.run(*command).stdout.strip() if self._leader() else ""

    def done(self, *command: object, timeout: float = 60) -> str:
        """What a command printed that must end well."""
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def of(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.said("systemctl", "show", "--property", name, "--value", unit)

    def journal(self, unit: str = "edged", *, since: str = "") -> str:
        """What a unit said, and systemd of it."""
        command = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]
        return self.said(*command, *([f"--after-cursor={since}"] if since else []))

    def cursor(self) -> str:
        """Where the journal ends now."""
        shown = self.said("journalctl", "--no-pager", "--lines=1", "--show-cursor", "--output=cat")
        return shown.rpartition("-- cursor: ")[2]

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the machine."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def _leader(self) -> int:
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        try:
            return int(children.read_text().split()[0])
        except (OSError, IndexError):
            return 0


def crowd() -> float:
    """How many times longer things take because others work on this machine too."""
    return max(1.0, *(load / (os.cpu_count() or 1) for load in os.getloadavg()[:2]))


def until(happened: Callable[[], object], seconds: float, every_s: float = 0.1) -> bool:
    """Whether something comes true in time; ``seconds`` of a machine that nobody else uses."""
    end = time.monotonic() + seconds * crowd()
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True
