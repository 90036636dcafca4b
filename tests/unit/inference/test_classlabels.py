"""What a graph calls its classes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from toy_models import node
from toy_tabular import FLOAT, INT64, ML, STRING, linear, maps, save_rows, tensor, zip_map

from edged.inference import classlabels
from edged.inference.precheck import precheck


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.onnx"


def labels(path, nodes, constants=()):
    """Of a model that need not run."""
    return precheck(save_rows(path, nodes, [tensor("y", FLOAT, [None])], constants)).class_labels


def look_up(table):
    return node("ArrayFeatureExtractor", [table, "index"], [f"of_{table}"], domain=ML)


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        (["low", "größer", ""], ("low", "größer", "")),
        ([0, 1, 2], ("0", "1", "2")),
        ([-1, 2**40, -(2**63)], None),
    ],
    ids=["texts", "numbers", "large numbers"],
)
@pytest.mark.parametrize("build", [linear, zip_map])
def test_classifiers_and_zip_map_name_them(path, build, classes, named):
    assert labels(path, [build(classes)]) == (named or tuple(map(str, classes)))


def test_the_last_one_tells(path):
    assert labels(path, [linear([0, 1]), linear([0, 1]), zip_map(["a", "b"])]) == ("a", "b")


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize("kind", [TensorProto.INT32, TensorProto.INT64], ids=["int32", "int64"])
def test_a_table_in_which_they_are_looked_up_names_them(path, kind, raw):
    """As skl2onnx ends a classifier that is made of others."""
    values = np.array([-7, 3], helper.tensor_dtype_to_np_dtype(kind))
    table = numpy_helper.from_array(values, "classes")
    if not raw:
        table = helper.make_tensor("classes", kind, [2], [-7, 3])
    assert labels(path, [linear([0, 1]), look_up("classes")], [table]) == ("-7", "3")


def test_a_table_of_texts_names_them(path):
    table = helper.make_tensor("classes", TensorProto.STRING, [2], [b"no", b"yes"])
    assert labels(path, [look_up("classes")], [table]) == ("no", "yes")


def test_columns_that_are_picked_name_nothing(path):
    column = helper.make_tensor("column", TensorProto.INT64, [1], [1])
    picks = node("ArrayFeatureExtractor", ["x", "column"], ["picked"], domain=ML)
    assert labels(path, [linear(["a", "b"]), *[picks] * 100], [column]) == ()
    assert labels(path, [linear(["a", "b"]), picks], [column]) == ("a", "b")


def test_the_labels_of_training_rows_are_no_list_of_classes(path):
    """A k-nearest-neighbour looks these up too, and numbers of a regression."""
    tables = [
        helper.make_tensor("neighbours", TensorProto.INT64, [4], [0, 1, 1, 0]),
        helper.make_tensor("targets", TensorProto.FLOAT, [2], [0.5, 1.5]),
    ]
    assert labels(path, [zip_map(["a", "b"]), look_up("neighbours"), look_up("targets")], tables) == (
        "a",
        "b",
    )


def test_other_nodes_and_inner_graphs_name_nothing(path):
    inner = helper.make_graph([linear(["a", "b"])], "inner", [], [tensor("label", STRING, [None])])
    nodes = [
        node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
        node("LabelEncoder", ["x"], ["z"], domain=ML, keys_int64s=[0, 1], values_strings=["a", "b"]),
        node(
            "LinearClassifier", ["x"], ["l", "s"], domain="ai.onnx.ml.other", classlabels_strings=["a", "b"]
        ),
    ]
    assert labels(path, nodes) == ()


def test_more_than_a_sane_number_name_nothing(path):
    assert len(labels(path, [zip_map(list(range(classlabels.MAX_LABELS)))])) == classlabels.MAX_LABELS
    assert labels(path, [zip_map(list(range(classlabels.MAX_LABELS + 1)))]) == ()
    assert labels(path, [zip_map(["a" * 600_000, "b" * 600_000])]) == ()


def test_a_list_that_cannot_be_read_names_nothing_and_is_left_to_the_runtime(path):
    save_rows(path, [zip_map(["a", "b"])], [maps("y", INT64)])
    model = onnx.load(path)
    attribute = model.graph.node[0].attribute[0]
    attribute.strings[0] = b"\xff\xfe"
    path.write_bytes(model.SerializeToString())
    assert precheck(path).class_labels == ("\ufffd\ufffd", "b")
    # 128 begins a number that does not end: packed into field 8 of the attribute
    content = path.read_bytes().replace(b"\x4a\x02\xff\xfe", b"\x42\x02\x80\x80")
    path.write_bytes(content)
    assert precheck(path).class_labels == ()
