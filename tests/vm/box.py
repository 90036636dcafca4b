"""What the tests of virtual machines share: the disks, made once, and a broker on the host."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import clips
import nspawn
import toy_models

from vm import machine

FRAMES_A_SECOND = 5
CONFIGURATION = """
device = "box"
[mqtt]
url = "mqtt://{host}:{port}"
[models.light]
path = "/srv/light.onnx"
providers = ["cpu"]
[cameras.belt]
url = "/srv/clip.mkv"
models = ["light"]
fps = {fps}
max_age = "1m"
"""  # an emulator beside other programs is slow: no result is too old here


@dataclass(frozen=True)
class Box:
    """What the tests share: disks that are not written to, and a broker on the host that is not running yet."""

    folder: Path
    broker: machine.Recorder

    @property
    def system(self) -> Path:
        return self.folder / "system"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def boot(self, name: str, *, state: Path | None = None, append: str = "") -> machine.Virtual:
        """A machine that forgets all it wrote, unless its writes are replayed to its ``state``."""
        return machine.Virtual(self.system, state or self.state, self.folder / name, append=append)


def install(box: Box) -> None:
    """Make the disks."""
    with nspawn.Layer(box.folder / "layer") as root:
        shutil.copy(_package(box.folder), root / "edged.deb")
        done = subprocess.run(
            ["chroot", root, "dpkg", "--install", "/edged.deb"], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        (root / "edged.deb").unlink()
        toy_models.light_detector(root / "srv/light.onnx")
        clips.counting_clip(root / "srv/clip.mkv", 100, fps=FRAMES_A_SECOND)
        text = CONFIGURATION.format(host=machine.HOST, port=box.broker.port, fps=FRAMES_A_SECOND)
        (root / "etc/edged/edged.toml").write_text(text)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        (wants / "edged.service").symlink_to("/usr/lib/systemd/system/edged.service")
        (wants / "mosquitto.service").unlink(missing_ok=True)
        machine.make_disks(root, box.system, box.state)


def _package(folder: Path) -> Path:
    if given := os.environ.get("EDGED_DEB"):
        return Path(given)
    program = nspawn.REPOSITORY / "packaging" / "deb.py"
    command = [sys.executable, str(program), "--target", str(folder), "--compression", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.deb"))
