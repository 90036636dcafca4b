"""How good ``bearing-vibration`` is: every figure of its card, on machines that training never saw.

    python models/bearing-vibration/train/evaluate.py [--machines 800] [--model FILE]

Needs NumPy and ONNX Runtime, nothing else. The machines are numbered from 2,000,000; training uses numbers below
1,000,000 and watches those from 1,000,000. Four windows a machine, one a class; the power of the fault relative to
the broadband noise is uniform from -6 to 14 dB. A second set shows what is left below that, a third and a fourth what
becomes of the same windows in other units or with the sensor mounted another way.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import onnxruntime
from signals import GRAVITY, LABELS, Window, draw_machine, render, turned

MODEL = Path(__file__).parents[1] / "1" / "model.onnx"
FIRST_MACHINE = 2_000_000
SNR_DB = (-6.0, 14.0)
WEAK_DB = (-14.0, -6.0)
BATCH = 16

Judge = Callable[[np.ndarray], np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]
Judged = list[tuple[Window, int]]
_NONE = np.zeros((0, 3), dtype=np.float32)


def main() -> None:
    """Print them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--machines", type=int, default=800)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    session = open_model(given.model, given.threads)

    print(f"{given.model}: {given.model.stat().st_size:,} bytes")
    machines = range(FIRST_MACHINE, FIRST_MACHINE + given.machines)
    found = judged(session, windows(machines))
    print(
        f"\n{len(found)} windows of {given.machines} unseen machines, fault {SNR_DB[0]:g} to {SNR_DB[1]:g} dB"
    )
    print_scores(found)
    print_slices("fault to noise, dB", found, [-6, -2, 2, 6, 10, 14], "snr_db")
    print_slices("shaft, turns a second", found, [8, 12, 20, 35, 66], "speed_hz")

    few = machines[: max(given.machines // 4, 1)]
    weak = judged(session, windows(few, seed=1, snr_range=WEAK_DB, labels=(1, 2, 3)))
    print(
        f"\nweaker faults, {WEAK_DB[0]:g} to {WEAK_DB[1]:g} dB: {len(weak)} windows of {len(few)} of the machines"
    )
    print_slices("fault to noise, dB", weak, [-14, -10, -6], "snr_db")

    print(f"\nthe same windows, another sensor: windows of {len(few)} of the machines, macro F1")
    plain = [one for one in found if one[0].machine in few]
    print(f"    {'as they are':<32}{macro_f1(plain):.3f}")
    for name, change in changes():
        print(f"    {name:<32}{macro_f1(judged(session, windows(few), change)):.3f}")
    other = judged(session, windows(few, mount=True))
    print(f"    {'mounted another way':<32}{macro_f1(other):.3f}")
    print(f"\n{latency_ms(session):.1f} ms a window, CPU provider, {given.threads} thread(s), median of 100")


def open_model(path: Path, threads: int = 1) -> Judge:
    """Rows ``[N, 8192, 3]`` to probabilities ``[N, 4]``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(["probabilities"], {"window": rows})[0]


def windows(
    machines: range,
    *,
    seed: int = 0,
    snr_range: tuple[float, float] = SNR_DB,
    labels: tuple[int, ...] = (0, 1, 2, 3),
    mount: bool = False,
) -> Iterator[Window]:
    """One of each machine and label; ``mount`` turns the sensor."""
    for number in machines:
        machine = draw_machine(number)
        if mount:
            machine = turned(machine, number)
        for label in labels:
            yield render(machine, label, seed, snr_range=snr_range)


Judged = list[tuple[Window, int]]


def judged(judge: Judge, given: Iterator[Window], change: Change = np.asarray) -> Judged:
    """Each window, without its rows to save memory, and the class that the model gives it."""
    found: Judged = []
    while batch := list(islice(given, BATCH)):
        answers = judge(change(np.stack([one.rows for one in batch]))).argmax(axis=1)
        found += [(replace(one, rows=_NONE), int(answer)) for one, answer in zip(batch, answers, strict=True)]
    return found


def changes() -> Iterator[tuple[str, Change]]:
    """Other units, ranges and offsets of the same windows."""
    yield "in g", lambda rows: rows / np.float32(GRAVITY)
    yield "a thousandth", lambda rows: rows * np.float32(1e-3)
    yield "a thousandfold", lambda rows: rows * np.float32(1e3)
    yield "20 rms of offset on each axis", lambda rows: rows + 20 * rows.std(axis=1, keepdims=True)
    yield "axes exchanged, one reversed", lambda rows: rows[..., [2, 0, 1]] * np.float32([1, -1, 1])


def confusion(found: Judged) -> np.ndarray:
    """``[4, 4]``: rows are what it was, columns what the model said."""
    counts = np.zeros((len(LABELS), len(LABELS)), dtype=int)
    for window, answer in found:
        counts[window.label, answer] += 1
    return counts


def precision_recall(found: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Of each class; 0 where nothing was said or nothing was there."""
    counts = confusion(found)
    right = np.diag(counts)
    return right / np.maximum(counts.sum(axis=0), 1), right / np.maximum(counts.sum(axis=1), 1)


def macro_f1(found: Judged) -> float:
    """Mean over the classes of 2 p r / (p + r)."""
    precision, recall = precision_recall(found)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-9)).mean())


def print_scores(found: Judged) -> None:
    """Macro F1, precision and recall, and the confusion matrix."""
    precision, recall = precision_recall(found)
    print(f"    macro F1 {macro_f1(found):.4f}")
    print(
        f"    {'':<10}{'precision':>10}{'recall':>10}    said: " + "".join(f"{label:>8}" for label in LABELS)
    )
    for place, label in enumerate(LABELS):
        said = "".join(f"{count:>8}" for count in confusion(found)[place])
        print(f"    {label:<10}{precision[place]:>10.3f}{recall[place]:>10.3f}          {said}")


def print_slices(title: str, found: Judged, edges: list[float], attribute: str) -> None:
    """The part of the windows that is judged right, slice by slice."""
    print(f"    {title}: right")
    for low, high in pairwise(edges):
        inside = [one.label == said for one, said in found if low <= getattr(one, attribute) < high]
        print(f"    {low:>8g} to {high:<4g}{np.mean(inside):>8.3f}   of {len(inside)}")


def latency_ms(judge: Judge) -> float:
    """Of one window, median of 100."""
    rows = next(windows(range(FIRST_MACHINE, FIRST_MACHINE + 1))).rows[None]
    taken = []
    for _ in range(110):
        start = time.perf_counter()
        judge(rows)
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken[10:])


if __name__ == "__main__":
    main()
