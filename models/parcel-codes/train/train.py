"""Train the detector on rendered pictures: first small and many, then at the size it is used at.

    python models/parcel-codes/train/train.py --out build/parcel-codes

An hour and a half on two cores with AVX512: one calculates, the other draws. Pictures, order and initial weights
follow from ``--seed``; sums of floats in other orders on other machines make other last digits. Every five minutes
``last.pt`` is written, from which a run goes on. At the end ``weights.pt`` holds the averaged weights in half
precision; ``--begin models/parcel-codes/train/weights.pt`` trains on from those of the bundled model (a third of the
usual ``--rate`` served well), and another ``--seed`` draws other pictures. Each picture is used twice, the second time
turned.
"""

import argparse
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import scenes
import symbols
import torch
from losses import losses
from network import Detector
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

PHASES = "256:32:2200,416:16:2600"  # side of the picture, pictures a step, steps
REUSED_AFTER = 33  # pictures; odd, so that every second one is the turned twin of one drawn before
RATE = 2e-3
DECAY = 0.02
FRESH_SHARE = 3.0  # of the rate, where --begin has no weights for a layer
WARM_UP = 150  # steps
SAVE_EVERY_S = 300


class Rendered(Dataset):
    """Pictures that are drawn when asked for; the number of a picture is its seed."""

    def __init__(self, seed: int, size: int, first: int, count: int) -> None:
        self.seed, self.size, self.first, self.count = seed, size, first, count

    def __len__(self) -> int:
        """Number of pictures of the phase."""
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture uint8 RGB (3, size, size), boxes (N, 4) xyxy, classes (N,)."""
        again = index % 2 == 1 and index >= REUSED_AFTER
        number = self.first + (index - REUSED_AFTER if again else index)
        drawn = _drawn(self.seed, number, self.size)
        picture, boxes, classes = drawn.picture, drawn.boxes, drawn.classes
        rng = np.random.default_rng((self.seed, self.first + index, 1))
        if rng.random() < 0.5:  # a code in a mirror is a code
            picture, boxes = picture[:, ::-1], _mirrored(boxes, self.size)
        if again:  # a transposed one is one as well, in another light
            picture, boxes = picture.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
            light = 255 * (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.25))
            picture = light.astype(np.uint8)[picture]
        return np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)), boxes, classes


@lru_cache(maxsize=4 * REUSED_AFTER)
def _drawn(seed: int, number: int, size: int) -> scenes.Rendered:
    return scenes.render((seed, number), size)


def _mirrored(boxes: np.ndarray, size: int) -> np.ndarray:
    return boxes[:, [2, 1, 0, 3]] * np.float32([-1, 1, -1, 1]) + np.float32([size, 0, size, 0])


def together(
    samples: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures, boxes padded to the longest list, classes, and which of them are real."""
    most = max(1, *(len(boxes) for _, boxes, _ in samples))
    boxes = torch.zeros(len(samples), most, 4)
    classes = torch.zeros(len(samples), most, dtype=torch.int64)
    real = torch.zeros(len(samples), most, dtype=torch.bool)
    for row, (_, found, kinds) in enumerate(samples):
        boxes[row, : len(found)] = torch.from_numpy(found)
        classes[row, : len(found)] = torch.from_numpy(kinds)
        real[row, : len(found)] = True
    return torch.from_numpy(np.stack([picture for picture, _, _ in samples])), boxes, classes, real


def average(slow: torch.nn.Module, fast: torch.nn.Module, step: int) -> None:
    """Move the averaged weights, which are the ones exported, a little towards the trained ones."""
    keep = 0.9985 * (1 - math.exp(-step / 300))
    with torch.no_grad():
        state = fast.state_dict()
        for name, value in slow.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(state[name], 1 - keep)
            else:
                value.copy_(state[name])


def rate(top: float, step: int, steps: int) -> float:
    """Learning rate: a warm-up to ``top``, then half a cosine down to a hundredth."""
    if step < WARM_UP:
        return top * (step + 1) / WARM_UP
    return top * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP))))


