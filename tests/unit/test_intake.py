"""From what a user names to a version in the store, with a download that needs no network."""

import hashlib
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import toy_models

from edged.catalog import Catalog
from edged.download import Bounds, Fetched, Progress
from edged.errors import BadInput, EdgedError, InputNotFound, ModelRejected, Unreachable, UsageError
from edged.inference.precheck import precheck
from edged.intake import Added, Wanted, add_model, understand
from edged.modelstore import find_at

COMMIT = "a" * 40
URL = f"https://example.org/{COMMIT}/toy.onnx"


class FakeDownload:
    """A `Download` from memory. Raises what is given for an address, gives its bytes otherwise.

    Attributes:
        asked: Addresses and bounds, in order.
    """

    def __init__(self) -> None:
        self.content: dict[str, bytes | EdgedError] = {}
        self.asked: list[tuple[str, Bounds]] = []

    def __call__(self, url: str, target: Path, *, bounds: Bounds, progress: Progress) -> Fetched:
        self.asked.append((url, bounds))
        content = self.content[url]
        if isinstance(content, EdgedError):
            target.write_bytes(b"half")
            raise content
        target.write_bytes(content)
        progress(len(content), len(content))
        return Fetched(hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def toy(tmp_path) -> Path:
    (tmp_path / "from").mkdir()
    return toy_models.light_detector(tmp_path / "from" / "toy.onnx")


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def download() -> FakeDownload:
    return FakeDownload()


@pytest.fixture
def catalog(toy) -> Catalog:
    """One model that needs labels, one that does not."""
    entry = {
        "about": "a toy",
        "task": "detect",
        "family": "yolov8",
        "licence": "MIT",
        "publisher": "https://example.org/toys",
        "bytes": toy.stat().st_size,
        "sha256": digest(toy),
        "digest": {"repository": "a/b", "path": "toy.onnx", "commit": COMMIT, "says": "file"},
    }
    return Catalog.model_validate(
        {
            "model": [
                entry | {"name": "toy-one", "labels": "coco-80", "url": URL},
                entry | {"name": "toy-two", "labels": ["cat", "dog"], "url": URL},
            ]
        }
    )


@pytest.fixture
def add(catalog, store, download):
    def run(source: object, **options: str) -> Added:
        wanted = understand(str(source), catalog=catalog, **options)
        before = set(store.rglob("*")) if store.exists() else set()
        try:
            return add_model(
                wanted, store, download=download, check=precheck, progress=lambda _count, _total: None
            )
        except EdgedError:
            assert set(store.rglob("*")) == before, "an error leaves the store as it was"
            raise
        finally:
            assert not [child for child in store.iterdir() if child.name.startswith(".")]

    return run


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_file_becomes_the_first_version_and_then_the_next(add, toy, store):
    added = add(toy)
    assert (added.new, added.stored.version, added.served) == (True, 1, 1)
    assert (added.digest, added.size_bytes) == (digest(toy), toy.stat().st_size)
    assert files(store) == {"toy/1/model.onnx": toy.read_bytes()}
    toy_models.toy_detector(toy)
    assert add(toy).stored.version == 2
    assert find_at(store / "toy").version == 2
    assert toy.exists(), "what the user has stays"


def test_the_same_again_stores_nothing_and_says_where_it_is(add, toy, store):
    add(toy)
    toy_models.toy_detector(toy)
    add(toy)
    before = files(store)
    again = add(toy)
    assert (again.new, again.stored.version, again.served) == (False, 2, 2)
    toy_models.light_detector(toy)
    older = add(toy)
    assert (older.new, older.stored.version, older.served) == (False, 1, 2)
    (store / "toy" / "pinned").write_text("1")
    assert add(toy).served == 1
    assert {name: content for name, content in files(store).items() if "pinned" not in name} == before


def test_what_belongs_to_a_model_comes_with_it_and_makes_another_version(add, toy, store):
    add(toy)
    (toy.parent / "toy.toml").write_text('family = "yolov8"\n')
    (toy.parent / "labels.txt").write_text("cat\ndog\n")
    (toy.parent / "golden").mkdir()
    (toy.parent / "golden" / "a.jpg").write_bytes(b"picture")
    assert add(toy).stored.version == 2
    assert add(toy).new is False
    found = files(store / "toy" / "2")
    assert found.pop("model.onnx") == toy.read_bytes()
    assert found == {
        "model.toml": b'family = "yolov8"\n',
        "labels.txt": b"cat\ndog\n",
        "golden/a.jpg": b"picture",
    }


def test_a_folder_is_added_by_its_one_model_wherever_that_lies(add, toy, store, tmp_path):
    (tmp_path / "bus stop" / "deep").mkdir(parents=True)
    toy.rename(tmp_path / "bus stop" / "deep" / "model.onnx")
    (tmp_path / "bus stop" / "deep" / "labels.txt").write_text("cat\ndog\n")
    assert add(tmp_path / "bus stop").stored.path == store / "bus_stop" / "1"
    assert set(files(store / "bus_stop" / "1")) == {"model.onnx", "labels.txt"}


def test_several_models_in_a_folder_are_listed(add, toy):
    toy_models.toy_detector(toy.parent / "other.onnx")
    with pytest.raises(ModelRejected, match=r"holds 2 models \(other.onnx, toy.onnx\); add the one you want"):
        add(toy.parent)


@pytest.mark.parametrize("packing", ["zip", "tar.gz"])
def test_an_archive_is_added_with_what_belongs_to_its_model(add, toy, store, tmp_path, packing):
    (toy.parent / "labels.txt").write_text("cat\ndog\n")
    archive = tmp_path / f"vehicles.{packing}"
    if packing == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name in ("toy.onnx", "labels.txt"):
                packed.write(toy.parent / name, f"export/{name}")
    else:
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(toy.parent, "export")
    assert add(archive, sha256=digest(archive)).stored.path == store / "vehicles" / "1"
    assert files(store / "vehicles" / "1") == {
        "model.onnx": toy.read_bytes(),
        "labels.txt": b"cat\ndog\n",
    }
    with pytest.raises(BadInput, match=r"has the digest sha256:.* expected sha256:0000"):
        add(archive, name="other", sha256="0" * 64)


def test_a_name_of_the_catalogue_is_fetched_checked_and_given_its_labels(add, toy, store, download):
    download.content[URL] = toy.read_bytes()
    assert add("toy-one").stored.path == store / "toy-one" / "1"
    assert set(files(store / "toy-one" / "1")) == {"model.onnx"}
    assert add("toy-two").stored.path == store / "toy-two" / "1"
    assert files(store / "toy-two" / "1")["labels.txt"] == b"cat\ndog\n"
    url, bounds = download.asked[0]
    assert (url, bounds.max_bytes, bounds.expected_bytes) == (URL, toy.stat().st_size, toy.stat().st_size)
    download.content.clear()
    assert add("toy-two").new is False, "what is here is not fetched again"


def test_an_address_is_added_under_its_last_part(add, toy, store, download):
    download.content["http://host/models/bus%20stop.onnx?token=1"] = toy.read_bytes()
    assert add("http://host/models/bus%20stop.onnx?token=1").stored.path == store / "bus_stop" / "1"
    assert add("http://host/models/bus%20stop.onnx?token=1", sha256=digest(toy).upper()).new is False
    assert len(download.asked) == 1


def test_a_wrong_digest_stores_nothing_and_names_both(add, toy, download):
    download.content[URL] = toy.read_bytes() + b"\x00"
    for source, options in (("toy-one", {}), (toy, {"sha256": "sha256:" + "0" * 64})):
        with pytest.raises(
            BadInput, match=r"has the digest sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}"
        ):
            add(source, **options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "is a web page, not a model"),
        (b"\n  <HTML>", "is a web page, not a model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "is a Git LFS pointer"),
        (b'{"error": "not found, and some more text"}', "toy.onnx: is not a"),
        (b"", "only 0 bytes long"),
        (b"\x00" * 100, "toy.onnx: is not a"),
    ],
)
def test_what_is_no_model_is_called_what_it_is_wherever_it_came_from(add, toy, download, content, said):
    toy.write_bytes(content)
    download.content["https://host/toy.onnx"] = content
    for source in (toy, "https://host/toy.onnx"):
        with pytest.raises(ModelRejected, match=said) as caught:
            add(source, name="x")
        assert ".adding" not in str(caught.value)
        assert str(source) in str(caught.value)


