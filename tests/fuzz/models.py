"""Small models made by hand, one for each thing that runtimes have been known to stumble over, and the real ones."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import toy_convolutions
import toy_models
from onnx import TensorProto, helper
from toy_models import constant, node

REAL = (
    "models/yunet2021_120x160.onnx", "models/yunet_n_320.onnx", "sensors/rf_iris.onnx",
    "hostile/mnist_classifier.onnx", "hostile/string_io.onnx", "hostile/two_inputs_int.onnx",
    "hostile/segmentation_not_detector.onnx", "models/yolo_fastestv2_352.onnx",
)  # fmt: skip
BUNDLED = "models/bearing-vibration/1/model.onnx"


@cache
def handmade() -> dict[str, bytes]:
    """By name; always the same bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        made = {
            "detector": toy_models.toy_detector,
            "convolutions": toy_convolutions.square_detector,
            "loop": lambda path: toy_models.slow_detector(path, rounds=2),
            "graphs in graphs": lambda path: toy_models.nested(path, 3),
            "weights outside": lambda path: toy_models.with_external_data(path, "weights.bin"),
        }
        models = {}
        for name, make in made.items():
            make(path)
            models[name] = path.read_bytes()
    return models | {name: _model(**parts).SerializeToString() for name, parts in _parts().items()}


def real(root: Path, assets: Path | None) -> dict[str, bytes]:
    """Those of the repository and, where there are any, of the assets, which are read and never copied."""
    found = {BUNDLED: (root / BUNDLED).read_bytes()}
    if assets:
        found |= {name: (assets / name).read_bytes() for name in REAL if (assets / name).is_file()}
    return found


def _model(
    nodes: Sequence[onnx.NodeProto],
    outputs: dict[str, Sequence[Any]],
    inputs: dict[str, Sequence[Any]] | None = None,
    constants: Sequence[TensorProto] = (),
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "small",
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
            for n, s in (inputs or {"x": (1, 3, 16, 16)}).items()
        ],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(
        graph, opset_imports=opsets, functions=list(functions), ir_version=8, producer_name="fuzz"
    )


def _parts() -> dict[str, dict[str, Any]]:
    ones = np.ones((4, 3, 3, 3), np.float32)
    scale, zero = constant("scale", 0.1), constant("zero", 0, "uint8")
    twice = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    body = helper.make_graph(
        [node("Add", ["sum_in", "part"], ["sum_out"]), node("Identity", ["sum_out"], ["each"])],
        "body",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("sum_in", "part")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("sum_out", "each")],
    )
    return {
        "conv and pools": {
            "nodes": [
                node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1],
                     kernel_shape=[3, 3], group=1),
                node("MaxPool", ["c"], ["m"], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], ceil_mode=1),
                node("AveragePool", ["m"], ["a"], kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1),
                node("ConvTranspose", ["a", "wt"], ["t"], strides=[2, 2], output_padding=[0, 0], pads=[0, 0, 0, 0]),
                node("Flatten", ["t"], ["y"], axis=1),
            ],
            "outputs": {"y": (1, None)},
            "constants": [constant("w", ones), constant("wt", np.ones((4, 2, 2, 2), np.float32))],
        },
        "shapes": {
            "nodes": [
                node("Reshape", ["x", "shape"], ["r"], allowzero=0),
                node("Transpose", ["r"], ["t"], perm=[1, 0]),
                node("Gather", ["t", "which"], ["g"], axis=0),
                node("Slice", ["g", "begin", "end", "axes", "steps"], ["s"]),
                node("Pad", ["s", "pads"], ["p"], mode="reflect"),
                node("Tile", ["p", "often"], ["i"]),
                node("Expand", ["i", "wide"], ["y"]),
            ],
            "outputs": {"y": (None, None)},
            "constants": [
                constant("shape", [3, 256], "int64"), constant("which", [0, 5, 255], "int64"),
                constant("begin", [0], "int64"), constant("end", [3], "int64"), constant("axes", [0], "int64"),
                constant("steps", [1], "int64"), constant("pads", [1, 1, 1, 1], "int64"),
                constant("often", [1, 2], "int64"), constant("wide", [5, 10], "int64"),
            ],
        },
        "resize and pick": {
            "nodes": [
                node("Resize", ["x", "", "scales"], ["u"], mode="linear", coordinate_transformation_mode="half_pixel"),
                node("Split", ["u", "parts"], ["s1", "s2"], axis=1),
                node("TopK", ["s1", "k"], ["top", "where"], axis=3),
                node("ReduceMean", ["top"], ["y"], axes=[2, 3], keepdims=0),
            ],
            "outputs": {"y": (1, None)},
            "constants": [
                constant("scales", [1, 1, 2, 2]), constant("parts", [1, 2], "int64"), constant("k", [4], "int64"),
            ],
        },
        "quantised": {
            "nodes": [
                node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
                node("QLinearConv", ["q", "scale", "zero", "wq", "scale", "zero", "scale", "zero"],
                     ["c"], pads=[1, 1, 1, 1]),
                node("DequantizeLinear", ["c", "scale", "zero"], ["y"]),
            ],
            "outputs": {"y": (1, 2, None, None)},
            "constants": [scale, zero, constant("wq", np.ones((2, 3, 3, 3)), "uint8")],
        },
        "suppression": {
            "nodes": [
                node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["kept"]),
                node("Cast", ["kept"], ["y"], to=TensorProto.FLOAT),
            ],
            "inputs": {"boxes": (1, 8, 4), "scores": (1, 2, 8)},
            "outputs": {"y": (None, 3)},
            "constants": [constant("most", [3], "int64"), constant("iou", [0.5]), constant("least", [0.1])],
        },
        "recurrent": {
            "nodes": [
                node("LSTM", ["x", "w", "r"], ["y", "h", "c"], hidden_size=4, direction="forward"),
                node("Scan", ["begin", "seq"], ["last", "all"], body=body, num_scan_inputs=1),
            ],
            "inputs": {"x": (5, 1, 3), "seq": (6, 4)},
            "outputs": {"y": (5, 1, 1, 4), "all": (6, 4)},
            "constants": [
                constant("w", np.ones((1, 16, 3))), constant("r", np.ones((1, 16, 4))), constant("begin", np.zeros(4)),
            ],
        },
        "a function": {
            "nodes": [node("Twice", ["x"], ["y"], domain="mine")],
            "outputs": {"y": (1, 3, 16, 16)}, "domains": ["mine"], "functions": [twice],
        },
        "trees": {
            "nodes": [
                node(
                    "TreeEnsembleClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1],
                    class_ids=[0, 1], class_nodeids=[1, 2], class_treeids=[0, 0], class_weights=[1.0, 1.0],
                    nodes_falsenodeids=[2, 0, 0], nodes_featureids=[0, 0, 0],
                    nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                    nodes_nodeids=[0, 1, 2], nodes_treeids=[0, 0, 0], nodes_truenodeids=[1, 0, 0],
                    nodes_values=[0.5, 0.0, 0.0], post_transform="NONE",
                ),
            ],
            "inputs": {"x": (None, 4)}, "outputs": {"y": (None, 2)}, "domains": ["ai.onnx.ml"],
        },
    }  # fmt: skip
