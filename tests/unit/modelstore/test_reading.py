import pytest

from edged.errors import ConfigurationError, InputNotFound
from edged.modelstore import StoredModel, find_at
from edged.modelstore.reading import not_in_store


@pytest.fixture
def store(tmp_path):
    """A store with the given files, each with something in it."""

    def make(*names: str):
        for name in names:
            path = tmp_path / "store" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        return tmp_path / "store"

    return make


def test_the_greatest_version_counts_as_a_number_is_served(store):
    folder = store("m/2/model.onnx", "m/10/model.onnx", "m/9/model.onnx")
    assert find_at(folder / "m") == StoredModel(folder / "m" / "10", 10)


def test_a_pinned_version_is_served_instead(store):
    folder = store("m/1/model.onnx", "m/2/model.onnx")
    (folder / "m" / "pinned").write_text("1\n")
    assert find_at(folder / "m") == StoredModel(folder / "m" / "1", 1)


def test_a_pinned_version_that_is_not_there_is_an_error_that_lists_those_that_are(store):
    folder = store("m/1/model.onnx", "m/3/model.onnx")
    (folder / "m" / "pinned").write_text("2")
    with pytest.raises(ConfigurationError, match=r"pinned: names version 2.*\[1, 3\]"):
        find_at(folder / "m")


@pytest.mark.parametrize("text", ["", "latest", "-1", "9" * 5000])
def test_a_pin_that_is_no_number_pins_nothing(store, text):
    folder = store("m/1/model.onnx", "m/2/model.onnx")
    (folder / "m" / "pinned").write_text(text)
    assert find_at(folder / "m").version == 2


def test_staging_folders_and_what_is_no_version_are_not_looked_at(store):
    folder = store(
        "m/1/model.onnx",
        "m/.2/model.onnx",
        "m/3/readme.txt",
        "m/4.rejected.json",
        "m/v5/model.onnx",
        "m/0/a.onnx",
        "m/02/model.onnx",
        "m/7/.model.onnx",
    )
    assert find_at(folder / "m").version == 1


def test_a_single_file_is_version_one(store):
    folder = store("m.onnx")
    assert find_at(folder / "m.onnx") == StoredModel(folder / "m.onnx", 1)


def test_a_model_that_is_not_in_the_store_names_the_nearest_one(store):
    folder = store("vehicles/1/model.onnx", "people.onnx", ".staging/1/model.onnx")
    with pytest.raises(
        ConfigurationError, match=r"models\.vehicle: is not in the store .*did you mean 'vehicles'\?"
    ):
        raise not_in_store(folder, "vehicle")


def test_a_store_that_is_not_there_holds_nothing_and_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match=r"models\.m\.path"):
        raise not_in_store(tmp_path / "nowhere", "m")


def test_a_path_may_name_a_file_a_version_or_a_folder_of_versions(store):
    folder = store("m/7/model.onnx", "plain/model.onnx")
    assert find_at(folder / "m" / "7" / "model.onnx").version == 1
    assert find_at(folder / "m" / "7") == StoredModel(folder / "m" / "7", 7)
    assert find_at(folder / "m") == StoredModel(folder / "m" / "7", 7)
    assert find_at(folder / "plain") == StoredModel(folder / "plain", 1)


def test_a_path_with_nothing_there_is_not_found(tmp_path):
    with pytest.raises(InputNotFound, match="no such model"):
        find_at(tmp_path / "m.onnx")
