from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import toy_convolutions
import toy_models
from onnx import TensorProto, helper
from toy_models import constant, node

from edged.errors import ModelRejected, RuntimeMissing
from edged.inference import quantgraph
from edged.inference.quantgraph import blocks_of, float_graph, head_of


def graph_of(nodes, constants, outputs=("out",)) -> onnx.ModelProto:
    """A model of these nodes, of which nothing but the structure is looked at."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("in", TensorProto.FLOAT, (1, 3, 8, 8))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            constants,
        )
    )


def conv(name: str, source: str, to: str) -> onnx.NodeProto:
    return node("Conv", [source, "w"], [to], name=name)


WEIGHTS = [constant("w", np.zeros((3, 3, 1, 1)))]


def test_the_head_is_what_follows_the_last_convolutions():
    model = graph_of(
        [
            conv("first", "in", "a"),
            node("Relu", ["a"], ["b"], name="relu"),
            conv("boxes", "b", "c"),
            conv("scores", "b", "d"),
            node("Exp", ["c"], ["e"], name="exp"),
            node("Sigmoid", ["d"], ["f"], name="sigmoid"),
            node("Concat", ["e", "f"], ["out"], axis=1, name="concat"),
        ],
        WEIGHTS,
    )
    head, taps = head_of(model)
    assert head == {"exp", "sigmoid", "concat"}
    assert taps == ("c", "d")
    assert blocks_of(model, head) == (("first", "relu"), ("boxes",), ("scores",))


def test_the_convolution_that_averages_a_distribution_belongs_to_the_head():
    model = graph_of(
        [
            conv("boxes", "in", "a"),
            node("Softmax", ["a"], ["b"], name="softmax"),
            node("Transpose", ["b"], ["c"], name="transpose"),
            conv("expectation", "c", "d"),
            node("Sub", ["d", "d"], ["out"], name="corners"),
        ],
        WEIGHTS,
    )
    head, taps = head_of(model)
    assert head == {"softmax", "transpose", "expectation", "corners"}
    assert taps == ("a",)


def test_a_product_of_two_answers_is_no_layer():
    model = graph_of(
        [conv("first", "in", "a"), node("MatMul", ["a", "a"], ["out"], name="attention")], WEIGHTS
    )
    assert head_of(model) == (frozenset({"attention"}), ("a",))


def test_many_layers_make_few_blocks_that_miss_none():
    nodes = [conv(f"c{number}", f"t{number}" if number else "in", f"t{number + 1}") for number in range(30)]
    model = graph_of([*nodes, node("Relu", ["t30"], ["out"], name="end")], WEIGHTS)
    head, _ = head_of(model)
    blocks = blocks_of(model, head, most=8)
    assert len(blocks) <= 8
    assert [name for block in blocks for name in block] == [f"c{number}" for number in range(30)]


def test_an_old_opset_is_raised_so_that_each_channel_has_its_scale(tmp_path):
    graph = float_graph(toy_convolutions.square_detector(tmp_path / "old.onnx", opset=11))
    assert graph.per_channel
    assert graph.notes == ()
    assert graph.model.opset_import[0].version >= quantgraph.MIN_OPSET


def test_where_the_opset_cannot_be_raised_it_is_said_and_one_scale_does(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no adapter")

    monkeypatch.setattr(onnx.version_converter, "convert_version", refuse)
    graph = float_graph(toy_convolutions.square_detector(tmp_path / "old.onnx", opset=11))
    assert not graph.per_channel
    assert "opset 11" in graph.notes[0]
    assert "no adapter" in graph.notes[0]


def test_a_model_that_cannot_be_folded_is_quantised_as_it_is(tmp_path, monkeypatch):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    before = [one.op_type for one in onnx.load(path).graph.node]

    def refuse(*_, **__):
        raise ValueError("does not fit")

    real = quantgraph.runtime()
    broken = SimpleNamespace(**{**vars(real), "InferenceSession": refuse})
    monkeypatch.setattr(quantgraph, "runtime", lambda: broken)
    graph = float_graph(path)
    assert [one.op_type for one in graph.model.graph.node] == before
    assert "does not fit" in graph.notes[0]


def test_weights_that_are_listed_as_inputs_are_weights(tmp_path):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("blur", TensorProto.FLOAT, (4, 3, 3, 3)))
    onnx.save(model, path)
    assert [one.name for one in float_graph(path).model.graph.input] == ["images"]


def refused(path: Path) -> str:
    with pytest.raises(ModelRejected) as caught:
        float_graph(path)
    return str(caught.value)


def test_a_quantised_model_is_refused(tmp_path):
    path = toy_models.save_model(
        tmp_path / "q.onnx",
        [
            node("QuantizeLinear", ["images", "scale", "zero"], ["q"]),
            node("DequantizeLinear", ["q", "scale", "zero"], ["out"]),
        ],
        outputs={"out": (1, 3, 64, 64)},
        constants=[constant("scale", 0.1), constant("zero", 0, "uint8")],
    )
    assert "is quantised already (it has DequantizeLinear)" in refused(path)


def test_a_model_of_float16_is_refused(tmp_path):
    path = toy_models.save_model(
        tmp_path / "half.onnx",
        [node("Cast", ["images"], ["out"], to=TensorProto.FLOAT)],
        outputs={"out": (1, 3, 64, 64)},
        dtype=TensorProto.FLOAT16,
    )
    assert "takes float16" in refused(path)


def test_a_model_without_layers_is_refused(tmp_path):
    assert "no convolution" in refused(toy_models.toy_detector(tmp_path / "toy.onnx"))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff not a model")
    assert "cannot be read by onnx" in refused(tmp_path / "bad.onnx")


def test_without_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(quantgraph, "import_module", missing)
    with pytest.raises(RuntimeMissing, match=r"pip install 'edged\[quantize\]'"):
        float_graph(tmp_path / "any.onnx")
