"""Versions: how they are numbered, when two are the same, and that nobody sees half of one."""

import hashlib
import threading
from pathlib import Path

import pytest

from edged.errors import CannotWrite
from edged.modelstore import StoredModel, find_at
from edged.modelstore.adding import find_same, next_version, publish
from edged.modelstore.staging import staging


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


def write(store: Path, *names: str) -> None:
    for name in names:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(f"content of {Path(name).name}")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add(store: Path, name: str, content: str = "x") -> StoredModel:
    with staging(store) as folder:
        version = folder / "version"
        version.mkdir()
        (version / "model.onnx").write_text(content)
        (version / "golden").mkdir()
        (version / "golden" / "a.jpg").write_text("picture")
        return publish(store, name, version)


def test_the_first_version_is_one_and_the_store_then_serves_it(store):
    stored = add(store, "m")
    assert stored == StoredModel(store / "m" / "1", 1)
    assert find_at(store / "m") == stored
    assert sorted(path.name for path in stored.path.rglob("*")) == ["a.jpg", "golden", "model.onnx"]
    assert [path.name for path in store.iterdir()] == ["m"]


def test_the_next_is_one_more_than_any_that_there_was(store):
    assert next_version(store, "m") == 1
    write(store, "m/2/model.onnx", "m/10/model.onnx", "m/.11/model.onnx", "m/v12/model.onnx", "m/notes.txt")
    assert next_version(store, "m") == 11
    write(store, "m/14.rejected.json", "m/13/readme.txt")
    assert next_version(store, "m") == 15
    assert add(store, "m") == StoredModel(store / "m" / "15", 15)


def test_a_single_file_is_version_one(store):
    write(store, "m.onnx")
    assert next_version(store, "m") == 2
    assert add(store, "m").version == 2


def test_many_at_once_get_a_number_each(store):
    versions: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: versions.append(add(store, "m", str(n)).version))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(versions) == list(range(1, 9))
    assert {(store / "m" / str(n) / "model.onnx").read_text() for n in range(1, 9)} == set("01234567")


def test_nobody_ever_sees_half_a_version(store):
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for version in store.glob("m/*"):
                seen.extend(name for name in ("golden/a.jpg", "model.onnx") if not (version / name).exists())
            if (store / "m").exists() and not list((store / "m").iterdir()):
                seen.append("empty")

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(15):
        add(store, "m", str(number))
    stop.set()
    thread.join(10)
    assert seen == []


def test_a_file_in_the_place_of_the_model_is_an_error_and_stays(store):
    write(store, "m")
    with pytest.raises(CannotWrite, match="m: cannot be written"):
        add(store, "m")
    assert (store / "m").read_text() == "content of m"
    assert [path.name for path in store.iterdir()] == ["m"]


def test_the_same_model_is_found_in_any_version_the_newest_first(store):
    write(store, "m/1/model.onnx", "m/2/model.onnx")
    (store / "m" / "3").mkdir()
    (store / "m" / "3" / "model.onnx").write_text("another")
    found = find_same(store, "m", digest("content of model.onnx"), {})
    assert found == StoredModel(store / "m" / "2", 2)
    assert find_same(store, "m", digest("unknown"), {}) is None
    assert find_same(store, "n", digest("another"), {}) is None


def test_what_comes_with_a_model_makes_another_version_of_it(store, tmp_path):
    write(store, "m/1/model.onnx", "m/1/model.toml")
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text("content of model.toml")
    other.write_text("something else")
    model = digest("content of model.onnx")
    assert find_same(store, "m", model, {"model.toml": same}) is not None
    assert find_same(store, "m", model, {"model.toml": other}) is None
    assert find_same(store, "m", model, {"labels.txt": b"cat\n"}) is None
    assert find_same(store, "m", model, {}) is not None, (
        "a model.toml that was put there by hand stays in force"
    )


def test_a_single_file_of_the_store_is_the_same_too(store):
    write(store, "m.onnx", "m.labels.txt")
    model = digest("content of m.onnx")
    assert find_same(store, "m", model, {"labels.txt": b"content of m.labels.txt"}) == StoredModel(
        store / "m.onnx", 1
    )
    assert find_same(store, "m", model, {"labels.txt": b"cat\n"}) is None
