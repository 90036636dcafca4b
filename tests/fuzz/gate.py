"""Models that went wrong, through the gate: each in a worker process, started as the daemon starts one.

    mutant ─→ version folder ─→ Gate + WorkerProcess ─→ verdict ─→ some inferences ─→ the process's end

Beside each version's folder lie canaries: files that hold what a model could take for weights. Whoever opens one is
reported by the kernel.
"""

import itertools
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.manifest import RowRecipe
from edged.worker.client import LOAD_TIMEOUT_S, WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.gate import Gate
from fuzz.canary import Canaries
from fuzz.guidance import Finding
from fuzz.surgery import operated, wire

SLACK_S = 15.0
"""Beyond the bound of loading: to start a process on a busy machine, and to end one."""
MAX_WORKER_BYTES = 3 << 30
MAX_GROWTH_BYTES = 64 << 20
"""Of this process, which stands for the daemon, by one model."""
INFERENCES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one model ended.

    Attributes:
        mutant: Its number.
        parent: The model it was made of.
        step: Where it was stopped; ``served`` where it was not.
        problem: Why.
        seconds: From its first look to the end of its process.
    """

    mutant: int
    parent: str
    step: str
    problem: str
    seconds: float


@dataclass
class GateReport:
    """What a run saw."""

    seconds: float = 0.0
    verdicts: list[Verdict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def line(self) -> str:
        steps = Counter(verdict.step for verdict in self.verdicts).most_common()
        slowest = max(self.verdicts, key=lambda verdict: verdict.seconds)
        crashed = [verdict for verdict in self.verdicts if "killed the process" in verdict.problem]
        return (
            f"gate: {len(self.verdicts)} mutants in {self.seconds:.0f} s; "
            + ", ".join(f"{count} {step}" for step, count in steps)
            + f"; slowest {slowest.seconds:.1f} s (mutant {slowest.mutant} of {slowest.parent}: {slowest.problem[:80]})"
            + f"; {len(crashed)} ended their worker; {len(self.findings)} findings"
        )


def mutants(seeds: dict[str, bytes], *, seed: int, outside: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Without end: the seeds themselves first, then two of three by surgery and one by wrong bytes.

    A mutant depends on its number and the seed only.
    """
    yield from seeds.items()
    names = list(seeds)
    for number in itertools.count():
        chance = random.Random(f"{seed}/{number}")
        name = chance.choice(names)
        by_surgery = chance.random() < 2 / 3
        yield name, operated(chance, seeds[name], outside) if by_surgery else wire(chance, seeds[name])


def besiege(
    seeds: dict[str, bytes],
    folder: Path,
    *,
    seed: int,
    count: int,
    seconds: float = 0.0,
    lanes: int = 2,
    providers: tuple[str, ...] = ("cpu",),
    told: Callable[[Verdict], None] = lambda _: None,
) -> GateReport:
    """Try so many mutants, or as many as there is time for.

    Args:
        seeds: Whole models by name.
        folder: Empty.
        seed: Of chance.
        count: Of mutants.
        seconds: No model is begun later; 0 = no bound.
        lanes: Models at once.
        providers: As a configuration asks for them.
        told: Hears each verdict.
    """
    store = folder / "store"
    canaries = [folder / "canary.bin", store / "canary.bin", store / "m" / "canary.bin"]
    (store / "m").mkdir(parents=True)
    for canary in canaries:
        canary.write_bytes(bytes(1 << 16))
    outside = ("../canary.bin", "../../canary.bin", "a/../../canary.bin", str(canaries[0]), "./../canary.bin",
               "..\\canary.bin", "file://" + str(canaries[0]), "golden/../../../canary.bin")  # fmt: skip
    report, lock, began_s = GateReport(), threading.Lock(), time.monotonic()
    queue = enumerate(itertools.islice(mutants(seeds, seed=seed, outside=outside), count))

    def lane(number: int) -> None:
        while not (seconds and time.monotonic() - began_s > seconds):
            with lock:
                mutant, (parent, content) = next(queue, (-1, ("", b"")))
            if mutant < 0:
                return
            version = store / "m" / f"{number}"
            shutil.rmtree(version, ignore_errors=True)
            version.mkdir()
            (version / "model.onnx").write_bytes(content)
            (version / "weights.bin").write_bytes(bytes(1 << 12))
            verdict, finding = _tried(mutant, parent, version, providers)
            with lock:
                report.verdicts.append(verdict)
                if finding:
                    report.findings.append(
                        Finding("gate", f"mutant {mutant} of {parent}: {finding}", content)
                    )
                if opened := watch.opened():
                    what = f"mutant {mutant} of {parent} or its neighbour opened {sorted(map(str, opened))}"
                    report.findings.append(Finding("gate", what, content))
            told(verdict)

    with Canaries(canaries) as watch:
        threads = [
            threading.Thread(target=lane, args=(number,), name=f"lane-{number}") for number in range(lanes)
        ]
        descriptors = _descriptors()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if descriptors and (left := _descriptors() - descriptors) > 2:
            report.findings.append(Finding("gate", f"{left} descriptors were not given back", b""))
    report.seconds = time.monotonic() - began_s
    return report


