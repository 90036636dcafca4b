import pytest
from manifests import CONTRACT

from edged.errors import BadInput, InputNotFound, ModelRejected
from edged.fit import Fit
from edged.manifest import InputRecipe, Manifest, model_files, read_labels, read_manifest


@pytest.fixture
def toml(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "model.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_whole_manifest_of_the_contract_is_read(toml):
    manifest = read_manifest(toml(CONTRACT))
    assert (manifest.task, manifest.family, manifest.labels) == ("detect", "yolox", ("person", "bicycle"))
    assert (manifest.input.size, manifest.input.color, manifest.input.fit) == (
        (416, 416),
        "BGR",
        Fit.LETTERBOX,
    )
    assert (manifest.input.mean, manifest.input.std, manifest.input.pad) == ((0, 0, 0), (1, 1, 1), 114)
    assert (manifest.output.min_score, manifest.output.iou, manifest.output.max_detections) == (
        0.25,
        0.45,
        300,
    )
    assert manifest.golden[0].expect[0].box == (10, 230, 800, 740)


def test_a_golden_file_of_sensor_rows_expects_a_label_without_a_box(toml):
    text = 'task = "tabular"\n[[golden]]\ninput = "golden/inner.csv"\nexpect = [{ label = "inner" }]'
    golden = read_manifest(toml(text)).golden[0]
    assert (golden.input, golden.expect[0].label, golden.expect[0].box) == ("golden/inner.csv", "inner", None)


def test_a_model_of_rows_says_its_fields_its_window_and_its_threshold(toml):
    text = """
[input]
fields = ["x", "y", "z", "t"]
window = 256
mean = [1, 2, 3, 4]
std = 2
[output]
threshold = 0.5
error = "mae"
[[golden]]
input = "rows.csv"
expect = [{ anomaly = false }, { anomaly = true, value = 0.75 }, { value = 1 }]
"""
    manifest = read_manifest(toml(text))
    assert (manifest.input.fields, manifest.input.window) == (("x", "y", "z", "t"), 256)
    assert (manifest.input.mean, manifest.input.std) == ((1, 2, 3, 4), 2)
    assert (manifest.output.threshold, manifest.output.error) == (0.5, "mae")
    found = [(one.label, one.anomaly, one.value) for one in manifest.golden[0].expect]
    assert found == [(None, False, None), (None, True, 0.75), (None, None, 1)]


def test_where_there_is_none_nothing_is_said(toml):
    assert read_manifest(None) == Manifest()
    assert read_manifest(toml("")) == Manifest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("famly = 'yolox'", "unknown key 'famly'; did you mean 'family'"),
        ("[input]\nsise = [1, 1]", r"unknown key 'input\.sise'; did you mean 'size'"),
        ("[qqqq]\na = 1", "unknown key 'qqqq'; see docs/models.md"),
        ("task = 'find'", "'task' is 'find'; allowed: 'detect', 'classify' or 'tabular'"),
        ("[input]\nsize = [416]", r"'input\.size\.1' is missing"),
        ("[input]\nmean = 'x'", r"'input\.mean' is 'x'; allowed: a number, or a list of numbers"),
        ("[input]\nsize = [0, 416]", r"'input\.size\.0' is 0; allowed: 8 or more"),
        ("[input]\npad = 256", r"'input\.pad' is 256"),
        ("[input]\nscale = nan", r"'input\.scale' is nan; allowed: a finite number"),
        ("[input]\nstd = [1, 0, 1]", r"'input\.std"),
        ("[input]\nstd = 0.0", r"'input\.std"),
        ("[output]\nmin_score = 2", r"'output\.min_score' is 2"),
        ("[input]\nwindow = 0", r"'input\.window' is 0; allowed: 1 or more"),
        ("labels = 'm'", r"'labels' is 'm'; allowed: a list, like \[\"m\"\]"),
        ("[input]\nfields = [1]", r"'input\.fields\.0' is 1; allowed: a text, in quotes"),
        ("[input]\nmean = [1, 'x']", r"'input\.mean"),
        ("[output]\nerror = 'rmse'", r"'output\.error' is 'rmse'; allowed: 'mse' or 'mae'"),
        (
            "[[golden]]\ninput = 'a.csv'\nexpect = [{ box = [1, 2, 3, 4] }]",
            r"expect\.0' is .*; allowed: a table with a label, an anomaly or a value",
        ),
        ("[[golden]]\ninput = 'a'\nexpect = [{ label = 'a', box = [1] }]", r"expect\.0\.box\.1' is missing"),
        ("task = ", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key_in_one_line(toml, text, said):
    path = toml(text)
    with pytest.raises(ModelRejected, match=said) as error:
        read_manifest(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_manifest_of_a_megabyte_is_not_read(toml):
    with pytest.raises(BadInput, match="is larger than"):
        read_manifest(toml("# " + "x" * 1024**2))


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (b"", ()),
        (b"cat\ndog\n", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\r\ndog", ("cat", "dog")),
        (b"cat\n\ndog\n\n\n", ("cat", "", "dog")),
        ("Fußgänger\n".encode(), ("Fußgänger",)),
    ],
)
def test_each_line_is_a_label_and_blank_lines_keep_their_number(tmp_path, content, labels):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    assert read_labels(path) == labels


def test_labels_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ModelRejected, match="is not UTF-8 text"):
        read_labels(path)
    assert read_labels(None) == ()


def files_of(path):
    files = model_files(path)
    return tuple(file and file.name for file in (files.onnx, files.manifest, files.labels))


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_stands_for_its_only_model_and_what_lies_beside_it(tmp_path):
    folder = touch(tmp_path / "3", "net.onnx", "model.toml", "labels.txt")
    assert files_of(folder) == ("net.onnx", "model.toml", "labels.txt")
    assert files_of(folder / "net.onnx") == ("net.onnx", "model.toml", "labels.txt")


def test_of_several_models_the_one_called_model_is_meant(tmp_path):
    folder = touch(tmp_path, "a.onnx", "model.onnx", "labels.txt")
    assert files_of(folder) == ("model.onnx", None, "labels.txt")


def test_models_that_share_a_folder_have_files_of_their_own_names(tmp_path):
    folder = touch(tmp_path, "a.onnx", "b.onnx", "a.toml", "a.labels.txt", "model.toml", "labels.txt")
    assert files_of(folder / "a.onnx") == ("a.onnx", "a.toml", "a.labels.txt")
    assert files_of(folder / "b.onnx") == ("b.onnx", None, None)


@pytest.mark.parametrize(
    ("names", "said"), [((), "holds no .onnx file"), (("a.onnx", "b.onnx"), "holds 2 models; name the file")]
)
def test_a_folder_that_does_not_say_which_model_is_refused(tmp_path, names, said):
    with pytest.raises(ModelRejected, match=said):
        model_files(touch(tmp_path / "m", *names))


def test_a_model_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(InputNotFound, match="no such model"):
        model_files(tmp_path / "m.onnx")


def test_the_tensor_has_one_picture_in_the_order_of_its_layout():
    assert InputRecipe(32, 64).shape == (1, 3, 32, 64)
    assert InputRecipe(32, 64, channels=1, layout="NHWC").shape == (1, 32, 64, 1)
