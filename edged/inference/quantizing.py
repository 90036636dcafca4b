"""A float model in eight bits: QuantizeLinear and DequantizeLinear around what is to run in int8 (QDQ, static).

Activations take unsigned eight bits with a zero point. Weights are signed, have a scale a channel, and use seven of
their eight bits: processors without VNNI add two products of eight bits into sixteen, which saturate (docs/adr/0016).

Two forms of it, because no one form is fast everywhere:

    operators      every operator takes and gives int8, activation functions too: the CPU provider's table lookups
    convolutions   int8 up to the sum of a convolution, its activation function in float: what OpenVINO fuses

They are the same where the only activation functions are ReLU and Clip, which both fuse.
"""

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.errors import ModelRejected
from edged.inference.quantgraph import FloatGraph, copied_facts, onnx_module
from edged.inference.quantranges import Method, Range, Spread
from edged.inference.session import Session

if TYPE_CHECKING:
    import onnx

Form = Literal["operators", "convolutions"]
FORMS: tuple[Form, ...] = ("operators", "convolutions")

_FUSED = frozenset({"Relu", "Clip"})
"""Activation functions that every provider takes into the convolution before, in int8."""
_CURVES = frozenset(
    {
        "Sigmoid",
        "Mul",
        "HardSwish",
        "HardSigmoid",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Mish",
        "Softplus",
        "Tanh",
        "Gelu",
        "Erf",
    }
    | {"Swish", "Softmax", "Div", "Pow", "Sqrt", "Exp", "Where"}
)
"""Left in float in the form ``convolutions``."""


def forms_of(graph: FloatGraph) -> tuple[Form, ...]:
    """The forms that differ for this model."""
    kinds = {node.op_type for node in graph.model.graph.node if node.name not in graph.head}
    return FORMS if kinds & _CURVES else FORMS[:1]


def ranges_of(seen: Mapping[str, Spread], method: Method) -> dict[str, Range]:
    """The range of each tensor that was seen."""
    return {name: spread.range(method) for name, spread in seen.items()}


def write_int8(
    graph: FloatGraph,
    ranges: Mapping[str, Range],
    to: Path,
    *,
    form: Form,
    source: Path,
    left_out: Collection[str] = (),
    only: Collection[str] = (),
) -> None:
    """Write the int8 twin of a model.

    Args:
        graph: The model.
        ranges: Of its float tensors.
        to: The file.
        form: See the top of this file.
        source: The file that the model came from, whose metadata the twin gets.
        left_out: Names of nodes that stay in float, beside the head.
        only: Names of the nodes that become int8, where not all do.

    Raises:
        ModelRejected: It cannot be quantised.
    """
    quantization: Any = import_module("onnxruntime.quantization")
    calibrate: Any = import_module("onnxruntime.quantization.calibrate")
    quantizer: Any = import_module("onnxruntime.quantization.qdq_quantizer")
    registry: Any = import_module("onnxruntime.quantization.registry")
    kinds = {node.op_type for node in graph.model.graph.node} & set(registry.QDQRegistry) | set(_PLAIN)
    model = type(graph.model)()
    model.CopyFrom(graph.model)
    limits = {
        name: calibrate.TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    options: dict[str, Any] = {"ForceQuantizeNoInputCheck": False}
    if form == "convolutions":
        kinds -= _CURVES
        options["OpTypesToExcludeOutputQuantization"] = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
    try:
        made = quantizer.QDQQuantizer(
            model,
            graph.per_channel,
            True,  # seven bits
            quantization.QuantType.QInt8,
            quantization.QuantType.QUInt8,
            calibrate.TensorsData(quantization.CalibrationMethod.MinMax, limits),
            list(only),
            [*graph.head, *left_out],
            sorted(kinds),
            options,
        )
        with _hushed():
            made.quantize_model()
        made.model.topological_sort()
        twin: onnx.ModelProto = made.model.model
        copied_facts(twin, source)
        onnx_module().save(twin, to)
    except (ValueError, KeyError, RuntimeError, TypeError, AttributeError, NotImplementedError) as error:
        problem = f"cannot be quantised ({' '.join(str(error).split())[:150]})"
        raise ModelRejected(str(source), problem, "export it anew with a newer opset") from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without the quantiser's warnings: what they are about is measured, as a loss of accuracy."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


_PLAIN = ("Add", "Concat", "Mul", "Sigmoid", "Div", "Sub", "GlobalAveragePool", "LeakyRelu", "Softmax")
"""Operators that the quantiser takes without a rule of their own."""


def errors_by_block(
    graph: FloatGraph,
    ranges: Mapping[str, Range],
    pictures: list[dict[str, NDArray[Any]]],
    folder: Path,
    *,
    form: Form,
    source: Path,
    on_block: Any = lambda: True,
) -> list[float]:
    """How much each block alone in int8 changes what the head reads.

    Args:
        graph: The model.
        ranges: Of its tensors.
        pictures: Feeds; a few suffice.
        folder: For files.
        form: As for `write_int8`.
        source: Likewise.
        on_block: Called after each block; False ends it early.

    Returns:
        For each block the mean square of the change relative to that of the reference, the mean of `FloatGraph.taps`;
        shorter than the blocks where it was ended.
    """
    plain = type(graph.model)()
    plain.CopyFrom(graph.model)
    reference = _tapped(plain, graph, folder / "reference.onnx")
    expected = [reference.run(feeds) for feeds in pictures]
    found: list[float] = []
    for block in graph.blocks:
        path = folder / "block.onnx"
        write_int8(graph, ranges, path, form=form, source=source, only=block)
        session = _tapped(onnx_module().load(path), graph, path)
        answers = [session.run(feeds) for feeds in pictures]
        found.append(_change(expected, answers))
        if not on_block():
            break
    return found


def _tapped(model: "onnx.ModelProto", graph: FloatGraph, path: Path) -> Session:
    """A session that gives out what the head reads."""
    onnx = onnx_module()
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in graph.taps
    )
    onnx.save(model, path)
    return Session(path, providers=["cpu"])


def _change(expected: list[list[NDArray[Any]]], answers: list[list[NDArray[Any]]]) -> float:
    shares = []
    for tap in range(len(expected[0])):
        pairs = [
            (a[tap].astype(np.float64), b[tap].astype(np.float64))
            for a, b in zip(expected, answers, strict=True)
        ]
        scale = sum(float((a**2).sum()) for a, _ in pairs)
        shares.append(sum(float(((a - b) ** 2).sum()) for a, b in pairs) / scale if scale else 0.0)
    return float(np.mean(shares))
