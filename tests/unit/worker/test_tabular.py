"""By what a model of rows is told from one of pictures."""

import pytest

from edged.manifest import TensorSpec
from edged.worker.tabular import tabular_evidence

ROWS = TensorSpec("X", (None, 4), "float32")
PICTURE = TensorSpec("images", (1, 3, 64, 64), "float32")
TEXT = TensorSpec("colour", (None, 1), "str")
OUTPUT = TensorSpec("y", (None, 3), "float32")


@pytest.mark.parametrize(
    ("inputs", "output", "operators", "why"),
    [
        ([ROWS], "y", ["ai.onnx.ml:Scaler"], "operators of ai.onnx.ml"),
        ([ROWS], "variable", ["MatMul"], "the output variable"),
        ([ROWS, TEXT], "y", ["MatMul"], "texts in colour"),
        ([TEXT], "y", ["ai.onnx.ml:LabelEncoder"], "operators of ai.onnx.ml"),
        ([TensorSpec("X", (None,), "float32")], "Probabilities", [], "the output Probabilities"),
    ],
)
def test_rows_and_what_is_done_with_them_are_named(inputs, output, operators, why):
    found = tabular_evidence(inputs, [TensorSpec(output, (None, 3), "float32")], operators)
    assert found is not None
    assert found.endswith(why)
    assert f"rows in ({inputs[0].name}" in found


@pytest.mark.parametrize(
    ("inputs", "operators"),
    [
        ([ROWS], ["MatMul"]),
        ([PICTURE], ["ai.onnx.ml:ZipMap"]),
        ([PICTURE, TEXT], []),
        ([], ["ai.onnx.ml:Scaler"]),
    ],
    ids=["nothing says so", "picture", "picture and text", "no input"],
)
def test_what_may_be_something_else_is_not_taken_for_rows(inputs, operators):
    assert tabular_evidence(inputs, [OUTPUT], operators) is None
