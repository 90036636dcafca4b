"""A real mosquitto for tests, on a free loopback port, ended by its process id; and a client that listens."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from real_parts import unavailable

READY_WITHIN_S = 10.0


def require_mosquitto() -> str:
    """The path of the program; without it the test is skipped, and fails where CI promises to have it."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        unavailable("mosquitto is not installed (apt-get install mosquitto)")
    return program


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Mosquitto:
    """One broker, which may be ended and started again on the same port.

    Args:
        folder: For its configuration and, with persistence, what it remembers.
        lines: More lines of mosquitto.conf; `allow_anonymous true` unless one of them speaks of it.
        persistence: Sessions and retained messages survive `stop` (not `kill`).
        tls: The listener's certificates stand in `lines`: the address is mqtts://.
    """

    def __init__(self, folder: Path, *lines: str, persistence: bool = False, tls: bool = False) -> None:
        self._program = require_mosquitto()
        self._scheme = "mqtts" if tls else "mqtt"
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / f"mosquitto-{self.port}.conf"
        settings = [f"listener {self.port} 127.0.0.1", "log_dest stderr", "log_type all", *lines]
        if not any("allow_anonymous" in line for line in lines):
            settings.append("allow_anonymous true")
        if os.geteuid() == 0:
            settings.insert(0, "user root")
        if persistence:
            settings += ["persistence true", f"persistence_location {folder}/"]
        self._config.write_text("\n".join(settings) + "\n")
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.log: list[str] = []
        self.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.port}"

    def url_for(self, user: str, password: str) -> str:
        return f"{self._scheme}://{user}:{password}@localhost:{self.port}"

    def start(self) -> None:
        process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._process = process
        running = threading.Event()
        assert process.stderr is not None
        stream = process.stderr

        def read() -> None:
            for line in stream:
                self.log.append(line.rstrip())
                if line.rstrip().endswith("running"):
                    running.set()
            running.set()

        self._reader = threading.Thread(target=read, name="mosquitto-log", daemon=True)
        self._reader.start()
        assert running.wait(READY_WITHIN_S), "mosquitto does not start"
        assert process.poll() is None, "mosquitto ended: " + "\n".join(self.log[-5:])

    def stop(self) -> None:
        """End it properly: with persistence it writes down what it knows."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it in the middle of whatever it does: connections stay open, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        ends = time.monotonic() + READY_WITHIN_S
        while self._process.poll() is None:
            assert time.monotonic() < ends, "mosquitto does not end"
            self._process.send_signal(number)  # again: it forgets one that comes right behind its "running"
            if number != signal.SIGKILL:
                self._process.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        assert self._reader is not None
        self._reader.join(READY_WITHIN_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None


class Listener:
    """A second client that hears what arrives; a context manager.

    Attributes:
        messages: In order of arrival.
    """

    def __init__(
        self,
        broker: "Mosquitto | Any",
        topic_filter: str = "#",
        *,
        name: str = "",
        configure: Callable[[paho.Client], None] | None = None,
    ) -> None:
        """With a `name` the broker keeps a session for it, so that nothing is missed while either is away."""
        self.messages: list[paho.MQTTMessage] = []
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=not name,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        if configure is not None:
            configure(self._client)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic_filter, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(READY_WITHIN_S), "the listener cannot subscribe"

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def wait_for(self, true: Callable[[], bool], within_s: float = 10.0) -> bool:
        """Wait for arrivals until `true()`."""
        with self._news:
            return self._news.wait_for(true, within_s)

    def payloads(self, topic: str) -> list[bytes]:
        return [bytes(message.payload) for message in list(self.messages) if message.topic == topic]

    def objects(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads(topic)]


def until(true: Callable[[], bool], within_s: float) -> bool:
    """For what nobody announces: look until it is so, or the time is over."""
    deadline_s = time.monotonic() + within_s
    pause = threading.Event()
    while not true():
        if time.monotonic() > deadline_s:
            return False
        pause.wait(0.01)
    return True
