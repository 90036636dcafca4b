import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edged.inference import constants
from edged.inference.constants import with_constant_weights
from edged.inference.session import Session
from edged.worker.opening import Opened
from edged.worker.request import LoadRequest


def model(
    path, *, listed=("weight", "scale", "shift", "mean", "variance"), ir_version=6, order=("x", "weights")
):
    """A convolution, and a normalisation that vanishes into it where its numbers are constants."""
    random = np.random.default_rng(1)
    shapes = {"weight": (4, 3, 1, 1), "scale": (4,), "shift": (4,), "mean": (4,), "variance": (4,)}
    weights = {name: random.random(shape).astype(np.float32) + 0.5 for name, shape in shapes.items()}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in listed]
    pictures = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "weight"], ["c"]),
            helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["y"]),
        ],
        "g",
        [*pictures, *given] if order[0] == "x" else [*given, *pictures],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8, 8))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=ir_version)
    helper.set_model_props(made, {"author": "nobody"})
    onnx.save(made, path)
    return path


@pytest.mark.parametrize("order", [("x", "weights"), ("weights", "x")])
def test_only_the_inputs_that_are_weights_are_left_out(tmp_path, order):
    path = model(tmp_path / "m.onnx", order=order)
    wanted = onnx.load(path)
    kept = [one for one in wanted.graph.input if one.name == "x"]
    del wanted.graph.input[:]
    wanted.graph.input.extend(kept)
    assert onnx.load_from_string(with_constant_weights(path)) == wanted


def test_the_session_answers_the_same_and_folds_what_it_may(tmp_path):
    path = model(tmp_path / "m.onnx")
    before, after = Session(path, providers=["cpu"]), Session(path, providers=["cpu"], is_whole=True)
    assert [spec.name for spec in after.inputs] == [spec.name for spec in before.inputs] == ["x"]
    picture = {"x": np.random.default_rng(2).random((1, 3, 8, 8)).astype(np.float32)}
    np.testing.assert_allclose(after.run(picture)[0], before.run(picture)[0], rtol=1e-5, atol=1e-6)
    assert sum(before.provider.nodes.values()) > sum(after.provider.nodes.values())


def test_a_model_that_lists_none_is_loaded_as_it_is(tmp_path):
    assert with_constant_weights(model(tmp_path / "m.onnx", listed=())) is None


def test_an_input_beside_that_is_no_weight_stays(tmp_path):
    path = model(tmp_path / "m.onnx", listed=("weight",))
    made = onnx.load(path)
    made.graph.input.append(helper.make_tensor_value_info("unused", TensorProto.FLOAT, (1,)))
    onnx.save(made, path)
    assert [one.name for one in onnx.load_from_string(with_constant_weights(path)).graph.input] == [
        "x",
        "unused",
    ]


def test_of_several_names_the_last_counts(tmp_path):
    """As in every protocol buffer: an input that says `weight` first and `x` then is `x`."""
    path = model(tmp_path / "m.onnx", listed=("weight",))
    made = onnx.load(path)
    two = onnx.ValueInfoProto(name="weight").SerializeToString() + made.graph.input[0].SerializeToString()
    made.graph.input[0].Clear()
    plain = made.SerializeToString()
    mark = b"\x5a\x00"  # the empty input
    assert plain.count(mark) == 1
    changed = plain.replace(mark, b"\x5a" + bytes([len(two)]) + two)
    grown = len(two)
    graph = onnx.ModelProto.FromString(plain).graph.ByteSize()
    head, longer = b"\x3a" + varint(graph), b"\x3a" + varint(graph + grown)
    assert changed.count(head) == 1
    path.write_bytes(changed.replace(head, longer))
    assert [one.name for one in onnx.load_from_string(with_constant_weights(path)).graph.input] == ["x"]


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def test_where_memory_is_short_it_is_loaded_as_it_is(tmp_path, monkeypatch):
    def starved(_view):
        raise MemoryError

    path = model(tmp_path / "m.onnx")
    monkeypatch.setattr(constants, "_rebuilt", starved)
    assert with_constant_weights(path) is None


def test_the_copy_does_not_outlive_the_loading(tmp_path):
    path = model(tmp_path / "m.onnx")
    made = Session(path, providers=["cpu"], is_whole=True)
    copy = with_constant_weights(path)
    assert copy not in [value for value in vars(made._session).values() if isinstance(value, bytes)]
    plain = onnxruntime.InferenceSession(copy, providers=["CPUExecutionProvider"])
    assert copy in [value for value in vars(plain).values() if isinstance(value, bytes)], "nothing to release"


def test_before_version_4_of_the_format_weights_had_to_be_listed(tmp_path):
    assert with_constant_weights(model(tmp_path / "m.onnx", ir_version=3)) is None


def test_what_is_no_model_is_left_to_the_runtime(tmp_path):
    whole = model(tmp_path / "m.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.onnx").touch()
    for name in ("cut.onnx", "empty.onnx", "none.onnx"):
        assert with_constant_weights(tmp_path / name) is None


def test_a_file_that_is_too_large_to_copy_is_loaded_as_it_is(tmp_path, monkeypatch):
    path = model(tmp_path / "m.onnx")
    monkeypatch.setattr(constants, "MAX_BYTES", path.stat().st_size - 1)
    assert with_constant_weights(path) is None


def test_weights_beside_the_file_still_count_from_its_folder(tmp_path):
    path = model(tmp_path / "m.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    opened = Opened(LoadRequest(path=str(path), providers=("cpu",)))
    assert opened.session.run({"x": np.zeros((1, 3, 8, 8), np.float32)})[0].shape == (1, 4, 8, 8)