def _tried(mutant: int, parent: str, version: Path, providers: tuple[str, ...]) -> tuple[Verdict, str]:
    """The verdict on one model, and what must not have been; the latter mostly empty."""
    began_s, before = time.monotonic(), _resident_bytes()
    step, problem, finding = "served", "", ""
    gate = Gate(version, quiet_s=0.0)
    request = LoadRequest(
        path=str(version), providers=providers, threads=1, max_memory_bytes=MAX_WORKER_BYTES, warm_runs=1
    )
    process = WorkerProcess("candidate", request)
    try:
        gate.files()
        description = gate.load(process)
        gate.golden(process, description)
        _shown(process, description)
    except InferenceFailed as error:
        step, problem = "an inference", error.problem
    except WorkerLost as error:
        step, problem = "a lost worker", error.problem
    except EdgedError as error:
        step = next((one.name for one in gate.steps if one.verdict == "failed"), "before the gate")
        problem = error.problem
        if "\n" in str(error):
            finding = f"more than a line: {error!r}"
        if "nobody understands" in str(error) or "Traceback" in str(error):
            finding = f"a bug: {error}"
        if "killed the process" in problem and "exit 1" in problem:
            finding = f"an exception nobody caught in the worker: {problem}"
    except Exception as error:
        step, problem, finding = "a bug", repr(error), f"{type(error).__name__}: {error}"
    finally:
        process.close(0)
    seconds = time.monotonic() - began_s
    if seconds > LOAD_TIMEOUT_S + SLACK_S:
        finding = f"took {seconds:.0f} s"
    if (grown := _resident_bytes() - before) > MAX_GROWTH_BYTES:
        finding = f"this process grew by {grown >> 20} MiB"
    return Verdict(mutant, parent, step, problem, seconds), finding


def _shown(process: WorkerProcess, description: ModelDescription) -> None:
    """What a camera or a sensor would show it: noise, and what is all the same."""
    chance = np.random.default_rng(1)
    for number in range(INFERENCES):
        if isinstance(description.input, RowRecipe):
            _scored(process, description.input, 10.0**number)
        else:
            tensor = process.tensor(0)
            tensor[...] = chance.integers(0, 2, tensor.shape) if number else 0
            found = process.answer(0).detections
            assert np.isfinite(found.xyxy).all(), "a box that is none"
            assert np.isfinite(found.score).all(), "a score that is none"


def _scored(process: WorkerProcess, recipe: RowRecipe, size: float) -> None:
    rows, texts = recipe.window or 4, len(recipe.texts)
    if not recipe.at_once(rows):
        return
    numbers = np.random.default_rng(1).normal(size=(1, rows, recipe.features - texts)) * size
    scores = process.score(0, numbers, ((("a",) * texts,) * rows,) if texts else ()).scores
    assert len(scores) == 1, "not a score a window"


def _descriptors() -> int:
    held = Path("/proc/self/fd")
    return len([*held.iterdir()]) if held.is_dir() else 0


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
