"""What the demo runs: a broker, and the daemon with the bundled video as its camera and a vibration as its sensor.

The daemon is `edged run` with a configuration like anybody's; only the folder that holds it is temporary.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from edged import bundle
from edged.demo import vibration
from edged.demo.process import started
from edged.errors import CannotWrite, EdgedError, Unreachable

DEVICE, CAMERA, MODEL = "demo", "conveyor", "parcel-codes"
SENSOR, SENSOR_MODEL = "motor", "bearing-vibration"
BROKER_START_S = 30.0
LOOK_UP_S = 0.1
MAX_LOG_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Paths:
    """What is bundled.

    Attributes:
        model: Of the camera.
        video: Played by the camera.
        sensor_model: Of the sensor.
    """

    model: Path
    video: Path
    sensor_model: Path


class Stage:
    """The running parts.

    Attributes:
        url: Of the broker.
    """

    def __init__(self, url: str, folder: Path, parts: dict[str, subprocess.Popen[str]]) -> None:
        self.url, self._folder, self._parts = url, folder, parts

    def check(self) -> None:
        """Do nothing while all parts run.

        Raises:
            Unreachable: One has ended because something it needs is missing.
            EdgedError: One has ended for another reason.
        """
        for name, process in self._parts.items():
            if (code := process.poll()) is not None:
                kind = Unreachable if code == Unreachable.exit_code else EdgedError
                raise kind("edged demo", f"the {name} ended with code {code}", "its last lines say why")

    def last_words(self, count: int = 12) -> list[str]:
        """The last lines of the parts' logs, the daemon's last."""
        return [line for name in self._parts for line in _last_lines(self._folder / f"{name}.log", count)]


@contextlib.contextmanager
def staged(told_to_end: Callable[[], bool]) -> Iterator[Stage]:
    """The demo's broker and daemon, started, and a signal for its sensor; ended with the context.

    Args:
        told_to_end: Ends the wait for the broker.

    Raises:
        InputNotFound: A bundled model, its rows or the video is not there.
        CannotWrite: No temporary folder, or no FIFO in it.
        Unreachable, EdgedError: The broker does not start.
    """
    paths = Paths(bundle.model(MODEL), bundle.demo_video(), bundle.model(SENSOR_MODEL))
    labels = (vibration.NORMAL, *vibration.FAULTS)
    recordings = {label: vibration.recording(bundle.golden(SENSOR_MODEL, label)) for label in labels}
    try:
        temporary = tempfile.TemporaryDirectory(prefix="edged-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CannotWrite("temporary folder", f"cannot be made ({error.strerror})", "set TMPDIR") from error
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(temporary))
        log = folder / "broker.log"
        broker = running.enter_context(started("edged.demo.broker", log=log, stdout=subprocess.PIPE))
        url = f"mqtt://127.0.0.1:{_port(broker, log, told_to_end)}"
        config = folder / "edged.toml"
        fifo = _fifo(folder / f"{SENSOR}.fifo")
        config.write_text(configuration(url, fifo, paths), encoding="utf-8")
        daemon = running.enter_context(started("edged", "run", "-c", str(config), log=folder / "daemon.log"))
        running.enter_context(vibration.played(vibration.Player(fifo, vibration.story(recordings))))
        yield Stage(url, folder, {"broker": broker, "daemon": daemon})


def configuration(url: str, fifo: Path, paths: Paths) -> str:
    """The daemon's ``edged.toml``.

    One window in eighteen of a sound bearing is called faulty, so two in a row raise the alarm. A slow machine makes
    rows wait in the FIFO, where whoever writes them notices: of windows, a few.
    """
    return f"""\
device = "{DEVICE}"

[state]
path = "state"

[mqtt]
url = "{url}"

[models.{MODEL}]
path = {_quoted(paths.model)}

[cameras.{CAMERA}]
url = {_quoted(paths.video)}
models = ["{MODEL}"]

[models.{SENSOR_MODEL}]
path = {_quoted(paths.sensor_model)}

[sensors.{SENSOR}]
url = {_quoted(fifo)}
format = "csv"
columns = ["x", "y", "z"]
queue = 2
models = ["{SENSOR_MODEL}"]
raise_after = 2
clear_after = 2

[http]
listen = ""
"""


def _fifo(path: Path) -> Path:
    try:
        os.mkfifo(path)
    except OSError as error:
        remedy = "set TMPDIR to a folder on a local disk"
        raise CannotWrite(str(path), f"cannot be made a FIFO ({error.strerror})", remedy) from error
    return path


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)


def _port(broker: subprocess.Popen[str], log: Path, told_to_end: Callable[[], bool]) -> int:
    """What the broker prints once it listens."""
    stdout = cast("IO[str]", broker.stdout)
    deadline_s = time.monotonic() + BROKER_START_S
    while not select.select([stdout], [], [], LOOK_UP_S)[0]:
        if told_to_end() or time.monotonic() > deadline_s:
            raise Unreachable("edged demo", "ended before its broker was ready", "give it more time")
    if port := stdout.readline():
        return int(port)
    why = (_last_lines(log, 1) or ["it said nothing"])[0]
    raise EdgedError("edged demo", f"its broker does not start ({why})", "install edged[demo] again")


def _last_lines(log: Path, count: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_LOG_BYTES))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]
