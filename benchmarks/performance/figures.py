"""A figure that a showing measured, beside what it has to be. Pure, but for the machine's description."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results" / "performance.json"
PACKAGES = (
    "edged", "onnxruntime", "onnxruntime-ep-openvino", "onnxruntime-openvino", "av", "opencv-python-headless", "numpy",
    "paho-mqtt",
)  # fmt: skip
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        showing: Number of it.
        name: What was measured.
        value: Of it; None where it could not be measured.
        unit: Of the value; ``×`` of a ratio.
        target: What the value has to be; None where there is no target.
        at_least: Whether the target is a floor; else it is a ceiling.
        note: How, or why not.
        rounds: Each round's value.
    """

    showing: int
    name: str
    value: float | None
    unit: str = "×"
    target: float | None = None
    at_least: bool = False
    note: str = ""
    rounds: tuple[float, ...] = field(default=())

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is none, or no value."""
        if self.value is None or self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def line(self) -> str:
        """For people."""
        value = "not measured" if self.value is None else f"{self.value:.3g} {self.unit}"
        wanted = ""
        if self.target is not None:
            wanted = f"{'at least' if self.at_least else 'at most'} {self.target:g}"
        verdict = {True: "met", False: "NOT MET", None: ""}[self.met]
        return f"  {self.name:<58} {value:>16}  {wanted:<14} {verdict:<8} {self.note}".rstrip()


def ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """The median of the ratios of rounds that ran side by side, and all of them."""
    rounds = tuple(a / b for a, b in zip(above, below, strict=True))
    return statistics.median(rounds), rounds


def line_fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Slope, intercept and R² of the straight line through points, by least squares.

    >>> line_fit([1, 2, 3], [3, 5, 7])
    (2.0, 1.0, 1.0)
    """
    slope, intercept = statistics.linear_regression(x, y)
    return slope, intercept, statistics.correlation(x, y) ** 2


def machine() -> dict[str, Any]:
    """What this machine is."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    known = facts.get("flags", "").split()
    return {
        "cpu": facts.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flag in known],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": dict(_versions(PACKAGES)),
    }


def _versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def keep(
    figures: Sequence[Figure], options: dict[str, Any], *, busy_cores: float, path: Path = RESULTS
) -> None:
    """Write the figures of the showings that ran, by provider; those of the others stay as they are."""
    kept = json.loads(path.read_text()) if path.is_file() else {"showings": {}}
    about = {"machine": machine(), "options": options, "others_busy_cores": round(busy_cores, 2)}
    for number in sorted({figure.showing for figure in figures}):
        own = [asdict(figure) | {"met": figure.met} for figure in figures if figure.showing == number]
        runs = kept["showings"].setdefault(str(number), {})
        runs[options["provider"]] = {**about, "figures": own}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
