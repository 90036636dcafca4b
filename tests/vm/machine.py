"""A virtual machine: a Debian with edged as the shipped service, under QEMU without any help of the host's processor.

It has two disks. The system's, with the root of `tests/nspawn.py`, is new at each boot: an NVMe one, since Debian's
cloud kernel has that built in and so needs no initramfs. What edged keeps, /var/lib/edged, has a disk of its own, whose
writes are logged. That one is virtio: QEMU's NVMe takes no notice of a write that is to go past the disk's cache (FUA),
so the log would not know of it. Modules are loaded by `guest.py`.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nspawn
from real_parts import unavailable

GUEST = Path(__file__).with_name("guest.py")
SYSTEM, STATE = "3G", "256M"
MEMORY_MIB = 1536
BOOT_S = 300
MODULES = (
    *(f"drivers/virtio/{name}.ko" for name in ("virtio_ring", "virtio")),
    *(
        f"drivers/virtio/{name}.ko"
        for name in ("virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci")
    ),
    *("net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko"),
    "drivers/block/virtio_blk.ko",
)
HOST = "10.0.2.2"
"""The host's loopback, seen from the machine."""

UNITS = {
    "vm-devices.service": """[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 /opt/vm/guest.py modules
ExecStart=/usr/bin/mount /dev/vda /var/lib/edged
ExecStart=/usr/bin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/usr/bin/ip link set eth0 up
[Install]
WantedBy=sysinit.target
""",
    "vm-commands.service": """[Service]
ExecStart=/usr/bin/python3 /opt/vm/guest.py commands /dev/ttyS1
[Install]
WantedBy=multi-user.target
""",
    "vm-accepted.service": """[Service]
ExecStart=/usr/bin/python3 /opt/vm/guest.py accepted /dev/ttyS2
[Install]
WantedBy=multi-user.target
""",
    # systemd sets a clock that is before its own making; so it is set back after that, and before edged.
    "vm-clock.service": """[Unit]
ConditionKernelCommandLine=vm.1970
Before=edged.service
[Service]
Type=oneshot
ExecStart=/usr/bin/date --set 1970-01-01T00:00:30Z
[Install]
WantedBy=multi-user.target
""",
}


def require() -> None:
    """Skip, or fail with CI=true, where such a machine cannot be."""
    nspawn.require()
    for program, package in (
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("qemu-img", "qemu-utils"),
        ("mke2fs", "e2fsprogs"),
    ):
        if not shutil.which(program):
            unavailable(f"{program} is missing: apt-get install --no-install-recommends {package}")
    if os.uname().machine != "x86_64":
        unavailable("the machine is one of x86-64")


