"""6: what the int8 twins of two detectors gain and lose on the provider: the bundled one, and the one measured here."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.performance.figures import Figure, ratio
from benchmarks.performance.processes import ROOT, SideFailedError, environment, python, told
from benchmarks.performance.setting import Setting

MAX_LOSS = 0.01
MODELS = ROOT / "models"
BUNDLED = MODELS / "parcel-codes" / "1", MODELS / "parcel-codes-int8" / "1"
PICTURES = 300
"""Rendered ones, for the bundled detector."""


def shown(setting: Setting) -> Iterator[Figure]:
    """Speed of the bare sessions, and mAP50: on rendered pictures, and on the annotated ones of the assets."""
    whole, twin = (folder / "model.onnx" for folder in BUNDLED)
    yield _speed(setting, "parcel-codes", whole, twin)
    if setting.quick:
        yield Figure(6, "parcel-codes: loss of mAP50", None, note="takes a minute: not with --quick")
    else:
        yield _loss("parcel-codes", *(_rendered_map50(setting, folder) for folder in BUNDLED))
    name = setting.model.stem
    if setting.int8 is None:
        yield Figure(6, _gain(setting, name), None, target=1.5, at_least=True, note="no int8 model: --int8")
        return
    yield _speed(setting, name, setting.model, setting.int8)
    yield _loss(name, *(_map50(setting, model) for model in (setting.model, setting.int8)))


def _gain(setting: Setting, name: str) -> str:
    return f"{name}: int8 / float32 inferences a second on {setting.provider}"


def _speed(setting: Setting, name: str, whole: Path, twin: Path) -> Figure:
    per_s: dict[Path, list[float]] = {twin: [], whole: []}
    for _ in range(setting.rounds):
        for model, rates in per_s.items():
            given = (setting.walking, model, "--provider", setting.provider, "--count", 100)
            rates.append(1000 / told(python("bare.py", "session", *given))["wall_ms"])
    value, rounds = ratio(per_s[twin], per_s[whole])
    return Figure(6, _gain(setting, name), value, target=1.5, at_least=True, rounds=rounds)


def _loss(name: str, before: float, after: float) -> Figure:
    note = f"mAP50 {before:.4f} and {after:.4f}"
    return Figure(6, f"{name}: loss of mAP50", before - after, "", target=MAX_LOSS, note=note)


def _map50(setting: Setting, model: Path) -> float:
    images = setting.assets / "images"
    command = ["-m", "edged", "model", "eval", str(model)]
    said = _said([*command, str(images / "annotations_dev.json"), str(images), "--json"])
    return float(json.loads(said)["mAP50"])


def _rendered_map50(setting: Setting, folder: Path) -> float:
    program = MODELS / "parcel-codes" / "train" / "evaluate.py"
    said = _said([str(program), str(folder), "--pictures", str(PICTURES), "--provider", setting.provider])
    found = re.search(r"^mean\s+\d+\s+([\d.]+)", said, re.MULTILINE)  # of all codes, the first table
    if not found:
        raise SideFailedError(f"{program.name}: says no mean")
    return float(found[1])


def _said(command: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment(), capture_output=True, text=True, timeout=600, cwd=ROOT
    )
    if done.returncode:
        raise SideFailedError(done.stderr.strip().splitlines()[-1])
    return done.stdout
