"""edged as a side: the daemon with a configuration, from outside."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL = "m"


def command(config: Path, *, once: bool) -> list[str]:
    """The daemon."""
    return [sys.executable, "-m", "edged", "run", *(["--once"] if once else []), "-c", str(config)]


def config(
    folder: Path,
    port: int,
    model: Path,
    cameras: Mapping[str, Mapping[str, Any]],
    *,
    providers: list[str],
    **more: Any,
) -> Path:
    """A configuration file in a folder of its own.

    Args:
        folder: Of this run.
        port: Of the broker.
        model: Of all cameras.
        cameras: Sections by name.
        providers: In order.
        more: Of the model's section.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['device = "bench"', "[state]", f"path = {json.dumps(str(folder / 'state'))}"]
    lines += ["[http]", 'listen = ""', "[mqtt]", f'url = "mqtt://127.0.0.1:{port}"']
    lines += [f"[models.{MODEL}]", f"path = {json.dumps(str(model))}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in {"providers": providers, **more}.items()]
    for name, section in cameras.items():
        lines += [f"[cameras.{name}]", f'models = ["{MODEL}"]']
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items() if key != "motion"]
        if motion := section.get("motion"):
            lines += [f"[cameras.{name}.motion]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in motion.items()]
    path = folder / "edged.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def topic(camera: str = "+") -> str:
    """Of its results."""
    return f"edged/bench/camera/{camera}/detections"