def read_phases(text: str) -> list[tuple[int, int, int]]:
    """Side, pictures a step and steps of each phase of PHASES' form."""
    return [tuple(int(number) for number in phase.split(":")) for phase in text.split(",")]


def batches(
    phases: list[tuple[int, int, int]], seed: int, start: int, workers: int
) -> Iterator[tuple[int, int, tuple[Tensor, ...]]]:
    """Step, size and batch, from step ``start`` on."""
    first_step = first_picture = 0
    for size, batch, steps in phases:
        skip = max(0, start - first_step)
        if skip < steps:
            pictures = Rendered(seed, size, first_picture + skip * batch, (steps - skip) * batch)
            loader = DataLoader(
                pictures,
                batch,
                collate_fn=together,
                num_workers=workers,
                prefetch_factor=8 if workers else None,
                worker_init_fn=lambda _: cv2.setNumThreads(1),
            )
            for number, sample in enumerate(loader):
                yield first_step + skip + number, size, sample
        first_step += steps
        first_picture += steps * batch


def compact(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state with its large tensors in half precision."""
    return {name: value.half() if value.numel() > 256 else value for name, value in state.items()}


def train(options: argparse.Namespace) -> None:
    """Train to the end of the last phase; the averaged weights stand in ``out/last.pt`` as ``average``."""
    out, begin, top = options.out, options.begin, options.rate
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    phases = read_phases(options.phases)
    half = torch.backends.cpu.get_cpu_capability().startswith("AVX512")  # elsewhere bfloat16 is emulated
    network = Detector(len(symbols.LABELS)).to(memory_format=torch.channels_last)
    fresh: set[str] = set()
    if begin:  # weights of a network without some of the layers do as well
        fresh = set(network.load_state_dict(torch.load(begin, weights_only=True), strict=False).missing_keys)
    slow = deepcopy(network)
    optimiser = torch.optim.AdamW(_groups(network, fresh), top, betas=(0.9, 0.99))
    start, last = 0, out / "last.pt"
    if last.exists():
        kept = torch.load(last, weights_only=True)
        network.load_state_dict(kept["network"])
        slow.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        start = kept["step"]
    steps = sum(count for _, _, count in phases)
    sums: dict[str, float] = {}
    reported = saved = time.monotonic()
    pictures_seen = 0
    for step, size, (pictures, boxes, classes, real) in batches(phases, options.seed, start, options.workers):
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * rate(top, step, steps)
        values = pictures.to(torch.float32, memory_format=torch.channels_last) / 255
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            heads = network(values)
        parts = losses(heads, boxes, classes, real, size)
        optimiser.zero_grad()
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        average(slow, network, step)
        pictures_seen += len(pictures)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        now = time.monotonic()
        if step % 50 == 49:
            shown = " ".join(f"{name} {value / 50:.3f}" for name, value in sums.items())
            print(
                f"step {step + 1}/{steps} {size}px {shown} {pictures_seen / (now - reported):.0f}/s",
                flush=True,
            )
            sums, reported, pictures_seen = {}, now, 0
        if now - saved > SAVE_EVERY_S or step == steps - 1:
            state = {"network": network.state_dict(), "average": slow.state_dict()}
            torch.save({**state, "optimiser": optimiser.state_dict(), "step": step + 1}, out / "last.pt.part")
            (out / "last.pt.part").replace(last)
            saved = now
    torch.save(compact(slow.state_dict()), out / "weights.pt")


def _groups(network: torch.nn.Module, fresh: set[str]) -> list[dict[str, object]]:
    """Parameters by weight decay and by rate: layers that begin from nothing learn faster than trained ones."""
    groups = {}
    for name, parameter in network.named_parameters():
        share, decay = FRESH_SHARE if name in fresh else 1.0, DECAY if parameter.ndim > 1 else 0.0
        group = groups.setdefault((share, decay), {"params": [], "share": share, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="weights to train on from; default: random ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--threads", type=int, default=1, help="more wait for each other where cores are shared"
    )
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate")
    parser.add_argument("--phases", default=PHASES, help="SIDE:PICTURES A STEP:STEPS, one after the other")
    train(parser.parse_args())