def kernel() -> Path:
    """The folder that Debian's cloud kernel was unpacked into; fetched once."""
    folder = Path(os.environ.get("EDGED_VM_KERNEL") or f"/var/tmp/edged-vm-kernel-{nspawn.release()}")
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    part.chmod(0o755)
    shown = subprocess.run(
        ["apt-cache", "depends", "--important", "linux-image-cloud-amd64"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    names = [word for word in shown.stdout.split() if word.startswith("linux-image-") and word[12].isdigit()]
    done = subprocess.run(
        ["apt-get", "download", "--quiet", *names[:1]], cwd=part, capture_output=True, text=True, timeout=300
    )
    packages = list(part.glob("*.deb"))
    if not packages:
        unavailable(
            f"apt-get download linux-image-cloud-amd64 ended with {done.returncode}: {done.stderr[-500:]}"
        )
    subprocess.run(["dpkg-deb", "-x", packages[0], part], check=True)
    packages[0].unlink()
    part.rename(folder)
    return folder


def make_disks(root: Path, system: Path, state: Path) -> None:
    """Two disks of a root folder, into which the units above are put."""
    home = root / "opt/vm"
    home.mkdir()
    shutil.copy(GUEST, home)
    modules = next((kernel() / "lib/modules").iterdir()) / "kernel"
    for number, name in enumerate(MODULES):
        shutil.copy(
            modules / name, home / f"{number}-{Path(name).name}"
        )  # one digit: they are loaded in this order
    units = root / "etc/systemd/system"
    for name, text in UNITS.items():
        (units / name).write_text(text)
        wants = units / f"{text.partition('WantedBy=')[2].strip()}.wants"
        wants.mkdir(exist_ok=True)
        (wants / name).symlink_to(f"../{name}")
    (root / "etc/fstab").write_text("")
    kept = root / "var/lib/edged"
    for folder, disk, size in ((kept, state, STATE), (root, system, SYSTEM)):
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-d", folder, "-E", "root_owner=" + owner(folder), disk, size],
            check=True,
            timeout=600,
        )


def owner(folder: Path) -> str:
    """User and group by number, as mke2fs takes them."""
    return f"{folder.stat().st_uid}:{folder.stat().st_gid}"


@dataclass(frozen=True)
class Done:
    """What became of a command in the machine."""

    returncode: int
    stdout: str
    stderr: str


class Virtual:
    """A running machine; as a context manager, its power is cut at the end.

    Args:
        system: The disk of the system, which is not written to.
        state: The disk of what edged keeps. It is not written to either: what was written is in ``log``.
        folder: For what belongs to this run.
        append: More words for the kernel's command line.
    """

    def __init__(self, system: Path, state: Path, folder: Path, *, append: str = "") -> None:
        self.log = folder / "writes.log"
        self._disks = {"system": system, "state": state}
        self._folder, self._append = folder, append

    def __enter__(self) -> "Virtual":
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        layers = {name: self._folder / f"{name}.qcow2" for name in self._disks}
        for name, layer in layers.items():
            subprocess.run(
                [
                    "qemu-img",
                    "create",
                    "-q",
                    "-f",
                    "qcow2",
                    "-F",
                    "raw",
                    "-b",
                    self._disks[name].resolve(),
                    layer,
                ],
                check=True,
            )
        self.log.touch()
        blocks: list[dict[str, object]] = []
        for name, file in {**layers, "log": self.log}.items():
            # Only the machine's power is cut, not the host's: QEMU itself has nothing to flush.
            unflushed = {"no-flush": True}
            blocks.append(
                {"driver": "file", "filename": str(file), "node-name": f"{name}-file", "cache": unflushed}
            )
        blocks += [
            {"driver": "qcow2", "file": f"{name}-file", "node-name": f"{name}-layer"} for name in layers
        ]
        blocks.append(
            {"driver": "blklogwrites", "file": "state-layer", "log": "log-file", "node-name": "state"}
        )
        with (self._folder / "qemu").open("wb") as said:
            self._qemu = subprocess.Popen(
                [
                    "qemu-system-x86_64",
                    *(
                        "-accel",
                        os.environ.get("EDGED_VM_ACCEL", "tcg"),
                        "-cpu",
                        "max",
                        "-smp",
                        "2",
                        "-m",
                        str(MEMORY_MIB),
                    ),
                    *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
                    *(word for block in blocks for word in ("-blockdev", json.dumps(block))),
                    *("-device", "nvme,drive=system-layer,serial=1", "-device", "virtio-blk-pci,drive=state"),
                    *("-netdev", "user,id=net,ipv6=off", "-device", "virtio-net-pci,netdev=net,romfile="),
                    *("-serial", f"file:{self._folder}/console"),
                    *("-serial", f"unix:{self._folder}/commands,server=on,wait=off"),
                    *("-serial", f"file:{self._folder}/accepted"),
                    *("-kernel", str(next((kernel() / "boot").glob("vmlinuz-*")))),
                    "-append",
                    f"root=/dev/nvme0n1 rw console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off {self._append}",
                ],
                stdin=subprocess.DEVNULL,
                stderr=said,
            )
        self._socket = socket.socket(socket.AF_UNIX)
        if not nspawn.until(self._connected, 20):
            self.cut()
            unavailable(f"QEMU does not start: {(self._folder / 'qemu').read_text()[-500:]}")
        self._socket.settimeout(BOOT_S)
        self._heard = self._socket.makefile("rb")
        if self._heard.readline() != b'["ready"]\n':
            self.cut()
            raise AssertionError(f"it does not boot: {self.console()[-3000:]}")
        if self.of("Result", "vm-devices") != "success":
            said = self.run("journalctl", "--no-pager", "--output=cat", "--unit=vm-devices").stdout
            self.cut()
            raise AssertionError(f"its devices are not there: {said}")
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cut()

    def cut(self) -> None:
        """The power is gone."""
        self._qemu.kill()
        self._qemu.wait()
        with contextlib.suppress(AttributeError):
            self._heard.close()
        self._socket.close()

    def console(self) -> str:
        """What the kernel and systemd said."""
        return (self._folder / "console").read_text(errors="replace")

    def accepted(self) -> list[str]:
        """Ids of the results that stood in the outbox's file, in whole lines told so far."""
        return [one.decode() for one in (self._folder / "accepted").read_bytes().split(b"\n")[:-1]]

    def run(self, *command: object, timeout: float = 120) -> Done:
        """A command in the machine, as root."""
        self._socket.settimeout(timeout)
        self._socket.sendall(json.dumps([str(word) for word in command]).encode() + b"\n")
        return Done(*json.loads(self._heard.readline()))

    def done(self, *command: object, timeout: float = 120) -> str:
        """What a command printed that must end well."""
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, (command, done)
        return done.stdout

    def of(self, name: str, unit: str = "edged") -> str:
        """A property of a unit."""
        return self.done("systemctl", "show", "--property", name, "--value", unit).strip()

    def journal(self) -> str:
        """What edged said, and systemd of it, since the machine booted."""
        return self.done("journalctl", "--no-pager", "--output=cat", "--boot", "--unit=edged")

    def _connected(self) -> bool:
        try:
            self._socket.connect(str(self._folder / "commands"))
        except OSError:
            assert self._qemu.poll() is None, (self._folder / "qemu").read_text()
            return False
        return True


class Recorder:
    """The recording broker on the host, which writes a message down before it acknowledges it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self._file = port, folder / "recorded.jsonl"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        program = Path(__file__).parents[1] / "e2e" / "recording_broker.py"
        self._process = subprocess.Popen(
            [sys.executable, program, str(self.port), self._file], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def messages(self, topic: str) -> list[str]:
        """Payloads published there so far, in whole lines."""
        if not self._file.exists():
            return []
        lines = map(json.loads, self._file.read_bytes().split(b"\n")[:-1])
        return [message["payload"] for message in lines if message["topic"] == topic]

    def results(self, topic: str = "edged/box/camera/belt/detections") -> list[str]:
        """Ids of the results of a source that arrived, as they came."""
        return [json.loads(payload)["id"] for payload in self.messages(topic)]

    def wait_for(self, happened: Callable[[], object], seconds: float) -> bool:
        return nspawn.until(happened, seconds, 0.2)


def stopwatch() -> Callable[[], float]:
    """Seconds since now."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
