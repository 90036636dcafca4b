"""What a process of its own costs a model: the same inference called directly, and through a worker.

    python benchmarks/worker.py [--rounds 7] [--frames 300] [--model M]

One thread an inference on both sides, the same tensor, decoding included. The sides take turns within one run, each in
processes that are new in every round (two processes with the same session differ more than the sides do); medians are
printed, with the number of rounds. CPU time of the worker's side is that of both processes. Writes
``benchmarks/results/worker.json``.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from edged.machine import usage
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel
from edged.worker.picture import texture

ROOT = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))


def measured(work: Callable[[], object], frames: int, pids: list[int]) -> tuple[float, float]:
    """Milliseconds of wall and of CPU time a frame."""
    cpu_s, wall_s = usage(pids).cpu_s, time.perf_counter()
    for _ in range(frames):
        work()
    return (
        (time.perf_counter() - wall_s) / frames * 1000,
        (usage(pids).cpu_s - cpu_s) / frames * 1000,
    )


def directly(request: LoadRequest, frames: int) -> tuple[float, float]:
    """The model in the process that asks."""
    model = LoadedModel(request)
    tensor = texture(model.description.input)
    own = np.empty_like(tensor)

    def one() -> None:
        np.copyto(own, tensor)
        model.answer(own)

    return measured(one, frames, [os.getpid()])


def through_worker(request: LoadRequest, frames: int) -> tuple[float, float]:
    """The model in a process of its own."""
    worker = WorkerProcess("bench", request)
    tensor = texture(worker.load().input)

    def one() -> None:
        np.copyto(
            worker.tensor(0), tensor
        )  # a frame is prepared straight into shared memory; this stands for it
        worker.answer(0)

    try:
        return measured(one, frames, [os.getpid(), worker.pid])
    finally:
        worker.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--model", type=Path, default=ASSETS / "models" / "yolox_nano_416.onnx")
    options = parser.parse_args()
    request = LoadRequest(path=str(options.model), providers=("cpu",), threads=1)
    rows: dict[str, list[tuple[float, float]]] = {"direct": [], "worker": []}

    for _ in range(options.rounds):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            rows["direct"].append(fresh.submit(directly, request, options.frames).result())
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            rows["worker"].append(fresh.submit(through_worker, request, options.frames).result())
    median = {
        side: [statistics.median(column) for column in zip(*values, strict=True)]
        for side, values in rows.items()
    }
    wall, cpu = (median["worker"][index] - median["direct"][index] for index in (0, 1))
    print(f"{options.model.name}, median of {options.rounds} rounds of {options.frames} frames")
    for side, (wall_ms, cpu_ms) in median.items():
        print(f"  {side:<8} {wall_ms:7.3f} ms wall, {cpu_ms:7.3f} ms CPU a frame")
    print(
        f"  the worker costs {wall:+.3f} ms wall and {cpu:+.3f} ms CPU ({cpu / median['direct'][1]:+.1%}) a frame"
    )
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    record = {"platform": platform.platform(), "cores": os.cpu_count(), "rounds": rows, "median": median}
    (results / "worker.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
