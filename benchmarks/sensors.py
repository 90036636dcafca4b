"""Rows a second from a file to the outbox on disk, beside the bare session; and how long a row takes at 100 a second.

    python benchmarks/sensors.py [--seconds 3] [--rounds 5] [--assets ../shared/assets]

**Rows a second.** A file of CSV rows (its numbers are drawn from the model's own CSV) is read, parsed, scored and
published into an outbox on disk, in the parts of the daemon: the sensor's thread, the model's worker process, the
publisher. Beside it, in turns, the bare session in this process: its inputs lie ready in memory, at the batch size that
was fastest (of 1 to 4096), with one thread as edged has and with two. Three ways to publish: ``every`` row makes a
message on disk, ``changed`` makes one where the label changed, ``none`` makes none.

**Latency.** 100 rows a second are published to a real mosquitto; from the publishing of a row to its result, on disk,
acknowledged, delivered and received by this process again. And to the moment at which it is in the outbox. The broker
and this process send at once, as edged does (TCP_NODELAY): otherwise a small packet waits up to 40 ms at either until
the one before it is acknowledged.

Writes ``benchmarks/results/sensors.json``.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
import paho.mqtt.client as paho
from daemon import broker
from paho.mqtt.enums import CallbackAPIVersion

from edged.mqtt.link import LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import DiskOutbox
from edged.publisher import RowPublisher, Sender
from edged.service.models import Models
from edged.service.sensors import Sensors
from edged.settings import check_settings
from edged.urls import broker_address

ROOT = Path(__file__).parent.parent
TOPICS = Topics("edged", "bench")
BATCHES = (1, 16, 64, 256, 1024, 4096)
PUBLISH: dict[str, dict[str, Any]] = {
    "batched": {"publish": "every", "per_message": 1000},
    "every": {"publish": "every"},
    "changed": {"publish": "changed"},
    "none": {"publish": "anomaly"},
}
"""How results are published: nothing says what an anomaly is, so ``anomaly`` makes no message."""


def session_of(model: Path, threads: int) -> Any:
    """A session as edged makes it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def bare(model: Path, rows: np.ndarray, threads: int, batch: int, seconds: float) -> float:
    """Rows a second of the session alone."""
    session = session_of(model, threads)
    name = session.get_inputs()[0].name
    parts = [rows[start : start + batch] for start in range(0, len(rows) - batch + 1, batch)]
    session.run(None, {name: parts[0]})
    done, began_s = 0, time.perf_counter()
    while (took_s := time.perf_counter() - began_s) < seconds:
        for part in parts:
            session.run(None, {name: part})
            done += len(part)
            if time.perf_counter() - began_s >= seconds:
                break
    return done / took_s


@contextmanager
def models_of(settings: Any) -> Iterator[Models]:
    """The models, served."""
    models = Models(once=True, on_change=lambda _: None, checkpoint=lambda: None)
    if not models.start(settings):
        raise SystemExit([model.error for model in models.served.values()])
    yield models
    models.halt()
    for model in models.served.values():
        model.stop()


def taken_away(outbox: DiskOutbox, done: threading.Event) -> None:
    """Take and remove messages, as the link does, so that the outbox is never full."""
    news, key = threading.Event(), 0
    outbox.subscribe(news.set)
    while not done.is_set():
        news.wait(0.05)
        news.clear()
        while entries := outbox.after(key, 256):
            for entry in entries:
                outbox.remove(entry.key)
            key = entries[-1].key


def edged(models: Models, settings: Any, file: Path, rows: int, folder: Path) -> dict[str, float]:
    """Rows a second from the file until the last message is on disk; and messages."""
    outbox = DiskOutbox(folder, 256 << 20, 3600.0)
    outbox.start()
    done = threading.Event()
    link = threading.Thread(target=taken_away, args=(outbox, done))
    link.start()
    publisher = RowPublisher(Sender(TOPICS, 1), outbox)
    sensors = Sensors(
        once=True,
        configured=lambda: settings.sensors,
        models=lambda: models.served,
        publisher=lambda: publisher,
        state=None,
        broker=lambda: (LinkOptions(broker_address("mqtt://127.0.0.1:1"), client_id="bench"), TOPICS),
        on_state=lambda _: None,
    )
    cpu_s, began_s = time.process_time(), time.perf_counter()
    sensors.start("bench", settings.sensors["bench"])
    post = next(iter(sensors))
    post.sensor.finished.wait(600)
    pipeline = next(iter(models.served.values())).rows
    assert pipeline is not None
    pipeline.wait_idle(600)
    while len(outbox):
        time.sleep(0.0005)
    took_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    state = post.state("bench")
    sensors.end(["bench"])
    done.set()
    link.join()
    outbox.close(10)
    if state.rows != rows or state.rejected or state.dropped:
        raise SystemExit(f"not every row was scored: {state}")
    return {"rows_per_s": rows / took_s, "cpu_us": used_s / rows * 1e6}


def rows_of(assets: Path, model: str, count: int) -> np.ndarray:
    """Rows like those of the model's own data."""
    if model == "rf_iris":
        own = np.loadtxt(assets / "iris_data.csv", delimiter=",")
    else:
        expected = json.loads((assets.parent / "expected.json").read_text())["sensors"]
        names = expected["wind_turbine_rf_fault.onnx"]["feature_order"]
        lines = (assets / "windturbine_scada_excerpt.csv").read_text().splitlines()
        head = lines[0].split(",")
        own = np.array([[float(line.split(",")[head.index(name)]) for name in names] for line in lines[1:]])
    dice = np.random.default_rng(7)
    noise = dice.normal(1.0, 0.05, (count, own.shape[1]))
    return (own[dice.integers(0, len(own), count)] * noise).round(4).astype(np.float32)


