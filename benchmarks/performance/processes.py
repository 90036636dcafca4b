"""Processes looked at from outside: what a tree of them used, and between which two of its messages."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

ROOT = Path(__file__).parents[2]
SIDES = Path(__file__).parent / "sides"
START_S, SIDE_S = 60.0, 240.0
_SCHEDULED = 2  # the kernel's clock of processor time (CPUCLOCK_SCHED)


def environment(**more: str) -> dict[str, str]:
    """Of every side: no telemetry, and byte code that is kept, as an installation has it."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"ORT_DISABLE_TELEMETRY": "1"} | more


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    except OSError:
        return found
    return found


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and those below it used."""
    total = 0.0
    for one in tree(pid):
        try:
            total += time.clock_gettime(~one << 3 | _SCHEDULED)
        except OSError:
            continue
    return total


def pss_bytes(pid: int) -> int:
    """Proportional set size of a process and those below it."""
    total = 0
    for one in tree(pid):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


class SideFailedError(Exception):
    """A side that did not do what it was to do: what is shown with it is not measured."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a tree of processes."""

    messages: int
    at_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What lay between two marks.

    Attributes:
        cpu_ms: Of processor time a message.
        per_s: Messages a second.
        messages: Between the marks.
    """

    cpu_ms: float
    per_s: float
    messages: int

    @classmethod
    def between(cls, first: Mark, last: Mark) -> "Rate":
        """The rate from one mark to a later one."""
        count = last.messages - first.messages
        return cls((last.cpu_s - first.cpu_s) / count * 1000, count / (last.at_s - first.at_s), count)


class Broker:
    """A real mosquitto on a free loopback port, and one subscriber. A context manager."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        self._heard: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self._heard(message.topic, message.payload)

    def __enter__(self) -> "Broker":
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.02)
        else:
            raise SideFailedError("mosquitto does not start")
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._process.terminate()
        self._process.wait()

    @contextmanager
    def hearing(self, topic: str, heard: Callable[[str, bytes], None]) -> Iterator[None]:
        """Have what is published under a filter handed over, in the subscriber's thread, QoS 0."""
        ready = threading.Event()
        self._heard = heard
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.subscribe(topic, qos=0)
        ready.wait(5)
        try:
            yield
        finally:
            self._client.unsubscribe(topic)
            self._heard = lambda _topic, _payload: None


@contextmanager
def started(command: Sequence[str], **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended with the context; its standard error is shown where it failed."""
    process = subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=SIDES
    )
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield process
        if process.poll() not in {None, 0, -15}:
            sys.stderr.write(b"".join(lines[-5:]).decode("utf-8", "replace"))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(2)


def python(program: str, *arguments: object, interpreter: str = sys.executable) -> list[str]:
    """The command of a program beside this one."""
    return [interpreter, str(SIDES / program), *map(str, arguments)]


def told(command: Sequence[str]) -> dict[str, Any]:
    """The line of JSON that a side prints."""
    done = subprocess.run(
        command, env=environment(), cwd=SIDES, capture_output=True, text=True, timeout=SIDE_S
    )
    if done.returncode:
        raise SideFailedError(
            f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
        )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def rate_of(
    broker: Broker, command: Sequence[str], topic: str, *, first: int, last: int, **more: str
) -> Rate:
    """What a publisher used between two of its messages: how it starts and how it ends are no part of it.

    Args:
        broker: That it publishes to.
        command: Ends by itself.
        topic: Of its messages.
        first: After so many messages the counting begins.
        last: After so many it ends.
        more: Of the environment.
    """
    marks: dict[int, Mark] = {}
    count, over = 0, threading.Event()

    with started([*command], **more) as process:

        def heard(_topic: str, _payload: bytes) -> None:
            nonlocal count
            count += 1
            if count in {first, last}:
                marks[count] = Mark(count, time.monotonic(), cpu_s(process.pid))
                if count == last:
                    over.set()

        with broker.hearing(topic, heard):
            deadline_s = time.monotonic() + SIDE_S
            while not over.wait(0.2) and process.poll() is None and time.monotonic() < deadline_s:
                pass
            over.wait(1)
        if last in marks and process.poll() is None:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"{' '.join(command[:4])}: does not end\n")
    if last not in marks:
        raise SideFailedError(f"{' '.join(command[:4])}: {count} messages came, {last} were awaited")
    return Rate.between(marks[first], marks[last])
