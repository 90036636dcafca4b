"""``edged demo``: the daemon at work on this machine, with nothing to prepare."""

import contextlib
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from edged.errors import EdgedError, RuntimeMissing, Unreachable
from edged.urls import broker_address

if TYPE_CHECKING:
    from rich.live import Live

    from edged.demo.board import Board
    from edged.demo.stage import Stage
    from edged.demo.view import Moment

BASE = "edged"
REFRESH_S = 0.25
PATIENCE_S = 60.0
"""For the first object, besides the seconds that were asked for."""
FIRST_LINE_S, LINE_EVERY_S = 2.0, 5.0
"""From the first result to the first line of figures, and between two, where the output is no terminal."""


def demo(
    *,
    seconds: Annotated[
        float, typer.Option(help="End after so long, and not before the first object; 0 = on Ctrl-C.", min=0)
    ] = 0.0,
) -> None:
    """Show edged at work: a camera, a sensor, a model of each, a broker, and what a subscriber receives.

    The camera is a video, the sensor a vibration in which a bearing goes bad now and then. All of it is bundled.
    It listens on the loopback only and leaves nothing behind.

    Example: edged demo --seconds 30
    """
    began_s = time.monotonic()
    _require_parts()
    from edged.demo.board import Board
    from edged.demo.stage import staged

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # an encoding may lack × and ╭
    board = Board(BASE)
    clock = _Clock(seconds, began_s, board)
    with _signals() as told_to_end:

        def over() -> bool:
            return told_to_end() or clock.over()

        with staged(over) as stage:
            _introduce(stage.url)
            try:
                _watch(stage, board, over, began_s)
            except EdgedError:
                _repeat(stage)
                raise
        elapsed_s = time.monotonic() - began_s
    _sum_up(board, elapsed_s)


class _Clock:
    """Says when a demo of so many seconds is over: not before the first object was found.

    The first start on a machine is the longest, as models are measured then; it may take longer than was asked for.
    """

    def __init__(self, seconds: float, began_s: float, board: "Board") -> None:
        self._end_s, self._hopeless_s = began_s + seconds, began_s + seconds + PATIENCE_S
        self._goes_on, self._board = not seconds, board

    def over(self) -> bool:
        """Whether they are over, or the start has taken so long that nothing will come of it."""
        now_s = time.monotonic()
        if self._goes_on or now_s < self._end_s:
            return False
        return bool(self._board.objects) or now_s >= self._hopeless_s


def _require_parts() -> None:
    runtime = "openvino" if platform.machine() in {"x86_64", "AMD64"} else "cpu"
    parts = {"onnxruntime": ("ONNX Runtime", runtime), "amqtt": ("amqtt, its MQTT broker,", "demo")}
    missing = [part for module, part in parts.items() if find_spec(module) is None]
    if missing:
        names, extras = zip(*missing, strict=True)
        raise RuntimeMissing(
            "edged demo",
            f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed",
            f"pip install 'edged[{','.join(extras)}]'",
        )


@contextlib.contextmanager
def _signals() -> "Iterator[Callable[[], bool]]":
    """Whether a signal to end has come; one more while things end changes nothing."""
    heard: list[int] = []
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in wanted}
    try:
        yield lambda: bool(heard)
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


def _introduce(url: str) -> None:
    address = broker_address(url)
    program = "edged" if shutil.which("edged") else Path(sys.executable).with_name("edged")
    print(f"A camera, a sensor, the daemon, and a broker at {url}")
    print("To see its messages from another terminal:")
    print(f"  mosquitto_sub -h {address.host} -p {address.port} -v -t '{BASE}/#'")
    print(f"  {program} watch --mqtt {url}\n", flush=True)


def _watch(stage: "Stage", board: "Board", over: Callable[[], bool], began_s: float) -> None:
    """Feed and show the board until it is over.

    Raises:
        EdgedError: A part ended, or nothing was detected.
    """
    from edged.demo.view import Moment
    from edged.mqtt.records import LinkOptions
    from edged.mqtt.subscriber import Subscriber
    from edged.mqtt.topics import everything

    options = LinkOptions(broker_address(stage.url), client_id=f"edged-demo-{os.getpid()}")
    with Subscriber(options, everything(BASE)) as subscriber, _screen() as screen:
        while not over():
            for message in subscriber.receive(REFRESH_S):
                board.feed(message, time.monotonic())
            stage.check()
            now_s = time.monotonic()
            screen.show(board, Moment(now_s, now_s - began_s, subscriber.protocol))
    if not board.objects:
        found = f"nothing was found in {board.results:,} results" if board.results else "no result came"
        raise Unreachable(
            "edged demo",
            f"{found} in {time.monotonic() - began_s:.0f} s",
            "the log above says why, or it needs more time",
        )


def _repeat(stage: "Stage") -> None:
    for line in stage.last_words():
        print(f"  {line}", file=sys.stderr)


def _sum_up(board: "Board", elapsed_s: float) -> None:
    from edged.demo.view import counted

    print(f"{board.results:,} results in {elapsed_s:.0f} s: {counted(board.objects)}")
    print(_about_vibration(board))


def _about_vibration(board: "Board") -> str:
    """What came of the sensor. That nothing did is said, and no failure: its model is the second one that is loaded."""
    from edged.demo.stage import SENSOR
    from edged.demo.view import counted

    if not board.windows:
        state = board.sensors.get(SENSOR)
        why = f": {state.why}" if state and state.why else "; it needs more time"
        return f"no window of vibration was scored{why}"
    windows = f"{board.windows:,} window{'' if board.windows == 1 else 's'} of vibration"
    if not board.faults:
        return f"{windows}, no fault seen"
    return f"{windows}, faults seen: {counted(board.faults)}"


class _Screen(Protocol):
    """Where the board is shown."""

    def show(self, board: "Board", moment: "Moment") -> None: ...


@contextlib.contextmanager
def _screen() -> Iterator[_Screen]:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield _Lines()
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield _Picture(live)


class _Picture:
    """The board on a terminal, drawn in place."""

    def __init__(self, live: "Live") -> None:
        self._live, self._drawn_s = live, 0.0

    def show(self, board: "Board", moment: "Moment") -> None:
        from edged.demo.view import picture

        if moment.now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = moment.now_s
            self._live.update(picture(board, moment), refresh=True)


class _Lines:
    """What changed, and now and then the figures, for a pipe or a log."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._next_s = float("inf")

    def show(self, board: "Board", moment: "Moment") -> None:
        from edged.demo.view import line, states

        for name, state in states(board, moment).items():
            if self._said.get(name) != state:
                self._said[name] = state
                self._say(moment, f"{name}: {state}")
        if board.results and self._next_s == float("inf"):
            self._next_s = moment.now_s + FIRST_LINE_S
        if moment.now_s >= self._next_s:
            self._next_s += LINE_EVERY_S
            self._say(moment, line(board, moment))

    def _say(self, moment: "Moment", text: str) -> None:
        print(f"{moment.elapsed_s:6.1f} s  {text}", flush=True)
