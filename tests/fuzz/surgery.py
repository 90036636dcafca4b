"""ONNX models that went wrong in one place of their structure: what a byte at random seldom hits.

Each surgery changes a parsed model; a serialised one is then mutated further on the level of the wire (`wire`).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from fuzz.mutation import mutated

ODD_INTS = (0, -1, 1, 2, 3, 7, 255, 65_536, 2**31 - 1, -(2**31), 2**32, 2**40, 2**62, 2**63 - 1, -(2**63))
ODD_FLOATS = (0.0, -1.0, 1e38, float("nan"), float("inf"), -float("inf"), 1e-45)
OPERATORS = (
    "Conv", "MaxPool", "Reshape", "Gather", "Loop", "If", "Scan", "Resize", "Concat", "Split", "Slice",
    "Pad", "Tile", "Expand", "Range", "NonZero", "TopK", "Einsum", "GatherND", "ScatterND", "Upsample",
    "LSTM", "RoiAlign", "GridSample", "Cast", "ConstantOfShape", "Identity", "OneHot", "CumSum",
    "DepthToSpace", "MatMul", "QLinearConv", "StringNormalizer", "SequenceAt",
)  # fmt: skip
DOMAINS = (
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.microsoft.extensions",
    "evil.example",
    "x" * 5000,
)

Surgery = Callable[[random.Random, ModelProto], None]


def operated(chance: random.Random, content: bytes, outside: Sequence[str]) -> bytes:
    """One to four surgeries, and in one of four also some wrong bytes.

    Args:
        chance: Decides.
        content: A whole model.
        outside: Names of files that no model may open.
    """
    model = onnx.load_from_string(content)
    for _ in range(1 + min(int(chance.expovariate(1.0)), 3)):
        surgery = chance.choice((*SURGERIES, _weights_outside(outside)))
        try:
            surgery(chance, model)
        except (
            ValueError,
            TypeError,
            IndexError,
        ):  # a number that the field does not take, nothing to operate on
            continue
    try:
        changed = model.SerializeToString()
    except (ValueError, RecursionError):
        return content
    if chance.random() < 0.05:
        changed = _without_utf8(chance, model, changed)
    return wire(chance, changed) if chance.random() < 0.25 else changed


def _without_utf8(chance: random.Random, model: ModelProto, content: bytes) -> bytes:
    """A name that is no UTF-8, everywhere it stands; protobuf would not write it."""
    names = [one.name for one in (*model.graph.input, *model.graph.output)]
    names += [pair.key for pair in model.metadata_props] + [one.op_type for one in model.graph.node]
    name = chance.choice([name for name in names if name] or ["x"]).encode()
    at = chance.randrange(len(name))
    return content.replace(name, name[:at] + b"\xff" + name[at + 1 :])


def wire(chance: random.Random, content: bytes) -> bytes:
    """A few wrong bytes, most of them where names and numbers are rather than in the weights."""
    if len(content) <= 1 << 15:
        return mutated(chance, content)
    at = chance.choice((0, max(0, len(content) - 4096), chance.randrange(len(content))))
    return content[:at] + mutated(chance, content[at : at + 4096]) + content[at + 4096 :]


def graphs_of(model: ModelProto) -> list[GraphProto]:
    """Its graph, and those in nodes."""
    found = [model.graph]
    for graph in found:
        for one in graph.node:
            found += [attribute.g for attribute in one.attribute if attribute.HasField("g")]
    return found


def _graph(chance: random.Random, model: ModelProto) -> GraphProto:
    return chance.choice(graphs_of(model))


def _node(chance: random.Random, model: ModelProto) -> NodeProto:
    return chance.choice(_graph(chance, model).node)


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in graphs_of(model):
        yield from graph.initializer
        for one in graph.node:
            for attribute in one.attribute:
                if attribute.HasField("t"):
                    yield attribute.t


def _tensor(chance: random.Random, model: ModelProto) -> TensorProto:
    return chance.choice(list(_tensors(model)))


def _attribute(chance: random.Random, model: ModelProto) -> AttributeProto:
    all_of_them = [a for graph in graphs_of(model) for one in graph.node for a in one.attribute]
    return chance.choice(all_of_them)


def _dims(chance: random.Random, model: ModelProto) -> None:
    tensor = _tensor(chance, model)
    if tensor.dims and chance.random() < 0.7:
        tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(ODD_INTS)
    else:
        tensor.dims.extend([chance.choice(ODD_INTS)] * chance.choice((1, 3, 70)))


def _raw_length(chance: random.Random, model: ModelProto) -> None:
    tensor = _tensor(chance, model)
    raw = tensor.raw_data
    tensor.raw_data = chance.choice((b"", raw[:-1], raw[: len(raw) // 2], raw + b"\0" * 7, raw * 2))


def _raw_values(chance: random.Random, model: ModelProto) -> None:
    """Small tensors are shapes, axes, indices: those of them that are numbers become other numbers."""
    tensor = chance.choice([t for t in _tensors(model) if 0 < len(t.raw_data) <= 512])
    raw = bytearray(tensor.raw_data)
    at = chance.randrange(max(1, len(raw) // 8)) * 8
    raw[at : at + 8] = (chance.choice(ODD_INTS) & 2**64 - 1).to_bytes(8, "little")[: len(raw[at : at + 8])]
    tensor.raw_data = bytes(raw)


def _kind(chance: random.Random, model: ModelProto) -> None:
    _tensor(chance, model).data_type = chance.randrange(0, 27)


def _typed_data(chance: random.Random, model: ModelProto) -> None:
    """Values in another field than the type says, or in two."""
    tensor = _tensor(chance, model)
    if chance.random() < 0.5:
        tensor.ClearField("raw_data")
    tensor.float_data.extend([chance.choice(ODD_FLOATS)] * chance.choice((1, 5, 1000)))
    tensor.int64_data.extend([chance.choice(ODD_INTS)] * chance.choice((0, 1, 5)))
    tensor.string_data.extend([b"\xff" * chance.choice((0, 1, 70_000))] * chance.choice((0, 1, 3)))


def _integers(chance: random.Random, model: ModelProto) -> None:
    """Strides of 0, negative pads, kernels of 2^40."""
    wanted = [
        a for graph in graphs_of(model) for one in graph.node for a in one.attribute
        if a.type in {AttributeProto.INT, AttributeProto.INTS}
    ]  # fmt: skip
    attribute = chance.choice(wanted)
    if attribute.type == AttributeProto.INT:
        attribute.i = chance.choice(ODD_INTS)
    elif attribute.ints and chance.random() < 0.7:
        attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(ODD_INTS)
    elif chance.random() < 0.5:
        del attribute.ints[chance.randrange(len(attribute.ints) + 1) :]
    else:
        attribute.ints.extend([chance.choice(ODD_INTS)] * chance.choice((1, 8, 1000)))


def _attribute_kind(chance: random.Random, model: ModelProto) -> None:
    attribute = _attribute(chance, model)
    attribute.type = chance.randrange(0, 16)


def _attribute_other(chance: random.Random, model: ModelProto) -> None:
    attribute = _attribute(chance, model)
    if attribute.type == AttributeProto.FLOAT:
        attribute.f = chance.choice(ODD_FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = chance.choice(
            (b"", b"\xff\xfe", b"x" * 100_000, b"SAME_UPPER", b"cubic", b"reflect", b"bidirectional")
        )
    elif attribute.type == AttributeProto.FLOATS:
        attribute.floats.extend([chance.choice(ODD_FLOATS)] * chance.choice((1, 5000)))
    else:
        attribute.name = chance.choice(("axis", "axes", "kernel_shape", "body", "value", "\xff", ""))


def _drop_attribute(chance: random.Random, model: ModelProto) -> None:
    one = _node(chance, model)
    del one.attribute[chance.randrange(len(one.attribute))]


def _operator(chance: random.Random, model: ModelProto) -> None:
    _node(chance, model).op_type = chance.choice((*OPERATORS, "", "\u0000", "X" * 3000))


def _domain(chance: random.Random, model: ModelProto) -> None:
    domain = chance.choice(DOMAINS)
    _node(chance, model).domain = domain
    if chance.random() < 0.5:
        model.opset_import.append(helper.make_opsetid(domain, chance.choice((1, 2, 99))))


def _wiring(chance: random.Random, model: ModelProto) -> None:
    """A node reads what it should not: what comes later, itself, nothing, what nobody makes."""
    graph = _graph(chance, model)
    one = chance.choice(graph.node)
    names = [name for other in graph.node for name in (*other.input, *other.output)] + [
        "",
        "nobody",
        "n" * 20_000,
    ]
    if one.input and chance.random() < 0.7:
        one.input[chance.randrange(len(one.input))] = chance.choice(names)
    elif chance.random() < 0.5:
        one.input.extend([chance.choice(names)] * chance.choice((1, 20)))
    else:
        one.output[chance.randrange(len(one.output))] = chance.choice(names)


def _drop_node(chance: random.Random, model: ModelProto) -> None:
    graph = _graph(chance, model)
    del graph.node[chance.randrange(len(graph.node))]


def _double_node(chance: random.Random, model: ModelProto) -> None:
    graph = _graph(chance, model)
    for _ in range(chance.choice((1, 3, 300))):
        graph.node.add().CopyFrom(chance.choice(graph.node))


def _deeper(chance: random.Random, model: ModelProto) -> None:
    """The graph within itself, as a branch of an If, some times over."""
    for _ in range(chance.choice((1, 2, 6, 12))):
        inner = GraphProto()
        inner.CopyFrom(model.graph)
        if inner.ByteSize() > 200_000:
            return
        outputs = [output.name for output in inner.output] or ["y"]
        branch = helper.make_node("If", ["yes"], outputs, then_branch=inner, else_branch=inner)
        del model.graph.node[:]
        model.graph.node.append(branch)
        if not any(tensor.name == "yes" for tensor in model.graph.initializer):
            model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))


def _declared(chance: random.Random, model: ModelProto) -> None:
    """What the model says it takes and gives."""
    value = chance.choice([*model.graph.input, *model.graph.output])
    shape = value.type.tensor_type.shape
    if chance.random() < 0.2:
        value.type.tensor_type.elem_type = chance.randrange(0, 27)
    elif shape.dim and chance.random() < 0.7:
        dim = shape.dim[chance.randrange(len(shape.dim))]
        if chance.random() < 0.5:
            dim.dim_value = chance.choice(ODD_INTS)
        else:
            dim.dim_param = chance.choice(("batch", "", "N" * 10_000, "\x00"))
    elif chance.random() < 0.5:
        del shape.dim[:]
    else:
        for _ in range(chance.choice((1, 2, 70))):
            shape.dim.add().dim_value = chance.choice((1, 2, 3))


def _names(chance: random.Random, model: ModelProto) -> None:
    value = chance.choice([*model.graph.input, *model.graph.output])
    value.name = chance.choice(("", "images", "input", "\n\x1b[31m", "名", "x" * 100_000))


def _versions(chance: random.Random, model: ModelProto) -> None:
    if model.opset_import and chance.random() < 0.7:
        model.opset_import[0].version = chance.choice((*ODD_INTS, 5, 9, 11, 13, 18, 23, 99))
    else:
        model.ir_version = chance.choice((*ODD_INTS, 3, 4, 13))


def _metadata(chance: random.Random, model: ModelProto) -> None:
    names = ("names", "stride", "imgsz", "task", "labels", "Image.BitmapPixelFormat", "rows", "fields", "k")
    values = (
        "{0: 'a', 1: 'b'}",
        "{" * 9000,
        "[640, -1]",
        "detect",
        "\x01" * 700_000,
        "\ud7ff",
        "9" * 5000,
        "",
        "Bgr8",
    )
    for _ in range(chance.choice((1, 3, 40))):
        model.metadata_props.add(key=chance.choice(names), value=chance.choice(values))
    if chance.random() < 0.2:
        model.producer_name = "\x01" * chance.choice((1, 1_000_000, 1_100_000))


def _list_inputs(chance: random.Random, model: ModelProto) -> None:
    """Weights that are inputs too, and inputs that nobody can give."""
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type or 1, list(tensor.dims))
        )
    if chance.random() < 0.3:
        for number in range(chance.choice((1, 500))):
            model.graph.input.append(helper.make_tensor_value_info(f"more{number}", TensorProto.FLOAT, [1]))


def _sparse(chance: random.Random, model: ModelProto) -> None:
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [2], [chance.choice(ODD_INTS), 2**40])
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, indices, [chance.choice((4, 2**31))])
    )
    _node(chance, model).input.append("sparse")


def _weights_outside(outside: Sequence[str]) -> Surgery:
    def surgery(chance: random.Random, model: ModelProto) -> None:
        tensor = _tensor(chance, model)
        name = chance.choice((*outside, "weights.bin", "", ".", "model.onnx", "weights.bin\x00", "a" * 5000))
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        if chance.random() < 0.5:
            tensor.external_data.add(key="offset", value=chance.choice(("0", "-1", str(2**63), "x")))
        if chance.random() < 0.5:
            tensor.external_data.add(key="length", value=chance.choice(("0", "4", "-4", str(2**40), "x")))

    return surgery


SURGERIES: tuple[Any, ...] = (
    _dims, _dims, _raw_length, _raw_values, _raw_values, _raw_values, _kind, _typed_data, _integers,
    _integers, _integers, _attribute_kind, _attribute_other, _drop_attribute, _operator, _domain, _wiring,
    _wiring, _drop_node, _double_node, _deeper, _declared, _declared, _names, _versions, _metadata,
    _list_inputs, _sparse,
)  # fmt: skip
