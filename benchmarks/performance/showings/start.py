"""7: from nothing to the first detection, beside importing the libraries and making the session."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.performance import edged_side
from benchmarks.performance.figures import Figure, ratio
from benchmarks.performance.processes import SIDES, START_S, SideFailedError, environment, python, started
from benchmarks.performance.setting import Setting

TARGET = 1.3


def shown(setting: Setting) -> Iterator[Figure]:
    """The command, and the daemon."""
    times: dict[str, list[float]] = {"bare": [], "detect": [], "daemon": []}
    for number in range(-1, setting.rounds + 2):  # the first is not counted: it fills the disk's cache
        taken = {
            "bare": _until_end(python("start.py", setting.model, setting.provider)),
            "detect": _until_line(_detect(setting)),
            "daemon": _until_message(setting, number),
        }
        if number >= 0:
            for side, seconds in taken.items():
                times[side].append(seconds)
    bare = statistics.median(times["bare"])
    for side, name in (
        ("detect", "edged detect, to its first line"),
        ("daemon", "edged run, to its first message"),
    ):
        value, rounds = ratio(times[side], times["bare"])
        note = f"{statistics.median(times[side]):.2f} of {bare:.2f} s"
        yield Figure(7, f"{name} / libraries + session", value, target=TARGET, note=note, rounds=rounds)


def _detect(setting: Setting) -> list[str]:
    picture = setting.assets / "images" / "bus.jpg"
    command = [sys.executable, "-m", "edged", "detect", str(picture), "-m", str(setting.model), "--json"]
    return [*command, "--provider", setting.provider]


def _until_end(command: list[str]) -> float:
    began_s = time.monotonic()
    subprocess.run(command, env=environment(), check=True, cwd=SIDES, stderr=subprocess.DEVNULL)
    return time.monotonic() - began_s


def _until_line(command: list[str]) -> float:
    began_s = time.monotonic()
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=SIDES
    ) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SideFailedError(f"{' '.join(command)}: says nothing")
        return time.monotonic() - began_s


def _until_message(setting: Setting, number: int) -> float:
    config = edged_side.config(
        setting.folder / f"start-{number}",
        setting.broker.port,
        setting.model,
        {"c": {"url": str(setting.walking)}},
        providers=[setting.provider],
    )
    heard = threading.Event()
    with setting.broker.hearing(edged_side.topic("c"), lambda _topic, _payload: heard.set()):
        began_s = time.monotonic()
        with started(edged_side.command(config, once=False)):
            if not heard.wait(START_S):
                raise SideFailedError(f"no message within {START_S:.0f} s")
            return time.monotonic() - began_s
