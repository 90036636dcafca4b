"""What the demo runs: a broker, and the daemon with the bundled video as its camera.

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
from pathlib import Path
from typing import IO, cast

from edged import bundle
from edged.demo.process import started
from edged.errors import CannotWrite, EdgedError, Unreachable

DEVICE, CAMERA, MODEL = "demo", "conveyor", "parcel-codes"
BROKER_START_S = 30.0
LOOK_UP_S = 0.1
MAX_LOG_BYTES = 16 * 1024


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
    """The demo's broker and daemon, started; ended with the context.

    Args:
        told_to_end: Ends the wait for the broker.

    Raises:
        InputNotFound: The bundled model or video is not there.
        CannotWrite: No temporary folder.
        Unreachable, EdgedError: The broker does not start.
    """
    model, video = bundle.model(MODEL), bundle.demo_video()
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
        config.write_text(configuration(url, model, video), encoding="utf-8")
        daemon = running.enter_context(started("edged", "run", "-c", str(config), log=folder / "daemon.log"))
        yield Stage(url, folder, {"broker": broker, "daemon": daemon})


def configuration(url: str, model: Path, video: Path) -> str:
    """The daemon's ``edged.toml``."""
    return f"""\
device = "{DEVICE}"

[state]
path = "state"

[mqtt]
url = "{url}"

[models.{MODEL}]
path = {_quoted(model)}

[cameras.{CAMERA}]
url = {_quoted(video)}
models = ["{MODEL}"]

[http]
listen = ""
"""


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
