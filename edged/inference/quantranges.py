"""Which range of numbers each tensor of a network gets its 256 steps for: seen on pictures, one at a time.

Kept of a tensor: its least and greatest number over all pictures, and an even sample of its numbers. So 200 pictures
take no more memory than one, and every way to choose a range is tried on the same pass.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.errors import InferenceFailed
from edged.inference.providers import runtime
from edged.inference.quantgraph import FloatGraph, onnx_module
from edged.machine import cores

if TYPE_CHECKING:
    import onnx

Method = Literal["mse", "percentile", "minmax"]
METHODS: tuple[Method, ...] = ("mse", "percentile", "minmax")
Range = tuple[float, float]
Floats = NDArray[np.float32]

SAMPLES = 32_768
"""Numbers of a tensor that are kept, of all pictures together."""
GROUP_BYTES = 128 * 1024**2
"""Tensors that one run gives out at most; more are had by running again."""
UNKNOWN_BYTES = 8 * 1024**2
"""What a tensor of an open shape counts as."""
PERCENTILE = 99.99
STEPS = 255
"""Between the ends of a range, with eight bits."""
_SHRUNK = np.geomspace(1.0, 0.05, 24)


@dataclass(slots=True)
class Spread:
    """What was seen of one tensor.

    Attributes:
        low: Its least number.
        high: Its greatest.
        values: How many numbers it has, in one picture.
        samples: Some of its numbers, a piece a picture.
    """

    low: float = 0.0
    high: float = 0.0
    values: int = 0
    samples: list[Floats] = field(default_factory=list)

    def take(self, numbers: Floats, *, keep: int) -> None:
        """Of one picture; so many are kept at most."""
        flat = numbers.reshape(-1)
        if not flat.size:
            return
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.values = flat.size
        step = -(-flat.size // keep)
        first = len(self.samples) % step  # other positions each time
        self.samples.append(flat[first::step].astype(np.float32))

    def range(self, method: Method) -> Range:
        """The ends of the steps; zero lies between them, as the format wants it."""
        if method == "minmax" or not self.samples:
            return self.low, self.high
        numbers = np.concatenate(self.samples)
        if method == "percentile":
            low, high = np.percentile(numbers, [100 - PERCENTILE, PERCENTILE])
            return max(self.low, min(0.0, float(low))), min(self.high, max(0.0, float(high)))
        return least_error(numbers, self.low, self.high)


def least_error(numbers: Floats, low: float, high: float) -> Range:
    """The range in which rounding and clipping cost least together: first its upper end is drawn in, then the lower.

    Args:
        numbers: float32 (N,), a sample.
        low: Of all numbers, 0 at most.
        high: Of all numbers, 0 at least.
    """
    if high > 0:
        high = min((_error(numbers, low, high * float(part)), high * float(part)) for part in _SHRUNK)[1]
    if low < 0:
        low = min((_error(numbers, low * float(part), high), -low * float(part)) for part in _SHRUNK)[1] * -1
    return low, high


def _error(numbers: Floats, low: float, high: float) -> float:
    """Mean square of what eight bits over a range change."""
    step = np.float32((high - low) / STEPS or 1.0)
    seen = np.rint((np.clip(numbers, np.float32(low), np.float32(high)) - np.float32(low)) / step)
    seen *= step
    seen += np.float32(low)
    seen -= numbers
    return float(np.dot(seen, seen)) / len(numbers)


class Probe:
    """A network that gives out what it computes on the way."""

    def __init__(self, graph: FloatGraph, folder: Path) -> None:
        """Load it.

        Args:
            graph: The model.
            folder: For a file of it.
        """
        onnx = onnx_module()
        names = list(dict.fromkeys(name for node in graph.model.graph.node for name in node.output if name))
        self._sizes = _sizes(graph.model)
        self._inputs = [given.name for given in graph.model.graph.input]
        known = {output.name for output in graph.model.graph.output}
        model = type(graph.model)()
        model.CopyFrom(graph.model)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
        path = folder / "probe.onnx"
        onnx.save(model, path)
        self._session = _session(path)
        self._groups = list(_grouped(names, self._sizes))

    def tensors(self, feeds: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, Floats]]:
        """Every float tensor for one picture, its inputs first.

        Raises:
            InferenceFailed: The runtime raised an error.
        """
        yield from ((name, feeds[name]) for name in self._inputs if _is_float(feeds[name]))
        for names in self._groups:
            try:
                found = self._session.run(names, dict(feeds))
            except Exception as error:  # the runtime raises a dozen classes
                raise InferenceFailed(
                    "calibration",
                    f"inference failed ({str(error).splitlines()[0]:.120})",
                    "try another picture",
                ) from error
            yield from ((name, value) for name, value in zip(names, found, strict=True) if _is_float(value))


def observe(probe: Probe, pictures: Iterable[Mapping[str, NDArray[Any]]], *, count: int) -> dict[str, Spread]:
    """What every float tensor holds.

    Args:
        probe: The network.
        pictures: Its feeds, one after the other.
        count: How many those are.
    """
    seen: dict[str, Spread] = {}
    keep = max(64, SAMPLES // max(1, count))
    for feeds in pictures:
        for name, value in probe.tensors(feeds):
            if np.isfinite(value).all():
                seen.setdefault(name, Spread()).take(value, keep=keep)
    return seen


def _session(path: Path) -> Any:
    options = runtime().SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What is looked at must be what the file says, not what an optimiser fused.
    options.graph_optimization_level = runtime().GraphOptimizationLevel.ORT_DISABLE_ALL
    return runtime().InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float32


def _sizes(model: "onnx.ModelProto") -> dict[str, int]:
    """Bytes of each tensor whose shape is known."""
    known = {}
    for one in (*model.graph.value_info, *model.graph.output):
        sides = [side.dim_value for side in one.type.tensor_type.shape.dim]
        if sides and all(side > 0 for side in sides):
            known[one.name] = 4 * int(np.prod(sides))
    return known


def _grouped(names: Iterable[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    group: list[str] = []
    taken = 0
    for name in names:
        size = sizes.get(name, UNKNOWN_BYTES)
        if group and taken + size > GROUP_BYTES:
            yield group
            group, taken = [], 0
        group.append(name)
        taken += size
    if group:
        yield group
