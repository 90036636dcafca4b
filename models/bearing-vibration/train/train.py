"""Train ``bearing-vibration`` from nothing, and write ``1/model.onnx``, ``labels.txt`` and ``golden/``.

    pip install 'edged[cpu,train]'
    python models/bearing-vibration/train/train.py [--machines 15000] [--epochs 12] [--out FOLDER]

One processor core is enough: about 8 ms to render a window and take its spectra, 1 ms to learn from it. The same
seeds give the same sets; the weights are the same on the same machine and version of torch.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import argparse
import time
import warnings
from pathlib import Path

import network
import numpy as np
import onnx
import onnxruntime
import torch
from signals import LABELS, draw_machine, render
from torch.nn import functional as nnf

OUT = Path(__file__).parents[1] / "1"
WATCHED_FROM = 1_000_000
GOLDEN_FROM = 3_000_000
SNR_DB = (-8.0, 15.0)
BATCH = 64
RATE = 3e-3
METADATA = {
    "task": "tabular",
    "names": str(dict(enumerate(LABELS))),
    "fields": "x,y,z",
    "sample_rate_hz": str(network.SAMPLE_RATE_HZ),
    "rows": str(network.ROWS),
    "units": "m/s2 (any multiple does: gain and offset do not matter)",
    "license": "Apache-2.0",
    "version": "1",
    "description": "Fault of a rolling bearing, from a window of three-axis acceleration",
}


def main() -> None:
    """Render, learn, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", type=int, default=15_000)
    parser.add_argument("--watched", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    spectra = network.Spectra()
    started = time.process_time()
    learned = spectra_of(range(given.machines), spectra)
    watched = spectra_of(range(WATCHED_FROM, WATCHED_FROM + given.watched), spectra)
    print(f"{len(learned[1])} windows rendered, {time.process_time() - started:.0f} s of processor time")
    judge = network.Judge()
    learn(judge, learned, watched, given.epochs)
    print(f"done, {time.process_time() - started:.0f} s of processor time")
    given.out.mkdir(parents=True, exist_ok=True)
    export(network.Model(judge).eval(), given.out / "model.onnx")
    (given.out / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    write_golden(given.out)


Set = tuple[torch.Tensor, torch.Tensor]


def spectra_of(machines: range, spectra: network.Spectra) -> Set:
    """Spectra (half precision) and labels of one window of each class of each machine."""
    labels = torch.arange(len(LABELS)).repeat(len(machines))
    found = torch.empty(len(labels), network.Spectra.kept, 2, network.BINS, dtype=torch.float16)
    for place, number in enumerate(machines):
        machine = draw_machine(number)
        rows = np.stack([render(machine, label, 0, snr_range=SNR_DB).rows for label in range(len(LABELS))])
        with torch.no_grad():
            found[4 * place : 4 * place + 4] = spectra(torch.from_numpy(rows)).half()
        if place % 1000 == 999:
            print(f"    {place + 1} machines", flush=True)
    return found, labels


def learn(judge: network.Judge, learned: Set, watched: Set, epochs: int) -> None:
    """AdamW, one cycle of the learning rate; other speeds by shifting the logarithmic axis."""
    spectra, labels = learned
    steps = len(labels) // BATCH
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=epochs * steps, pct_start=0.15
    )
    for epoch in range(epochs):
        judge.train()
        total = 0.0
        for chosen in torch.randperm(len(labels))[: steps * BATCH].split(BATCH):
            shift = int(torch.randint(-14, 15, ()))
            logits = judge(shifted(spectra[chosen].float(), shift))
            loss = nnf.cross_entropy(logits, labels[chosen], label_smoothing=0.03)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}, right {right(judge, watched):.4f}", flush=True)


def shifted(spectra: torch.Tensor, bins: int) -> torch.Tensor:
    """The spectra of a machine that turns faster by ``bins`` of the logarithmic axis; its edge is repeated."""
    place = (torch.arange(spectra.shape[-1]) - bins).clamp(0, spectra.shape[-1] - 1)
    return spectra[..., place]


@torch.no_grad()
def right(judge: network.Judge, watched: Set) -> float:
    """The part of the windows of machines that are not learned from that is judged right."""
    judge.eval()
    answers = torch.cat([judge(part.float()).argmax(dim=1) for part in watched[0].split(256)])
    return (answers == watched[1]).float().mean().item()


def export(model: network.Model, path: Path) -> None:
    """One ONNX file: opset 17, IR 8, an open number of windows."""
    rows = torch.from_numpy(render(draw_machine(WATCHED_FROM), 1, 0).rows)[None].repeat(2, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that this exporter is the old one: the new one knows no opset below 18
        torch.onnx.export(
            model,
            (rows,),
            path,
            input_names=["window"],
            output_names=["probabilities"],
            dynamic_axes={"window": {0: "N"}, "probabilities": {0: "N"}},
            opset_version=17,
            dynamo=False,
        )
    proto = onnx.load(path)
    proto.ir_version = 8
    proto.producer_name, proto.producer_version = "edged bearing-vibration", METADATA["version"]
    onnx.helper.set_model_props(proto, METADATA)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    print(f"{path}: {path.stat().st_size:,} bytes")


def write_golden(out: Path) -> None:
    """A CSV file of rows for each class, in whole m/s2 to stay small, that the model judges with confidence.

    A lively machine on a coarse converter: the first from ``GOLDEN_FROM`` on with the right answers, all above 0.9.
    """
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    for number in range(GOLDEN_FROM, GOLDEN_FROM + 200):
        machine = draw_machine(number)
        rows = np.stack([render(machine, label, 0, snr_db=4.0).rows for label in range(len(LABELS))])
        centred = rows - rows.mean(axis=1, keepdims=True)
        # 5 m/s2 rms and an offset of one step.
        rows = np.round(centred * (5 / centred.std(axis=(1, 2), keepdims=True)) + 1)
        found = session.run(None, {"window": rows.astype(np.float32)})[0]
        if all(found[label, label] > 0.9 for label in range(len(LABELS))):
            break
    else:
        raise SystemExit("no machine gets all of its four answers right: train longer")
    folder = out / "golden"
    folder.mkdir(exist_ok=True)
    for label, name in enumerate(LABELS):
        lines = "".join(f"{x:.0f},{y:.0f},{z:.0f}\n" for x, y, z in rows[label] + 0.0)
        (folder / f"{name}.csv").write_text("x,y,z\n" + lines, encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: machine {number}, {size:,} bytes")


if __name__ == "__main__":
    main()
