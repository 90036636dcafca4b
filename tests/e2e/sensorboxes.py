"""A device `box` whose sensors are tried from outside: its configuration, toy models of rows, and who sends rows."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto
from paho.mqtt.enums import CallbackAPIVersion
from toy_models import constant, node
from toy_tabular import FLOAT, STRING, save_rows, tensor

Section = dict[str, Any]


def write_sensors(
    path: Path, broker: str, *, sensors: dict[str, Section], models: dict[str, Section], **more: Section
) -> Path:
    """A configuration for `box`; the local endpoint is off unless ``http`` says otherwise."""
    tables = {"mqtt": {"url": broker}, "http": {"listen": ""}, **more}
    tables |= {f"models.{name}": {"providers": ["cpu"], **section} for name, section in models.items()}
    tables |= {f"sensors.{name}": section for name, section in sensors.items()}
    lines = ['device = "box"']
    for name, section in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(_plain(value))}" for key, value in section.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def once(config: Path, within_s: float = 60.0) -> None:
    """`edged run --once`, which must end well."""
    with Daemon("--once", "-c", str(config)) as daemon:
        assert daemon.process.wait(within_s) == 0, daemon.log


class Ear(Listener):
    """Hears one broker; what it hears of sensors of `box`. Each message is read once, however often one looks."""

    def __init__(self, broker: Mosquitto, topic_filter: str = "edged/#", *, name: str = "") -> None:
        self._heard: dict[str, list[dict[str, Any]]] = {}
        self._looked_at = 0
        super().__init__(broker, topic_filter, name=name)

    def _of(self, topic: str) -> list[dict[str, Any]]:
        """The objects published there; not the empty payload that takes a topic back."""
        for message in self.messages[self._looked_at :]:
            self._looked_at += 1
            if message.payload[:1] == b"{":
                self._heard.setdefault(message.topic, []).append(json.loads(message.payload))
        return self._heard.get(topic, [])

    def results(self, sensor: str = "s") -> list[dict[str, Any]]:
        return self._of(f"edged/box/sensor/{sensor}/result")

    def ids(self, sensor: str = "s") -> list[Any]:
        """The echoed ``id`` of each result, as they came."""
        return [result["echo"]["id"] for result in self.results(sensor)]

    def states(self, sensor: str = "s") -> list[dict[str, Any]]:
        return self._of(f"edged/box/sensor/{sensor}/state")

    def state(self, sensor: str = "s") -> dict[str, Any]:
        return (self.states(sensor) or [{}])[-1]

    def hears(self, ids: Iterable[Any], sensor: str = "s", within_s: float = 15.0) -> bool:
        """Wait for a result of each of these rows."""
        wanted = set(ids)
        return self.wait_for(
            lambda: len(self.results(sensor)) >= len(wanted) and wanted <= set(self.ids(sensor)), within_s
        )

    def is_online(self, sensor: str = "s", within_s: float = 20.0) -> bool:
        return self.wait_for(lambda: self.state(sensor).get("state") == "online", within_s)


class Publisher:
    """Publishes rows with QoS 1; a context manager that leaves when all of them are acknowledged."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        self._last: paho.MQTTMessageInfo | None = None

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None and kind is None:
            self._last.wait_for_publish(30)
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, payload: Any) -> None:
        """An object becomes JSON, bytes are sent as they are."""
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._last = self._client.publish(topic, content, qos=1)


class Metronome:
    """Calls something so many times a second in a thread of its own, with 0, 1, 2 …, until it is stopped."""

    def __init__(self, tick: Callable[[int], None], per_s: float) -> None:
        self.count = 0
        self._tick, self._per_s = tick, per_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metronome", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Metronome":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """How many times it was called."""
        self._stopping.set()
        self._thread.join(10)
        return self.count

    def _run(self) -> None:
        begin_s = time.monotonic()
        while not self._stopping.wait(max(0.0, begin_s + self.count / self._per_s - time.monotonic())):
            self._tick(self.count)
            self.count += 1


def two_classes(path: Path, *, version: int = 1, fields: int = 2) -> Path:
    """Of rows of ``a, b``: `normal` where a is greater, else `faulty`; no two versions are the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = np.zeros((2, fields))
    weights[0, 0], weights[1, -1] = 1.0, 1.0
    model = node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_strings=["normal", "faulty"],
        coefficients=weights.ravel().tolist(),
        intercepts=[1e-6 * version, 0.0],
        post_transform="SOFTMAX",
    )
    outputs = [tensor("label", STRING, ["N"]), tensor("scores", FLOAT, ["N", 2])]
    return save_rows(path, [model], outputs, inputs=[tensor("x", FLOAT, ["N", fields])])


def sum_score(folder: Path, *, window: int = 1, threshold: float = 10.0) -> Path:
    """The sum of a window of rows ``a, b`` is its score; above the threshold it is an anomaly."""
    folder.mkdir(parents=True, exist_ok=True)
    axes = constant("axes", [1, 2], "int64")
    total = node("ReduceSum", ["x", "axes"], ["sum"], keepdims=0)
    column = node("Unsqueeze", ["sum", "last"], ["score"])
    save_rows(
        folder / "model.onnx",
        [total, column],
        [tensor("score", FLOAT, ["N", 1])],
        [axes, constant("last", [1], "int64")],
        inputs=[tensor("x", FLOAT, ["N", window, 2])],
    )
    (folder / "model.toml").write_text(f'task = "tabular"\n[output]\nthreshold = {threshold}\n')
    return folder


def csv_row(number: int, a: float = 2.0, b: float = 1.0) -> bytes:
    """A line of ``id,a,b``."""
    return f"{number},{a},{b}\n".encode()


LINES = {"format": "csv", "columns": ["id", "a", "b"], "fields": ["a", "b"], "echo": ["id"], "models": ["m"]}
"""A sensor of lines ``id,a,b``; its address is still to be said."""