def test_a_model_that_no_runtime_should_be_shown_is_not_stored(add, toy):
    toy_models.with_external_data(toy, "../../secret")
    with pytest.raises(ModelRejected, match="keeps weights outside its folder"):
        add(toy)
    toy_models.with_context_node(toy)
    with pytest.raises(ModelRejected, match="EPContext"):
        add(toy)
    toy.write_bytes(toy_models.toy_detector(toy).read_bytes()[:-100])
    with pytest.raises(ModelRejected, match="is not a whole ONNX model"):
        add(toy)


def test_weights_in_a_file_of_their_own_come_with_the_model_or_are_missed(add, toy, store, download):
    toy_models.with_external_data(toy, "toy.data")
    with pytest.raises(InputNotFound, match=r"keeps weights in 'toy.data', which did not come with it"):
        add(toy)
    download.content[URL] = toy.read_bytes()
    with pytest.raises(ModelRejected, match=r"keeps its weights in other files .*add a folder or an archive"):
        add(URL)
    (toy.parent / "toy.data").write_bytes(b"weights")
    add(toy)
    assert files(store / "toy" / "1")["toy.data"] == b"weights"
    (toy.parent / "toy.data").write_bytes(b"others")
    assert add(toy).stored.version == 2


def test_a_model_toml_that_is_wrong_is_told_before_it_is_stored(add, toy):
    (toy.parent / "model.toml").write_text("famly = 'yolox'")
    with pytest.raises(
        ModelRejected, match=r"toy.onnx: model.toml: unknown key 'famly'; did you mean 'family'"
    ):
        add(toy)
    (toy.parent / "model.toml").unlink()
    (toy.parent / "labels.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelRejected, match=r"labels.txt: is not UTF-8 text"):
        add(toy)


def test_a_failed_or_interrupted_download_leaves_nothing(catalog, store, download):
    wanted = understand(URL, catalog=catalog)
    download.content[URL] = Unreachable(URL, "the connection broke")
    with pytest.raises(Unreachable):
        add_model(wanted, store, download=download, check=precheck, progress=lambda _count, _total: None)

    def interrupted(_url: str, target: Path, **_: object) -> Fetched:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_model(wanted, store, download=interrupted, check=precheck, progress=lambda _count, _total: None)
    assert list(store.iterdir()) == []


def test_a_pipe_is_not_waited_for(catalog, store, tmp_path, download):
    os.mkfifo(tmp_path / "m.onnx")
    wanted = understand(str(tmp_path / "m.onnx"), catalog=catalog)
    with pytest.raises(ModelRejected, match="is no file"):
        add_model(wanted, store, download=download, check=precheck, progress=lambda _count, _total: None)


def name_of(source: str, catalog: Catalog) -> Wanted:
    return understand(source, catalog=catalog)


def test_a_name_is_what_tells_a_model_from_others(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vehicles" / "3").mkdir(parents=True)
    for name in (
        "vehicles/3/model.onnx",
        "yolo v8 (1).onnx",
        "a.tar.gz",
        "UPPER.ONNX",
        "_x.onnx",
        "äpfel.onnx",
    ):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.onnx").symlink_to(tmp_path / "a.tar.gz")
    monkeypatch.chdir(tmp_path / "vehicles")
    expected = {
        "3/model.onnx": "vehicles",
        "3": "vehicles",
        ".": "vehicles",
        "../vehicles/": "vehicles",
        "../yolo v8 (1).onnx": "yolo_v8__1_",
        "../a.tar.gz": "a",
        "../UPPER.ONNX": "UPPER",
        "../_x.onnx": "x",
        "../äpfel.onnx": "pfel",
        "../link.onnx": "link",
        "https://host/a/yolo11n.onnx?download=1": "yolo11n",
        "https://host/a/model.tar.xz": "",
    }
    for source, name in expected.items():
        if name:
            assert name_of(source, catalog).name == name, source
        else:
            with pytest.raises(UsageError, match="has no name to call it by; say --name"):
                name_of(source, catalog)
    assert understand("3", catalog=catalog, name="front-door.v2").name == "front-door.v2"


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "-x", "", "x" * 65, "ä"])
def test_a_name_that_is_no_folder_or_topic_is_wrong_usage(catalog, toy, name):
    if name:
        with pytest.raises(UsageError, match=r"--name: is .*allowed: a name of letters"):
            understand(str(toy), catalog=catalog, name=name)
    else:
        assert understand(str(toy), catalog=catalog, name=name).name == "toy"


def test_what_cannot_be_understood_says_so_without_asking_anybody(catalog, tmp_path, monkeypatch):
    with pytest.raises(
        InputNotFound, match=r"toy-on: is no file here and no name .*did you mean 'toy-one'\?"
    ):
        understand("toy-on", catalog=catalog)
    with pytest.raises(InputNotFound, match="`edged model catalog` lists the names"):
        understand("/no/such/file.onnx", catalog=catalog)
    with pytest.raises(UsageError, match=r"has a scheme \(ftp\)"):
        understand("ftp://host/m.onnx", catalog=catalog)
    with pytest.raises(UsageError, match="--sha256: is 'abc'; write the 64 hexadecimal digits"):
        understand("toy-one", catalog=catalog, sha256="abc")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy-one").mkdir()
    with pytest.raises(UsageError, match=r"is a file or folder here and a name .*write ./toy-one"):
        understand("toy-one", catalog=catalog)
    assert understand("./toy-one", catalog=catalog).entry is None


def test_a_password_in_an_address_is_not_shown(catalog):
    wanted = understand("https://joe:secret@host/m.onnx", catalog=catalog)
    assert "secret" not in wanted.shown
    assert "secret" in wanted.source
