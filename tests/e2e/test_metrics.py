"""A running daemon seen over HTTP: its counts add up and never fall, whatever happens, and `edged status` shows it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto, free_port, until
from operators import Operator
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.samples import Sample

from edged.bundle import demo_video, model
from edged.service.status_schema import FILE

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Endpoint:
    """Of one daemon, which may be started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.last: Series = {}

    def get(self, path: str, accept: str = "") -> tuple[str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers["Content-Type"], answer.read().decode()

    def scrape(self) -> Series:
        """All series; of no counter it may be less than in the scrape before."""
        families = list(plain(self.get("/metrics")[1]))
        counters = {family.name for family in families if family.type in {"counter", "histogram"}}
        now: Series = {}
        samples: list[tuple[str, Sample]] = [
            (family.name, one) for family in families for one in family.samples
        ]
        for family, one in samples:
            key = one.name, frozenset(one.labels.items())
            assert key not in now, f"twice: {key}"
            now[key] = one.value
            if family in counters and one.name.removesuffix("_total") != "edged_worker_cpu_seconds":
                assert one.value >= self.last.get(key, 0), f"{key} fell from {self.last[key]} to {one.value}"
        self.last = now
        return now

    def value(self, name: str, **labels: str) -> float:
        """The sum of all series of a name with these labels."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.scrape().items() if found == name and wanted <= has)

    def goes_on(self) -> bool:
        """Whether frames are still looked at."""
        name = "edged_camera_frames_inferred_total"
        so_far = self.value(name, camera="front")
        return until(lambda: self.value(name, camera="front") > so_far + 5, 20)


def config(folder: Path, broker: Mosquitto, endpoint: Endpoint, **camera: Any) -> Path:
    path = write_config(
        folder / "edged.toml",
        broker.url_for("joe", "geheim"),
        cameras={
            "front": {"url": demo_video(), "models": ["parcels"], **camera},
            "away": {"url": "rtsp://joe:geheim@127.0.0.1:1/stream", "models": ["parcels"]},
        },
        models={"parcels": model("parcel-codes")},
    )
    path.write_text(path.read_text().replace('listen = ""', f'listen = "127.0.0.1:{endpoint.port}"'))
    return path


def status(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "status", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "COLUMNS": "80"},
    )


def adds_up(endpoint: Endpoint) -> bool:
    """Whether each captured frame of the camera came to exactly one end; once it stands still it must."""
    now = endpoint.scrape()

    def total(name: str) -> float:
        return sum(
            value for (found, has), value in now.items() if found == name and ("camera", "front") in has
        )

    captured, delivered = (
        total("edged_camera_frames_captured_total"),
        total("edged_camera_frames_delivered_total"),
    )
    inferred, dropped = (
        total("edged_camera_frames_inferred_total"),
        total("edged_camera_frames_dropped_total"),
    )
    return (
        captured == total("edged_camera_frames_skipped_total") + delivered
        and delivered == inferred + dropped > 0
    )


def test_counts_add_up_and_never_fall_over_a_killed_worker_a_lost_broker_and_reloads(
    mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    broker, endpoint = mosquitto(persistence=True), Endpoint()
    with contextlib.ExitStack() as stack:
        file = config(tmp_path, broker, endpoint, fps=12)
        listener = stack.enter_context(Listener(broker, name="counter"))
        daemon = stack.enter_context(Daemon("-c", str(file)))
        assert daemon.says("camera online"), daemon.log
        assert until(lambda: endpoint.value("edged_camera_frames_inferred_total", camera="front") > 5, 20)

        os.kill(daemon.worker(), signal.SIGKILL)
        assert until(lambda: endpoint.value("edged_model_worker_restarts_total") == 1, 20)
        assert until(lambda: endpoint.value("edged_model_up") == 1, 20)

        broker.stop()
        assert until(lambda: endpoint.value("edged_mqtt_up") == 0, 20)
        assert until(lambda: endpoint.value("edged_outbox_messages") > 5, 20)
        broker.start()
        assert until(lambda: endpoint.value("edged_mqtt_reconnects_total") == 1, 30)

        # The camera is made anew, then its model, too; between and after that frames come.
        changes = (("fps = 12", "fps = 0"), ("[models.parcels]", "[models.parcels]\nmin_score = 0.3"))
        for number, (before, after) in enumerate(changes):
            file.write_text(file.read_text().replace(before, after))
            daemon.send(signal.SIGHUP)
            assert daemon.says("reloaded", times=number + 1), daemon.log
            assert endpoint.goes_on()
        assert endpoint.value("edged_model_worker_restarts_total") == 1

        with Operator(broker) as operator:
            assert operator.ask("camera/enable", name="front", enabled=False)["ok"]
        assert until(lambda: adds_up(endpoint), 10), {
            key: value for key, value in endpoint.last.items() if "frames" in key[0] and value
        }
        published = endpoint.value("edged_camera_results_published_total", camera="front")
        assert until(lambda: endpoint.value("edged_outbox_messages") == 0, 20)
        received = {one["id"] for one in listener.objects("edged/box/camera/front/detections")}
        assert len(received) == published > 20
        ages = endpoint.value("edged_frame_age_seconds_count", camera="front")
        assert ages == endpoint.value("edged_camera_frames_inferred_total", camera="front")

        content_type, text = endpoint.get("/metrics", "application/openmetrics-text; version=1.0.0")
        assert content_type.startswith("application/openmetrics-text; version=1.0.0")
        assert {"edged_camera_frames_captured", "edged_frame_age_seconds"} <= {
            one.name for one in openmetrics(text)
        }

        said = status("-c", str(file))
        assert (said.returncode, said.stderr) == (0, "")
        assert re.search(r"^box  edged .*, ready$", said.stdout, re.MULTILINE)
        assert all(len(line) <= 80 for line in said.stdout.splitlines())
        assert re.search(r"front +disabled", said.stdout)
        assert re.search(r"away +offline .*refuses", said.stdout)
        answer = json.loads(status("--url", f"http://127.0.0.1:{endpoint.port}", "--json").stdout)
        assert answer["schema"] == "edged.status/1"
        jsonschema.validate(answer, json.loads(FILE.read_text(encoding="utf-8")))
        assert (answer["health"]["reconnects"], answer["health"]["models"][0]["restarts"]) == (1, 1)
        assert "geheim" not in said.stdout + json.dumps(answer)
        assert daemon.end() == 0

    gone = status("-c", str(file))
    assert (gone.returncode, gone.stdout) == (69, "")
    assert f"127.0.0.1:{endpoint.port}: connection refused" in gone.stderr
    assert "edged run" in gone.stderr
    assert len(gone.stderr.splitlines()) == 1
