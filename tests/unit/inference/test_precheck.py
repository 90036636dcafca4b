import json
import os

import onnx
import pytest
import toy_models
from onnx import TensorProto, helper

from edged.errors import InputNotFound, ModelRejected
from edged.inference.precheck import MAX_DEPTH, ModelSummary, precheck


@pytest.fixture
def model(tmp_path):
    return tmp_path / "model.onnx"


def test_what_a_file_says_of_itself_is_what_onnx_reads(model):
    toy_models.slow_detector(model, rounds=3)
    read, summary = onnx.load(model), precheck(model)
    assert summary.metadata == {pair.key: pair.value for pair in read.metadata_props}
    assert summary.opsets == {one.domain or "ai.onnx": one.version for one in read.opset_import}
    assert (summary.ir_version, summary.producer) == (read.ir_version, "toys")
    body = next(node for node in read.graph.node if node.op_type == "Loop").attribute[0].g
    assert summary.node_count == len(read.graph.node) + len(body.node)
    assert summary.operators["MatMul"] == 1
    assert summary.size_bytes == model.stat().st_size
    assert summary.external_data == set()


def test_the_digest_is_that_of_the_file(model):
    import hashlib

    toy_models.toy_detector(model)
    assert precheck(model).digest == "sha256:" + hashlib.sha256(model.read_bytes()).hexdigest()


def test_cut_short_anywhere_it_is_rejected_or_what_is_left_is_a_model(model, tmp_path):
    content = toy_models.with_external_data(model, "weights.bin").read_bytes()
    rejected = 0
    for length in range(len(content)):
        part = tmp_path / "part.onnx"
        part.write_bytes(content[:length])
        try:
            assert isinstance(precheck(part), ModelSummary)
        except ModelRejected as error:
            rejected += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert rejected > len(content) * 0.9


def test_with_any_byte_wrong_it_is_rejected_or_read_and_nothing_else(model, tmp_path):
    content = bytearray(toy_models.nested(model, 3).read_bytes())
    outcomes = {"read": 0, "rejected": 0}
    for position in range(len(content)):
        for value in (0x00, 0x7F, 0xFF, content[position] ^ 1):
            wrong = content.copy()
            wrong[position] = value
            part = tmp_path / "part.onnx"
            part.write_bytes(wrong)
            try:
                precheck(part)
                outcomes["read"] += 1
            except ModelRejected:
                outcomes["rejected"] += 1
    assert min(outcomes.values()) > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is only 0 bytes long"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"<html><body>404 not found</body></html>", "is not"),
        (b"\x00" * 100, "field number 0"),
        (b"\xff" * 100, "a number of more than 64 bits"),
        (b"\x08\x0a" * 20, "is not an ONNX model"),
    ],
    ids=["empty", "LFS", "HTML", "zeros", "ones", "no graph"],
)
def test_what_is_no_model_says_so(model, content, said):
    model.write_bytes(content)
    with pytest.raises(ModelRejected, match=said):
        precheck(model)


def test_what_is_not_there_is_not_found(model):
    with pytest.raises(InputNotFound, match="no such model"):
        precheck(model)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelRejected, match="is no file"):
        precheck(tmp_path)


def test_a_pipe_is_refused_instead_of_waited_for(model):
    os.mkfifo(model)
    with pytest.raises(ModelRejected, match="is no file"):
        precheck(model)


@pytest.mark.parametrize(
    "location", ["../../x", "/etc/passwd", "a/../../x", "..", "", "C:\\x", "\\\\host\\x"], ids=repr
)
def test_weights_outside_the_folder_of_the_model_are_refused(model, location):
    toy_models.with_external_data(model, location)
    with pytest.raises(ModelRejected, match="keeps weights outside its folder"):
        precheck(model)


def test_weights_beside_the_model_are_named(model):
    assert precheck(toy_models.with_external_data(model, "data/w.bin")).external_data == {"data/w.bin"}


def test_weights_that_lie_outside_by_a_link_are_refused(model, tmp_path):
    toy_models.with_external_data(model, "w.bin")
    (tmp_path / "w.bin").symlink_to("/etc/hostname")
    with pytest.raises(ModelRejected, match="keeps weights outside its folder"):
        precheck(model)


def test_a_model_and_its_weights_may_both_be_links_into_one_folder(tmp_path):
    kept, shown = tmp_path / "blobs", tmp_path / "snapshot"
    kept.mkdir(), shown.mkdir()
    toy_models.with_external_data(kept / "b1", "w.bin")
    (kept / "b2").write_bytes(bytes(12))
    (shown / "model.onnx").symlink_to("../blobs/b1")
    (shown / "w.bin").symlink_to("../blobs/b2")
    assert precheck(shown / "model.onnx").external_data == {"w.bin"}


@pytest.mark.parametrize(
    "location", ["w.bin\0", "loop", "a" * 300_000], ids=["no name", "a circle", "endless"]
)
def test_weights_in_files_that_cannot_be_are_refused(model, tmp_path, location):
    (tmp_path / "loop").symlink_to("loop")
    toy_models.with_external_data(model, location)
    with pytest.raises(ModelRejected, match=r"outside its folder|too many or too long"):
        precheck(model)


def test_what_a_model_says_of_itself_is_no_longer_than_the_daemon_listens(model):
    toy_models.toy_detector(model)
    changed = onnx.load(model)
    changed.producer_name = changed.producer_version = "\1" * 1_000_000
    for number in range(5):
        changed.metadata_props.add(key=f"k{number}", value="\1" * 500_000)
    model.write_bytes(changed.SerializeToString())
    summary = precheck(model)
    assert len(json.dumps([summary.producer, summary.metadata])) < 8 * 1024**2
    assert summary.metadata["k0"] == "\1" * 500_000


