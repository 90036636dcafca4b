"""A model that comes into the store is served: `edged model add`, then `edged run`, over a real broker."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import toy_models
from clips import write_picture
from daemons import Daemon
from http_server import Server
from mosquitto_broker import Listener, Mosquitto

Brokers = Callable[..., Mosquitto]


def add(*arguments: object) -> str:
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [sys.executable, "-m", "edged", "model", "add", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=kept,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_that_was_fetched_is_served_and_the_next_version_after_a_restart(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    broker = mosquitto()
    toy = toy_models.light_detector(tmp_path / "light.onnx")
    (tmp_path / "pictures").mkdir()
    write_picture(tmp_path / "pictures" / "a.png", (255, 255, 255), width=64, height=64)
    config = tmp_path / "edged.toml"
    config.write_text(
        f'device = "box"\n[http]\nlisten = ""\n[mqtt]\nurl = "{broker.url}"\n[store]\npath = "models"\n'
        '[models.light]\nproviders = ["cpu"]\n[cameras.front]\nurl = "pictures"\nmodels = ["light"]\n'
    )

    def versions_served() -> list[tuple[int, str, list[str]]]:
        with Listener(broker) as listener, Daemon("-c", str(config), "--once") as daemon:
            assert daemon.process.wait(60) == 0, daemon.log
            topic = "edged/box/camera/front/detections"
            assert listener.wait_for(lambda: bool(listener.payloads(topic)))
            return [
                (m["model"]["version"], m["model"]["name"], [d["label"] for d in m["detections"]])
                for m in listener.objects(topic)
            ]

    with Server() as server:
        url = server.serve("/light.onnx", toy.read_bytes())
        assert "light: is now version 1" in add(url, "-c", config)
    assert versions_served() == [(1, "light", ["cat"])]
    (tmp_path / "light.toml").write_text('labels = ["bird", "fish"]\n')
    assert "light: is now version 2" in add(toy, "-c", config)
    assert versions_served() == [(2, "light", ["bird"])]
