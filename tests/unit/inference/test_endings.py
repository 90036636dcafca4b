"""Which operator makes an output, of models as exporters end them."""

import pytest
from toy_models import constant, node, save_model

from edged.inference.precheck import precheck


def ending(path, *operators, **more):
    names = ["images", *(f"t{number}" for number in range(1, len(operators))), "out"]
    nodes = [node(operator, [names[n]], [names[n + 1]]) for n, operator in enumerate(operators)]
    save_model(path, nodes, outputs={"out": None}, **more)
    return precheck(path).endings


@pytest.mark.parametrize(
    ("operators", "found"),
    [
        (("GlobalAveragePool", "Sigmoid"), {"out": "Sigmoid"}),
        (("Relu", "Softmax", "Identity", "Flatten"), {"out": "Softmax"}),
        (("Relu", "GlobalAveragePool", "Flatten"), {"out": "Relu"}),
        (("GlobalAveragePool", "Flatten"), {}),
        (("Identity",) * 100, {}),
    ],
)
def test_what_only_moves_or_averages_numbers_is_looked_through(tmp_path, operators, found):
    assert ending(tmp_path / "m.onnx", *operators) == found


def test_each_output_has_its_own_and_a_quantised_one_is_looked_through(tmp_path):
    scale, zero = constant("scale", 0.01), constant("zero", 0, "uint8")
    nodes = [
        node("Sigmoid", ["images"], ["a"]),
        node("QuantizeLinear", ["a", "scale", "zero"], ["b"]),
        node("DequantizeLinear", ["b", "scale", "zero"], ["scores"]),
        node("Add", ["images", "images"], ["sums"]),
    ]
    save_model(tmp_path / "m.onnx", nodes, outputs={"scores": None, "sums": None}, constants=[scale, zero])
    assert precheck(tmp_path / "m.onnx").endings == {"scores": "Sigmoid", "sums": "Add"}
