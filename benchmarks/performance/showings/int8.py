"""6: what the int8 twin of a detector gains and loses on the provider."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.performance.figures import Figure, ratio
from benchmarks.performance.processes import SideFailedError, environment, python, told
from benchmarks.performance.setting import Setting

MAX_LOSS = 0.01


def shown(setting: Setting) -> Iterator[Figure]:
    """Speed of the bare session, and mAP on the annotated pictures of the assets."""
    speed = f"int8 / float32 inferences a second on {setting.provider}"
    if setting.int8 is None:
        yield Figure(6, speed, None, target=1.5, at_least=True, note="no int8 model: --int8")
        return
    per_s: dict[Path, list[float]] = {setting.int8: [], setting.model: []}
    for _ in range(setting.rounds):
        for model, rates in per_s.items():
            given = (setting.walking, model, "--provider", setting.provider, "--count", 100)
            rates.append(1000 / told(python("bare.py", "session", *given))["wall_ms"])
    value, rounds = ratio(per_s[setting.int8], per_s[setting.model])
    yield Figure(6, speed, value, target=1.5, at_least=True, rounds=rounds)
    before, after = (_map50(setting, model) for model in (setting.model, setting.int8))
    note = f"mAP50 {before:.4f} and {after:.4f}"
    yield Figure(6, "loss of mAP50 of the int8 twin", before - after, "", target=MAX_LOSS, note=note)


def _map50(setting: Setting, model: Path) -> float:
    images = setting.assets / "images"
    command = [sys.executable, "-m", "edged", "model", "eval", str(model)]
    command += [str(images / "annotations_dev.json"), str(images), "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SideFailedError(done.stderr.strip().splitlines()[-1])
    return float(json.loads(done.stdout)["mAP50"])
