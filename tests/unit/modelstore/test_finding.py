"""Which of many files is the model, and what belongs to it."""

from pathlib import Path, PurePosixPath

import pytest

from edged.errors import InputNotFound, ModelRejected
from edged.modelstore import finding
from edged.modelstore.finding import belongings, model_in, only_model, weights


def names(*texts: str) -> list[PurePosixPath]:
    return [PurePosixPath(text) for text in texts]


@pytest.fixture
def folder(tmp_path):
    def make(*files: str) -> Path:
        for file in files:
            (tmp_path / "m" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "m" / file).write_text("x")
        return tmp_path / "m"

    return make


@pytest.mark.parametrize(
    ("files", "model"),
    [
        (["yolo.onnx"], "yolo.onnx"),
        (["readme.txt", "deep/er/yolo.onnx"], "deep/er/yolo.onnx"),
        (["model.onnx", "encoder.onnx"], "model.onnx"),
        (["a/model.onnx", "b/encoder.onnx"], "a/model.onnx"),
        (["yolo.onnx", "__MACOSX/._yolo.onnx", ".cache/old.onnx", "._yolo.onnx"], "yolo.onnx"),
    ],
)
def test_the_one_model_is_found(files, model):
    assert only_model(names(*files), "m.zip") == PurePosixPath(model)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "m.zip: holds no .onnx file"),
        (["yolo.pt", "yolo.ONNX.txt"], "m.zip: holds no .onnx file"),
        (["b.onnx", "a.onnx"], r"holds 2 models \(a.onnx, b.onnx\)"),
        (["a/model.onnx", "b/model.onnx", "c.onnx"], r"holds 2 models \(a/model.onnx, b/model.onnx\)"),
        ([f"{n}.onnx" for n in range(8)], "holds 8 models .* and 3 more"),
    ],
)
def test_none_or_several_are_an_error_that_lists_them(files, said):
    with pytest.raises(ModelRejected, match=said):
        only_model(names(*files), "m.zip")


def test_a_folder_is_looked_through_without_entering_links(folder, tmp_path):
    made = folder("deep/yolo.onnx", "readme.txt", ".git/other.onnx")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.onnx").write_text("x")
    (made / "link").symlink_to(tmp_path / "elsewhere")
    assert model_in(made, "m") == made / "deep" / "yolo.onnx"


def test_a_folder_with_too_much_in_it_is_not_searched_for_ever(folder, monkeypatch):
    monkeypatch.setattr(finding, "MAX_FILES", 3)
    made = folder("a", "b", "c", "d", "m.onnx")
    with pytest.raises(ModelRejected, match="holds more than 3 files"):
        model_in(made, "m")


def test_what_belongs_to_a_model_is_called_as_the_store_calls_it(folder):
    made = folder(
        "yolo.onnx", "yolo.toml", "yolo.labels.txt", "golden/deep/a.jpg", "golden/.DS_Store", "readme"
    )
    assert belongings(made / "yolo.onnx", "m") == {
        "model.toml": made / "yolo.toml",
        "labels.txt": made / "yolo.labels.txt",
        "golden/deep/a.jpg": made / "golden" / "deep" / "a.jpg",
    }


def test_what_is_beside_several_models_belongs_to_none_of_them(folder):
    made = folder("a.onnx", "b.onnx", "model.toml", "labels.txt", "golden/a.jpg", "b.toml")
    assert belongings(made / "a.onnx", "m") == {}
    assert belongings(made / "b.onnx", "m") == {"model.toml": made / "b.toml"}


def test_golden_files_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(finding, "MAX_GOLDEN_FILES", 2)
    made = folder("model.onnx", "golden/1", "golden/2", "golden/3")
    with pytest.raises(ModelRejected, match="more than 2 golden files"):
        belongings(made / "model.onnx", "m")


def test_files_of_weights_keep_their_names(folder):
    made = folder("m.onnx", "m.onnx.data", "parts/1.bin")
    assert weights(made, ["m.onnx.data", "./parts/1.bin"], "m") == {
        "m.onnx.data": made / "m.onnx.data",
        "parts/1.bin": made / "parts" / "1.bin",
    }


def test_weights_that_are_missing_or_are_something_else_are_told(folder):
    made = folder("m.onnx", "model.onnx", "golden/w.bin")
    with pytest.raises(InputNotFound, match=r"m: keeps weights in 'm.data', which did not come with it"):
        weights(made, ["m.data"], "m")
    for name in ("model.onnx", "./model.toml", "golden/w.bin"):
        with pytest.raises(ModelRejected, match="which is something else"):
            weights(made, [name], "m")