def throughput(assets: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both models, in turns."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="sensors-") as temporary:
        base = Path(temporary)
        for model, count in (("rf_iris", 400_000), ("wind_turbine_rf_fault", 120_000)):
            path, rows = assets / f"{model}.onnx", rows_of(assets, model, count)
            best = {
                threads: max(BATCHES, key=lambda batch: bare(path, rows, threads, batch, 0.5))
                for threads in (1, 2)
            }
            file = base / f"{model}.csv"
            np.savetxt(file, rows, delimiter=",", fmt="%.4f")
            few = base / f"{model}-few.csv"
            few.write_text("".join(file.read_text().splitlines(keepends=True)[: count // 10]))
            figures: dict[str, list[float]] = {"bare_1": [], "bare_2": []}
            for number in range(options.rounds):
                for threads, batch in best.items():
                    figures[f"bare_{threads}"].append(bare(path, rows, threads, batch, options.seconds))
                for name, publish in PUBLISH.items():
                    source, lines = (few, count // 10) if name == "every" else (file, count)
                    section = {"url": str(source), "format": "csv", "models": ["m"], **publish}
                    settings = check_settings(
                        {"models": {"m": {"path": str(path)}}, "sensors": {"bench": section}}, name="bench"
                    ).settings
                    with models_of(settings) as models:
                        one = edged(models, settings, source, lines, base / f"{model}-{name}-{number}")
                    figures.setdefault(name, []).append(one["rows_per_s"])
            medians = {name: statistics.median(values) for name, values in figures.items()}
            found[model] = {
                "fields": rows.shape[1],
                "best_batch": {f"{threads} threads": batch for threads, batch in best.items()},
                "rows_per_s": {name: round(value) for name, value in medians.items()},
                "ratio_to_bare_1": {name: round(medians[name] / medians["bare_1"], 3) for name in PUBLISH},
                "ratio_to_bare_2": {name: round(medians[name] / medians["bare_2"], 3) for name in PUBLISH},
            }
            print(json.dumps({model: found[model]}, indent=1), flush=True)
    return found


def at_once(_client: Any, _data: Any, sock: Any) -> None:
    """Have a client's socket send small packets at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def latency(assets: Path, seconds: float, rate: float) -> dict[str, float]:
    """Milliseconds of a row from its publishing to its result, over a real broker; and to the outbox, as it says."""
    arrived: dict[int, float] = {}
    ages: list[float] = []
    sent: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="sensors-") as temporary:
        folder = Path(temporary)
        mosquitto, port = broker(folder, "set_tcp_nodelay true")
        (folder / "edged.toml").write_text(
            f'device = "bench"\n[state]\npath = "state"\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n'
            f'[models.m]\npath = "{(assets / "rf_iris.onnx").resolve()}"\n'
            '[sensors.bench]\nurl = "mqtt:rows"\nmodels = ["m"]\nfields = ["a","b","c","d"]\necho = ["n"]\n'
            '[http]\nlisten = ""\n'
        )

        def hear(_client: Any, _data: Any, message: Any) -> None:
            now_s = time.perf_counter()
            said = json.loads(message.payload)
            arrived[said["echo"]["n"]] = now_s
            ages.append(said["timing_ms"]["age"])

        client = paho.Client(CallbackAPIVersion.VERSION2, "bench-publisher")
        client.on_socket_open = at_once
        client.on_message = hear
        client.connect("127.0.0.1", port)
        client.subscribe("edged/bench/sensor/bench/result", 1)
        client.loop_start()
        log = (folder / "log").open("w")
        program = [sys.executable, "-m", "edged", "run", "-c", str(folder / "edged.toml")]
        process = subprocess.Popen(program, stderr=log, stdout=log)
        try:
            deadline_s, number = time.monotonic() + 60, 0
            while not arrived and time.monotonic() < deadline_s:
                client.publish("rows", json.dumps({"a": 5.4, "b": 3.7, "c": 1.5, "d": 0.2, "n": -1}), 1)
                time.sleep(0.2)
            began_s = time.perf_counter()
            for number in range(int(seconds * rate)):
                time.sleep(max(0.0, began_s + number / rate - time.perf_counter()))
                row = {"a": 5.4, "b": 3.7, "c": 1.5, "d": 0.2, "n": number}
                sent[number] = time.perf_counter()
                client.publish("rows", json.dumps(row), 1)
            time.sleep(1.0)
        finally:
            process.terminate()
            process.wait(10)
            client.loop_stop()
            mosquitto.terminate()
            mosquitto.wait(10)
    waits = sorted((arrived[n] - at_s) * 1000 for n, at_s in sent.items() if n in arrived)
    ages.sort()

    def part(values: list[float], share: float) -> float:
        return round(values[min(len(values) - 1, int(len(values) * share))], 2)

    return {
        "rows": len(sent),
        "missing": len(sent) - len(waits),
        "round_trip_p50_ms": part(waits, 0.5),
        "round_trip_p99_ms": part(waits, 0.99),
        "to_outbox_p50_ms": part(ages, 0.5),
        "to_outbox_p99_ms": part(ages, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run of the bare session")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--assets", type=Path, default=ROOT.parent / "shared" / "assets")
    parser.add_argument("--only", choices=["throughput", "latency"])
    options = parser.parse_args()
    sensors = options.assets / "sensors"
    results: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "rounds": options.rounds,
    }
    if options.only != "latency":
        results["throughput"] = throughput(sensors, options)
    if options.only != "throughput":
        results["latency_100_a_second"] = latency(sensors, 30.0, 100.0)
        print(json.dumps(results["latency_100_a_second"], indent=1))
    if options.only is None:
        text = json.dumps(results, indent=1)
        (ROOT / "benchmarks" / "results" / "sensors.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
