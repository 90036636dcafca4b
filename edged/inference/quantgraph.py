"""A float model made ready to be quantised: folded, named, its shapes known, its head told from its network.

``onnx`` and ``onnxruntime.quantization`` are for engineers' and publishers' machines (extra ``quantize``): nothing
that the daemon runs imports this.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edged.errors import ModelRejected, RuntimeMissing
from edged.inference.providers import runtime

if TYPE_CHECKING:
    import onnx

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that eight bits make fast."""
MIN_OPSET = 13
"""From here on QuantizeLinear takes a scale a channel."""
MAX_BYTES = 2**31 - 1
"""Of a model, weights included: what one protobuf message holds."""
MAX_BLOCKS = 24
"""Parts of a network whose sensitivity is measured one by one."""

_QUANTISED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}
)
_QUANTISED |= {"ConvInteger", "MatMulInteger", "MatMulNBits"}
_VIEWS = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity"})


@dataclass(frozen=True, slots=True, eq=False)
class FloatGraph:
    """A model that can be quantised.

    Attributes:
        model: With shapes, unique names of nodes, and weights as initializers.
        head: Names of the nodes that turn the last convolutions into answers; eight bits would round boxes in them.
        taps: What the head reads: outputs of the last convolutions and matrix products.
        blocks: The rest in the order of the graph, at most `MAX_BLOCKS` parts, each names of nodes.
        per_channel: Whether the format takes a scale a channel.
        notes: What a user should know of it.
    """

    model: "onnx.ModelProto"
    head: frozenset[str]
    taps: tuple[str, ...]
    blocks: tuple[tuple[str, ...], ...]
    per_channel: bool
    notes: tuple[str, ...]


def onnx_module() -> Any:
    """The module ``onnx``.

    Raises:
        RuntimeMissing: Not installed; the text says how to get it.
    """
    try:
        return import_module("onnx")
    except ImportError as error:
        raise RuntimeMissing(
            "onnx", f"is not installed ({error}), and quantising needs it", "pip install 'edged[quantize]'"
        ) from error


def float_graph(path: Path) -> FloatGraph:
    """Read a model and make it ready.

    Raises:
        ModelRejected: It is quantised or in float16 already, too large, or has nothing to quantise.
        RuntimeMissing: No ``onnx``.
    """
    onnx = onnx_module()
    runtime()  # with its telemetry off, before anything imports its quantisation
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf and onnx raise a dozen classes
        raise _rejected(path, f"cannot be read by onnx ({_line(error)})", "export it again") from error
    _refuse(model, path)
    notes: list[str] = []
    model, per_channel = _with_opset(model, onnx, notes)
    _only_true_inputs(model)
    model = _folded(model, onnx, notes)
    _name_nodes(model)
    graph = FloatGraph(model, frozenset(), (), (), per_channel, tuple(notes))
    if not any(_is_weighted(node, _initializers(model)) for node in model.graph.node):
        problem = "has no convolution or matrix product with constant weights"
        raise _rejected(path, problem, "int8 gains nothing there")
    head, taps = head_of(model)
    return replace(graph, head=head, taps=taps, blocks=blocks_of(model, head))


def head_of(model: "onnx.ModelProto") -> tuple[frozenset[str], tuple[str, ...]]:
    """Names of the nodes from the outputs back to the last convolutions and matrix products, and what these put out.

    A convolution of a softmax is the expectation that some heads make of their distributions: it belongs to the head.
    """
    weights = _initializers(model)
    maker = {name: node for node in model.graph.node for name in node.output}
    head: set[str] = set()
    taps: dict[str, None] = {}
    open_ = [output.name for output in model.graph.output]
    while open_:
        name = open_.pop()
        node = maker.get(name)
        if node is None or node.name in head:
            continue
        if _is_weighted(node, weights) and not _of_softmax(node, maker):
            taps[name] = None
            continue
        head.add(node.name)
        open_ += node.input
    return frozenset(head), tuple(sorted(taps))


