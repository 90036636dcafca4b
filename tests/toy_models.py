"""Makes small ONNX models whose answers are known: good ones, odd ones, and ones that mean harm.

Importing `edged` first keeps ONNX Runtime's telemetry off. `onnx` itself is needed by tests only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.compose
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import edged  # noqa: F401  # before onnxruntime can be imported
from edged.decode.grid import make_grid

OPSET, IR_VERSION = 21, 10
NAMES = ("cat", "dog")

Object = tuple[int, float, float, float, float, float]
"""class_id, score, x1, y1, x2, y2 in model pixels."""
CAT: Object = (0, 0.9, 8, 8, 24, 24)


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def constant(name: str, value: Any, dtype: str = "float32") -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def save_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: dict[str, Sequence[int | str]] | None = None,
    outputs: dict[str, Sequence[int | str] | None],
    constants: Sequence[onnx.TensorProto] = (),
    metadata: dict[str, str] | None = None,
    dtype: int = TensorProto.FLOAT,
    domains: Sequence[str] = (),
) -> Path:
    """Write a model; its input is a picture of 64 pixels unless it is said otherwise."""
    given = {"images": (1, 3, 64, 64)} if inputs is None else inputs
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        list(constants),
    )
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="toys", ir_version=IR_VERSION)
    helper.set_model_props(model, metadata or {})
    path.write_bytes(model.SerializeToString())
    return path


def ultralytics(names: Sequence[str] = NAMES, size: int = 64) -> dict[str, str]:
    """The metadata that Ultralytics writes."""
    return {
        "names": str(dict(enumerate(names))),
        "imgsz": str([size, size]),
        "task": "detect",
        "stride": "32",
    }


def yolov8_table(objects: Sequence[Object], classes: int = 2, size: int = 64) -> NDArray[np.float32]:
    """What a YOLOv8 says to a picture of these objects: float32 (1, 4 + classes, cells)."""
    grid = make_grid(size, size, (8, 16, 32))
    centres = (grid.cells + 0.5) * grid.stride[:, None]
    table = np.zeros((len(centres), 4 + classes), np.float32)
    table[:, :2], table[:, 2:4], table[:, 4:] = centres, grid.stride[:, None], 0.01
    for class_id, score, x1, y1, x2, y2 in objects:
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        row = int(np.argmin((np.abs(centres - centre)).max(axis=1)))
        table[row, :4] = (*centre, x2 - x1, y2 - y1)
        table[row, 4 + class_id] = score
    return np.ascontiguousarray(table.T[None])


def toy_detector(
    path: Path, *, size: int = 64, classes: int = 2, objects: Sequence[Object] = (CAT,), named: bool = True
) -> Path:
    """A YOLOv8 that finds the same objects in every picture."""
    return save_model(
        path,
        [
            node("ReduceMean", ["images"], ["mean"], keepdims=0),
            node("Mul", ["mean", "zero"], ["nothing"]),
            node("Add", ["table", "nothing"], ["output0"]),
        ],
        inputs={"images": (1, 3, size, size)},
        outputs={"output0": yolov8_table(objects, classes, size).shape},
        constants=[constant("table", yolov8_table(objects, classes, size)), constant("zero", 0.0)],
        metadata=ultralytics([*NAMES, *map(str, range(2, classes))][:classes], size) if named else None,
    )


def forest_detector(path: Path, forest: Path, *, objects: Sequence[Object] = (CAT,)) -> Path:
    """A YOLOv8 with an isolation forest in it, which is loaded and run for nothing.

    Args:
        path: To be written.
        forest: scikit-learn's export: one input of rows of 81 numbers, outputs ``label`` and ``scores``.
        objects: Found in every picture.
    """
    grown = onnx.compose.add_prefix(onnx.load(forest), "forest_")
    table = yolov8_table(objects)
    model = helper.make_model(
        helper.make_graph(
            [
                node("Flatten", ["images"], ["pixels"]),
                node("Slice", ["pixels", "begin", "end", "axis"], [grown.graph.input[0].name]),
                *grown.graph.node,
                node("ReduceSum", ["forest_scores"], ["score"], keepdims=0),
                node("Mul", ["score", "zero"], ["nothing"]),
                node("Add", ["table", "nothing"], ["output0"]),
            ],
            "toy",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 64, 64))],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, table.shape)],
            [
                *grown.graph.initializer,
                constant("table", table),
                constant("zero", 0.0),
                constant("begin", [0], "int64"),
                constant("end", [81], "int64"),
                constant("axis", [1], "int64"),
            ],
        ),
        opset_imports=grown.opset_import,
        ir_version=grown.ir_version,
    )
    helper.set_model_props(model, ultralytics(NAMES, 64))
    path.write_bytes(model.SerializeToString())
    return path


def light_detector(path: Path, *, objects: Sequence[Object] = (CAT,)) -> Path:
    """A YOLOv8 that finds its objects in bright pictures (mean above 0.75) and nothing in darker ones."""
    bright, dark = yolov8_table(objects), yolov8_table(())
    return save_model(
        path,
        [
            node("ReduceMean", ["images"], ["mean"], keepdims=0),
            node("Greater", ["mean", "limit"], ["is_bright"]),
            node("Where", ["is_bright", "bright", "dark"], ["output0"]),
        ],
        outputs={"output0": bright.shape},
        constants=[constant("bright", bright), constant("dark", dark), constant("limit", 0.75)],
        metadata=ultralytics(),
    )


def nan_detector(path: Path, *, always: bool) -> Path:
    """A YOLOv8 that answers NaN: always, or only to a wholly black picture."""
    table = yolov8_table((CAT,))
    first = node("Identity", ["zero"], ["divisor"]) if always else node("Identity", ["total"], ["divisor"])
    return save_model(
        path,
        [
            node("ReduceSum", ["images"], ["total"], keepdims=0),
            first,
            node("Div", ["divisor", "divisor"], ["one_or_nan"]),
            node("Mul", ["table", "one_or_nan"], ["output0"]),
        ],
        outputs={"output0": table.shape},
        constants=[constant("table", table), constant("zero", 0.0)],
        metadata=ultralytics(),
    )


def slow_detector(path: Path, *, rounds: int, only_black: bool = False) -> Path:
    """A YOLOv8 that first multiplies matrices so many times: a Loop, so that no optimiser shortens it.

    With ``only_black`` it does so for a wholly black picture only and is quick with all others.
    """
    table = yolov8_table((CAT,))
    body = helper.make_graph(
        [
            node("Identity", ["go"], ["go_on"]),
            node("MatMul", ["state", "turn"], ["next_state"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [32, 32]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT, [32, 32]),
        ],
        [constant("turn", np.eye(32) * 0.5)],
    )
    quick = ["few"] if only_black else ["rounds"]
    return save_model(
        path,
        [
            node("ReduceMax", ["images"], ["brightest"], keepdims=0),
            node("Equal", ["brightest", "zero"], ["is_black"]),
            node("Where", ["is_black", "rounds", *quick], ["how_often"]),
            node("Expand", ["brightest", "square"], ["begin"]),
            node("Loop", ["how_often", "", "begin"], ["end"], body=body),
            node("ReduceMean", ["end"], ["mean"], keepdims=0),
            node("Mul", ["mean", "zero"], ["nothing"]),
            node("Add", ["table", "nothing"], ["output0"]),
        ],
        outputs={"output0": table.shape},
        constants=[
            constant("table", table),
            constant("zero", 0.0),
            constant("square", [32, 32], "int64"),
            constant("rounds", rounds, "int64"),
            constant("few", 1, "int64"),
        ],
        metadata=ultralytics(),
    )


def endless_detector(path: Path) -> Path:
    """A YOLOv8 that hangs on a wholly black picture and answers all others."""
    return slow_detector(path, rounds=2**60, only_black=True)


def hungry_detector(path: Path, *, mebibytes: int) -> Path:
    """A YOLOv8 that needs so much memory for one inference."""
    table = yolov8_table((CAT,))
    return save_model(
        path,
        [
            node("ReduceMean", ["images"], ["mean"], keepdims=0),
            node("Expand", ["mean", "size"], ["much"]),
            node("Sin", ["much"], ["more"]),
            node("ReduceMean", ["more"], ["less"], keepdims=0),
            node("Mul", ["less", "zero"], ["nothing"]),
            node("Add", ["table", "nothing"], ["output0"]),
        ],
        outputs={"output0": table.shape},
        constants=[
            constant("table", table),
            constant("zero", 0.0),
            constant("size", [mebibytes, 1024, 256], "int64"),
        ],
        metadata=ultralytics(),
    )


def classifier(path: Path) -> Path:
    """A model that takes a picture and is no detector."""
    return save_model(
        path,
        [
            node("ReduceMean", ["images"], ["scores"], axes=None, keepdims=0),
            node("Reshape", ["scores", "shape"], ["out"]),
        ],
        outputs={"out": (1, 1)},
        constants=[constant("shape", [1, 1], "int64")],
    )


def with_external_data(path: Path, location: str) -> Path:
    """A model whose weight lies in another file."""
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[3])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return save_model(
        path,
        [node("Add", ["images", "weight"], ["out"])],
        inputs={"images": (3,)},
        outputs={"out": (3,)},
        constants=[weight],
    )


def with_context_node(path: Path) -> Path:
    """A model compiled for one provider."""
    return save_model(
        path,
        [node("EPContext", ["images"], ["out"], domain="com.microsoft", embed_mode=1, ep_cache_context=b"x")],
        inputs={"images": (3,)},
        outputs={"out": (3,)},
        domains=["com.microsoft"],
    )


def nested(path: Path, depth: int) -> Path:
    """A model of graphs in graphs, so many deep, the outermost included."""
    graph = helper.make_graph(
        [node("Identity", ["images"], ["out1"])],
        "innermost",
        [],
        [helper.make_tensor_value_info("out1", TensorProto.FLOAT, [3])],
    )
    for level in range(2, depth):
        graph = helper.make_graph(
            [node("If", ["yes"], [f"out{level}"], then_branch=graph, else_branch=graph)],
            f"level{level}",
            [],
            [helper.make_tensor_value_info(f"out{level}", TensorProto.FLOAT, [3])],
        )
    last = node("If", ["yes"], ["out"], then_branch=graph, else_branch=graph)
    return save_model(
        path,
        [last],
        inputs={"images": (3,)},
        outputs={"out": (3,)},
        constants=[constant("yes", True, "bool")],
    )
