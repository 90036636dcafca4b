"""The installs beside each other: latency and two-caller throughput of the same models through edged's own session.

    python benchmarks/providers.py cpu=PYTHON openvino=PYTHON openvino-wheel=PYTHON [--rounds 5] [--model FILE ...]

Each PYTHON is the interpreter of an environment with one of the extras. The installs take turns within one run;
medians are printed, with the number of rounds. What a session really ran on is read back from it. Latency is one caller
with all cores; throughput is two callers with their share of the cores each. How far the answer is from the CPU
provider's is printed too. Writes ``benchmarks/results/providers.json``.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path
from typing import Any

from edged.machine import cores, cpu_name

ROOT = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))
MODELS = ["yolox_nano_416.onnx", "yolov5n_dyn_fp16.onnx", "yolo26n_person_256_qdq.onnx"]

SIDE = """
import json, sys, threading, time
import edged
from pathlib import Path
from edged.inference.session import Session
from edged.machine import cores
from edged.worker.picture import picture_input, recipes, texture
from edged.manifest import InputManifest
from edged.worker.agreement import difference
path, asked, frames = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rows = {}
for callers in (1, 2):
    started = time.perf_counter()
    session = Session(path, providers=[asked], threads=cores() // callers or 1, callers=callers)
    load_s = time.perf_counter() - started
    spec = picture_input(session.inputs, path)
    recipe = recipes(spec, InputManifest(), {}, path)[0]
    feeds = {spec.name: texture(recipe)}
    for _ in range(5): answer = session.run(feeds)
    def work():
        for _ in range(frames): session.run(feeds)
    threads = [threading.Thread(target=work) for _ in range(callers)]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rows[callers] = {"ms": wall * 1000 / frames / callers, "cpu_ms": cpu * 1000 / frames / callers, "load_s": load_s}
deviation = difference(Session(path, providers=["cpu"]).run(feeds), answer)
print(json.dumps({"deviation": deviation, "in_use": session.provider.in_use, "rows": rows}))
"""


def side(python: str, asked: str, model: Path, frames: int) -> dict[str, Any]:
    command = [python, "-c", SIDE, str(model), asked, str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{python} cannot run {model.name}: {done.stderr.strip().splitlines()[-1]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("installs", nargs="+", metavar="EXTRA=PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--model", type=Path, action="append")
    options = parser.parse_args()
    installs = dict(install.split("=", 1) for install in options.installs)
    models = options.model or [ASSETS / "models" / name for name in MODELS]
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for model in models:
        results[model.name] = {name: [] for name in installs}
        for _ in range(options.rounds):
            for name, python in installs.items():
                asked = "cpu" if name == "cpu" else "openvino"
                results[model.name][name].append(side(python, asked, model, options.frames))
    print(f"median of {options.rounds} rounds of {options.frames} frames")
    print(
        "| model | install | ran on | latency ms, CPU ms | two callers: frames/s, CPU ms | load s | deviation |"
    )
    print("|---|---|---|---|---|---|---|")
    for model_name, by_install in results.items():
        for name, rounds in by_install.items():
            print(f"| {model_name} | {name} | {row(rounds)} |")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    record = {"platform": platform.platform(), "cpu": cpu_name(), "cores": cores(), "results": results}
    (folder / "providers.json").write_text(json.dumps(record, indent=1) + "\n")


def row(rounds: list[dict[str, Any]]) -> str:
    """The medians of one model in one install, as cells of a table."""

    def median(callers: int, key: str) -> float:
        return statistics.median(one["rows"][str(callers)][key] for one in rounds)

    return (
        f"{rounds[0]['in_use']} | {median(1, 'ms'):.1f}, {median(1, 'cpu_ms'):.1f} "
        f"| {1000 / median(2, 'ms'):.1f}, {median(2, 'cpu_ms'):.1f} "
        f"| {median(1, 'load_s'):.2f} | {rounds[0]['deviation']:.3f}"
    )


if __name__ == "__main__":
    main()