def blocks_of(
    model: "onnx.ModelProto", head: frozenset[str], most: int = MAX_BLOCKS
) -> tuple[tuple[str, ...], ...]:
    """The nodes before the head in so many parts at most, each beginning with a convolution or matrix product."""
    weights = _initializers(model)
    parts: list[list[str]] = []
    for node in model.graph.node:
        if node.name in head:
            continue
        if _is_weighted(node, weights) or not parts:
            parts.append([])
        parts[-1].append(node.name)
    size = max(1, -(-len(parts) // most))
    return tuple(
        tuple(name for part in parts[first : first + size] for name in part)
        for first in range(0, len(parts), size)
    )


def copied_facts(model: "onnx.ModelProto", source: Path) -> None:
    """Give a model the metadata and the producer of the file it was made from; drop domains that it does not use."""
    onnx = onnx_module()
    original = onnx.load(source, load_external_data=False)
    del model.metadata_props[:]
    model.metadata_props.extend(original.metadata_props)
    model.producer_name, model.producer_version = original.producer_name, original.producer_version
    used = {"", *(node.domain for node in model.graph.node)}
    kept = [
        opset for opset in model.opset_import if ("" if opset.domain == "ai.onnx" else opset.domain) in used
    ]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _refuse(model: "onnx.ModelProto", path: Path) -> None:
    if model.ByteSize() > MAX_BYTES:
        raise _rejected(path, f"is larger than {MAX_BYTES:,} bytes", "use a smaller model")
    kinds = Counter(node.op_type for node in model.graph.node)
    found = sorted(_QUANTISED & set(kinds))
    if found:
        raise _rejected(
            path, f"is quantised already (it has {found[0]})", "name the float model it was made from"
        )
    float16 = 10  # onnx.TensorProto.FLOAT16
    if any(given.type.tensor_type.elem_type == float16 for given in model.graph.input):
        raise _rejected(path, "takes float16", "export it in float32")


def _with_opset(model: "onnx.ModelProto", onnx: Any, notes: list[str]) -> "tuple[onnx.ModelProto, bool]":
    version = next((opset.version for opset in model.opset_import if opset.domain in {"", "ai.onnx"}), 0)
    if version >= MIN_OPSET:
        return model, True
    try:
        return onnx.version_converter.convert_version(model, MIN_OPSET), True
    except Exception as error:  # noqa: BLE001  # the converter knows not every operator, and says so in many ways
        notes.append(
            f"opset {version} cannot be raised ({_line(error)}): one scale a tensor, not one a channel"
        )
        return model, False


def _only_true_inputs(model: "onnx.ModelProto") -> None:
    """Old exporters list weights as inputs, which forbids folding them."""
    weights = _initializers(model)
    inputs = [given for given in model.graph.input if given.name not in weights]
    if len(inputs) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 7)


def _folded(model: "onnx.ModelProto", onnx: Any, notes: list[str]) -> "onnx.ModelProto":
    """Constants computed, batch normalisations folded, as the runtime does it at its basic level; shapes inferred."""
    with tempfile.TemporaryDirectory(prefix="edged-quantize-") as folder:
        plain, folded = Path(folder) / "plain.onnx", Path(folder) / "folded.onnx"
        onnx.save(model, plain)
        options = runtime().SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = runtime().GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folded)
        try:
            runtime().InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
            model = onnx.load(folded)
        except Exception as error:  # noqa: BLE001  # as above; what cannot be folded can still be quantised
            notes.append(f"is not folded before ({_line(error)})")
    try:
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # noqa: BLE001
        notes.append(f"its shapes cannot be inferred ({_line(error)})")
    return model


def _name_nodes(model: "onnx.ModelProto") -> None:
    taken: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}#{number}"
        taken.add(node.name)


def _initializers(model: "onnx.ModelProto") -> set[str]:
    return {one.name for one in model.graph.initializer}


def _is_weighted(node: "onnx.NodeProto", weights: Iterable[str]) -> bool:
    return node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in weights


def _of_softmax(node: "onnx.NodeProto", maker: "dict[str, onnx.NodeProto]") -> bool:
    before = maker.get(node.input[0])
    while before is not None and before.op_type in _VIEWS:
        before = maker.get(before.input[0])
    return before is not None and before.op_type == "Softmax"


def _rejected(path: Path, problem: str, remedy: str) -> ModelRejected:
    return ModelRejected(str(path), problem, remedy)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:119] + "…"
