"""Makes small models of rows as skl2onnx, onnxmltools and PyTorch lay them out, and asks how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from toy_models import constant, node

from edged.decode.tabular import RowEvidence, RowRecognition, recognise_rows
from edged.inference.precheck import precheck
from edged.inference.session import Session
from edged.rows import Scores

ML = "ai.onnx.ml"
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING

ROWS = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, -1.0], [0.5, 0.25]])
"""What the toys are tried on, in part or whole."""


def tensor(name: str, kind: int, shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def maps(name: str, key: int) -> onnx.ValueInfoProto:
    value = helper.make_tensor_type_proto(FLOAT, None)
    return helper.make_value_info(
        name, helper.make_sequence_type_proto(helper.make_map_type_proto(key, value))
    )


def save_rows(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
) -> Path:
    """Write a model that takes ``x``, float32 [N, 2], unless it is said otherwise."""
    graph = helper.make_graph(
        list(nodes), "rows", list(inputs or [tensor("x", FLOAT, [None, 2])]), list(outputs), list(constants)
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


@dataclass
class Toy:
    """A model in a session, and the evidence of a trial."""

    path: Path

    def __post_init__(self) -> None:
        self.session, self.summary = Session(self.path, providers=["cpu"], threads=1), precheck(self.path)

    def run(self, rows: NDArray[np.float64]) -> list[NDArray[Any]]:
        shape = [len(rows), *(size for size in self.session.inputs[0].shape[1:])]
        return self.session.run({self.session.inputs[0].name: rows.astype(np.float32).reshape(shape)})

    def evidence(self, rows: NDArray[np.float64] = ROWS[:3], **said: Any) -> RowEvidence:
        fed = rows if rows.ndim == 3 else rows[:, None, :]
        return RowEvidence(
            inputs=self.session.inputs,
            outputs=self.session.outputs,
            trial=tuple(self.run(rows)),
            fed=fed,
            operators=self.summary.operators,
            metadata=self.summary.metadata,
            **{"class_labels": self.summary.class_labels, **said},
        )

    def recognise(self, **said: Any) -> RowRecognition:
        return recognise_rows(self.evidence(**said))

    def scores(self, rows: NDArray[np.float64] = ROWS, **said: Any) -> Scores:
        """Of rows; the first three of them are the trial."""
        fed = rows if rows.ndim == 3 else rows[:, None, :]
        return self.recognise(rows=rows[:3], **said).decoder(self.run(rows), fed)


def linear(
    classes: Sequence[str | int], label: str = "label", scores: str = "scores", **more: Any
) -> onnx.NodeProto:
    """A LinearClassifier of rows of two: of three classes the third is the sum of the others, negative."""
    weights = [1.0, 0.0, 0.0, 1.0, -1.0, -1.0][: 2 * len(classes)]
    named = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_ints"
    return node(
        "LinearClassifier",
        ["x"],
        [label, scores],
        domain=ML,
        coefficients=weights,
        intercepts=[0.0] * len(classes),
        **{"post_transform": "SOFTMAX", named: list(classes), **more},
    )


def zip_map(classes: Sequence[str | int], source: str = "scores", output: str = "maps") -> onnx.NodeProto:
    named = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_int64s"
    return node("ZipMap", [source], [output], domain=ML, **{named: list(classes)})


def gemm(weights: Any, output: str) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """A row times weights (2, C)."""
    return node("MatMul", ["x", f"w_{output}"], [output]), constant(f"w_{output}", weights)