def outside() -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../x")
    return tensor


def test_weights_outside_are_found_wherever_a_model_can_keep_them(model):
    sparse = helper.make_sparse_tensor(
        outside(), helper.make_tensor("i", TensorProto.INT64, [3], [0, 1, 2]), [9]
    )
    identity = helper.make_node("Identity", ["images"], ["out"])
    hides = {
        "attribute": lambda m: m.graph.node.append(helper.make_node("Constant", [], ["c"], value=outside())),
        "sparse attribute": lambda m: m.graph.node.append(
            helper.make_node("Constant", [], ["c"], sparse_value=sparse)
        ),
        "sparse initializer": lambda m: m.graph.sparse_initializer.append(sparse),
        "function": lambda m: m.functions.append(
            helper.make_function(
                "toy", "F", [], ["c"], [helper.make_node("Constant", [], ["c"], value=outside())], []
            )
        ),
        "function's default": lambda m: m.functions.append(
            helper.make_function(
                "toy",
                "F",
                [],
                ["c"],
                [identity],
                [],
                attribute_protos=[helper.make_attribute("a", outside())],
            )
        ),
    }
    missed = []
    for name, hide in hides.items():
        toy_models.save_model(model, [identity], outputs={"out": (1, 3, 64, 64)})
        changed = onnx.load(model, load_external_data=False)
        hide(changed)
        model.write_bytes(changed.SerializeToString())
        try:
            precheck(model)
            missed.append(name)
        except ModelRejected as error:
            assert "keeps weights outside" in str(error)  # noqa: PT017
    assert missed == []


def test_a_model_compiled_for_one_provider_is_refused(model):
    with pytest.raises(ModelRejected, match="EPContext"):
        precheck(toy_models.with_context_node(model))


def test_graphs_in_graphs_are_read_to_a_depth_and_refused_beyond(model):
    assert precheck(toy_models.nested(model, MAX_DEPTH)).operators["If"] == 2 ** (MAX_DEPTH - 1) - 1
    with pytest.raises(ModelRejected, match="graphs nested deeper than"):
        precheck(toy_models.nested(model, MAX_DEPTH + 1))


@pytest.mark.parametrize("domain", ["com.microsoft.extensions", "ai.onnx.contrib", "evil.example"])
def test_operators_that_no_runtime_here_has_are_named(model, domain):
    toy_models.save_model(
        model,
        [toy_models.node("DecodeImage", ["images"], ["out"], domain=domain)],
        outputs={"out": (3,)},
        domains=[domain],
    )
    with pytest.raises(ModelRejected, match=rf"no runtime here has \({domain}:DecodeImage\)"):
        precheck(model)


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc"])
def test_operators_of_known_domains_are_left_to_the_runtime(model, domain):
    toy_models.save_model(
        model,
        [toy_models.node("Something", ["images"], ["out"], domain=domain)],
        outputs={"out": (3,)},
        domains=[domain],
    )
    assert precheck(model).operators == {f"{domain}:Something": 1}


def test_functions_that_come_with_the_model_are_known(model):
    function = helper.make_function(
        "mine.example",
        "Twice",
        ["x"],
        ["y"],
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [helper.make_opsetid("", 17)],
    )
    graph = helper.make_graph(
        [helper.make_node("Twice", ["images"], ["out"], domain="mine.example")],
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine.example", 1)]
    model.write_bytes(
        helper.make_model(graph, opset_imports=opsets, functions=[function]).SerializeToString()
    )
    assert precheck(model).functions == {"mine.example"}


@pytest.mark.parametrize(
    ("sizes", "kind", "data", "said"),
    [
        ([3], TensorProto.FLOAT, b"\0" * 11, "needs 12 bytes and has 11"),
        ([2, 3], TensorProto.FLOAT16, b"\0" * 13, "needs 12 bytes and has 13"),
        ([3], TensorProto.INT4, b"\0" * 3, "needs 2 bytes and has 3"),
        ([-1], TensorProto.FLOAT, b"", "a tensor of 18446744073709551615"),
        ([2**30, 2**30], TensorProto.FLOAT, b"", "a tensor of 1073741824 x 1073741824"),
        ([1] * 65, TensorProto.FLOAT, b"\0" * 4, "more than 64 dimensions"),
    ],
)
def test_sizes_that_do_not_fit_the_bytes_are_refused(model, sizes, kind, data, said):
    weight = TensorProto(name="weight", data_type=kind, dims=sizes, raw_data=data)
    toy_models.save_model(
        model,
        [toy_models.node("Identity", ["weight"], ["out"])],
        outputs={"out": (3,)},
        constants=[weight],
    )
    with pytest.raises(ModelRejected, match=said):
        precheck(model)


@pytest.mark.parametrize(
    ("sizes", "kind", "data"),
    [
        ([3], TensorProto.INT4, b"\0\0"),
        ([], TensorProto.DOUBLE, b"\0" * 8),
        ([0, 5], TensorProto.FLOAT, b""),
        ([2], TensorProto.BOOL, b"\1\0"),
    ],
)
def test_sizes_that_fit_are_taken(model, sizes, kind, data):
    weight = TensorProto(name="weight", data_type=kind, dims=sizes, raw_data=data)
    toy_models.save_model(
        model,
        [toy_models.node("Identity", ["weight"], ["out"])],
        outputs={"out": (3,)},
        constants=[weight],
    )
    assert precheck(model).node_count == 1
