"""``edged run``: the daemon in the foreground."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from edged.bundle import model_path
from edged.cli.serving import end_process, serve, serve_file
from edged.errors import UsageError
from edged.settings import LoadedSettings, check_settings

HELP = """Run the daemon in the foreground.

Examples:
  edged run -c edged.toml
  edged run --camera rtsp://user@10.0.0.5/stream1 --model yolox_nano.onnx --mqtt mqtt://localhost
  edged run --once --camera clip.mp4 --model yolox_nano.onnx
"""


def run(
    *,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")] = None,
    camera: Annotated[str | None, typer.Option(help="Without a file: one camera at this URL.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Without a file: the model for it, or the name of a bundled one.")
    ] = None,
    mqtt: Annotated[str | None, typer.Option(help="Without a file: the broker.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Read every source once to its end, lose nothing, end.")
    ] = False,
) -> None:
    if camera is None and model is None:
        if mqtt is not None:
            raise UsageError(
                "--mqtt", "goes with --camera and --model", "or set mqtt.url in the configuration"
            )
        code = serve_file(config, once=once)
    elif camera is None or model is None:
        raise UsageError("--camera and --model", "go together", "give both, or a configuration with -c FILE")
    elif config is not None:
        raise UsageError("-c", "does not go with --camera and --model", "put them into the file")
    else:
        code = serve(_without_file(camera, model, mqtt), None, once=once)
    end_process(code)


def _without_file(camera: str, model: Path, mqtt: str | None) -> LoadedSettings:
    model = model_path(model)
    stem = model.resolve().stem if model.suffix == ".onnx" else model.resolve().name
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip("_.-")[:64] or "model"
    given: dict[str, Any] = {
        "models": {name: {"path": str(model)}},
        "cameras": {"camera": {"url": camera, "models": [name]}},
    }
    if mqtt is not None:
        given["mqtt"] = {"url": mqtt}
    return check_settings(given, name="command line")
