"""`edged model add` and `edged model catalog`: exit codes, one-line errors, and what is in the store after."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_models
from commands import Done, environment, failed, process
from http_server import Request, Server
from mosquitto_broker import until

from edged.catalog import load_catalog

NOBODY = 65534


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def toy(tmp_path) -> Path:
    (tmp_path / "from").mkdir()
    return toy_models.light_detector(tmp_path / "from" / "toy.onnx")


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


def held(store: Path) -> list[str]:
    return sorted(child.name for child in store.iterdir())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_catalogue_is_listed_for_people_and_for_programs(edged):
    page, data = edged("model", "catalog"), edged("model", "catalog", "--json")
    assert (page.returncode, page.stderr, data.returncode, data.stderr) == (0, "", 0, "")
    listed: list[dict[str, Any]] = json.loads(data.stdout)
    assert [one["name"] for one in listed] == [entry.name for entry in load_catalog().model]
    for one in listed:
        for wanted in (one["name"], one["url"], one["licence"], f"{one['bytes']:,} bytes", one["sha256"]):
            assert wanted in page.stdout
        assert {"task", "family", "input", "labels", "tried", "digest"} <= set(one)
        assert f"  {one['name']} " in page.stdout


def test_an_address_is_fetched_stored_and_told(edged, server, toy, store):
    url = server.serve("/toy.onnx", toy.read_bytes())
    done = edged("model", "add", url, "--store", store, "--sha256", digest(toy))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"toy: is now version 1 in {store}" in done.stdout
    assert f"sha256:{digest(toy)}" in done.stdout
    assert 'models = ["toy"]' in done.stdout
    assert (store / "toy" / "1" / "model.onnx").read_bytes() == toy.read_bytes()
    assert held(store) == ["toy"]
    again = edged("model", "add", url, "--store", store, "--sha256", digest(toy))
    assert again.returncode == 0
    assert "toy: already is version 1" in again.stdout
    assert len(server.requests) == 1
    toy_models.toy_detector(toy)
    newer = edged("model", "add", toy, "--store", store)
    assert "toy: is now version 2" in newer.stdout
    (store / "toy" / "pinned").write_text("1\n")
    assert "edged serves version 1: " in edged("model", "add", toy, "--store", store).stdout
    (store / "toy" / "pinned").write_text("7\n")
    assert "names a version that is not there" in edged("model", "add", toy, "--store", store).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing-like-it"], 66, "nothing-like-it: is no file here and no name of the catalogue"),
        (["yolox-nanno"], 66, r"did you mean 'yolox-nano'\?"),
        (["from", "--name", "../up"], 2, "--name: is '../up'; allowed: a name of letters"),
        (["from", "--sha256", "12"], 2, "--sha256: is '12'"),
        (["from", "--sha256", "0" * 64], 65, "has the digest sha256:[0-9a-f]{64}, expected sha256:0{64}"),
        (["ftp://host/m.onnx"], 2, "scheme"),
        (["from", "-c", "none.toml"], 66, "none.toml: no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_added_is_one_line_and_stores_nothing(edged, toy, store, arguments, code, said):
    options = [] if "-c" in arguments else ["--store", store]
    failed(edged("model", "add", *arguments, *options), code, said)
    assert toy.exists()
    assert not store.exists() or held(store) == []


def test_what_a_server_does_wrong_is_one_line_and_stores_nothing(edged, server, toy, store, free_port):
    whole = toy.read_bytes()

    def cut(request: Request) -> None:
        request.head(200, Content_Length=str(len(whole)))
        request.wfile.write(whole[:100])

    server.answers["/cut.onnx"] = cut
    server.serve("/page.onnx", b"<!doctype html><title>Sign in</title>", Content_Type="text/html")
    server.serve("/pointer.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 99\n")
    server.serve("/toy.onnx", whole)
    server.serve("/loop.onnx", b"", 302, Location="/loop.onnx")
    server.serve("/secret.onnx", b"", 403)
    for path, code, said in [
        ("/none.onnx", 66, "answers 404"),
        ("/secret.onnx", 77, "answers 403"),
        ("/cut.onnx", 69, f"ended after 100 of {len(whole):,} bytes"),
        ("/loop.onnx", 69, "leads round and round"),
        ("/page.onnx", 65, "is a web page, not a model"),
        ("/pointer.onnx", 65, "is a Git LFS pointer, not the model"),
    ]:
        failed(edged("model", "add", server.url(path), "--store", store), code, said)
    wrong = ["--sha256", "0" * 64]
    failed(
        edged("model", "add", server.url("/toy.onnx"), "--store", store, *wrong), 65, "expected sha256:000"
    )
    failed(
        edged("model", "add", f"http://127.0.0.1:{free_port()}/m.onnx", "--store", store),
        69,
        "nothing listens",
    )
    assert held(store) == []


def test_an_entry_of_the_catalogue_is_asked_for_through_the_proxy_of_the_environment(edged, server, store):
    entry = load_catalog().model[0]
    done = edged("model", "add", entry.name, "--store", store, https_proxy=f"http://127.0.0.1:{server.port}")
    failed(done, 69, f"{re.escape(entry.url)}: .*proxy")
    assert held(store) == []


def test_the_store_is_that_of_the_configuration(edged, tmp_path, toy):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "edged.toml").write_text('[store]\npath = "models"\n')
    assert edged("model", "add", toy, "-c", "box/edged.toml").returncode == 0
    assert (tmp_path / "box" / "models" / "toy" / "1" / "model.onnx").exists()
    assert edged("model", "add", toy, "--name", "a", EDGED_CONFIG="box/edged.toml").returncode == 0
    assert (tmp_path / "box" / "models" / "a" / "1").exists()
    assert edged("model", "add", toy, EDGED_STORE__PATH=str(tmp_path / "env")).returncode == 0
    assert (tmp_path / "env" / "toy" / "1").exists()
    (tmp_path / "edged.toml").write_text("[stor]\n")
    failed(edged("model", "add", toy), 78, "did you mean 'store'")


def test_a_store_that_cannot_be_written_is_told_apart_from_one_that_may_not_be(edged, tmp_path, toy, store):
    store.write_text("a file")
    failed(edged("model", "add", toy, "--store", store), 74, "store: cannot be written")
    store.unlink()
    store.mkdir(mode=0o555)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "test_")):
            folder.chmod(0o755)  # pytest makes them for one user alone
    # The interpreter may lie where others may not read: what is needed is read before the user is another.
    ready = "import edged.logs, edged.cli.model, edged.intake, edged.inference.precheck; edged.catalog.load_catalog()"
    become = f"import os; os.geteuid() or os.setuid({NOBODY})"
    done = process("model", "add", toy, "--store", store, before=f"{ready}\n{become}")
    failed(done, 77, "may not be written by this user")


def test_a_broken_disk_leaves_nothing_behind(toy, store):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    done = process("model", "add", toy, "--store", store, before=limit)
    failed(done, 74, r"store: cannot be written \(File too large\)")
    assert held(store) == []


class Slow:
    """`edged model add` in the middle of a download that does not end."""

    def __init__(self, server: Server, store: Path) -> None:
        server.answers["/slow.onnx"] = self._drip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edged", "model", "add", server.url("/slow.onnx"), "--store", str(store)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert until(lambda: any(store.glob(".adding-*/file")), 60), self.process.poll()

    def _drip(self, request: Request) -> None:
        request.head(200, Content_Length="1000000")
        request.drip(bytes(1_000_000))

    def end(self, number: signal.Signals) -> Done:
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return Done([], self.process.returncode, output, errors)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_and_leaves_nothing_behind(server, store, number, code):
    done = Slow(server, store).end(number)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert held(store) == []


def test_a_kill_leaves_a_folder_that_is_no_model_and_that_the_next_one_clears(edged, server, toy, store):
    shutil.copytree(toy.parent, store / "toy" / "1")
    slow = Slow(server, store)
    other = edged("model", "add", toy, "--store", store, "--name", "meanwhile")
    assert other.returncode == 0, other.stderr
    assert list(store.glob(".adding-*/file")), "what a living process makes is left alone"
    assert slow.end(signal.SIGKILL).returncode == -signal.SIGKILL
    assert list(store.glob(".adding-*/file"))
    (store / "edged.toml").write_text('[store]\npath = "."\n[cameras.a]\nurl = "a.mp4"\nmodels = ["half"]\n')
    ran = process("run", "-c", store / "edged.toml")
    assert ran.returncode != 0
    assert "models.half: is not in the store" in ran.stderr
    assert ".adding-" not in ran.stderr
    assert edged("model", "add", toy, "--store", store).returncode == 0
    assert held(store) == ["edged.toml", "meanwhile", "toy"]


@pytest.mark.assets
@pytest.mark.parametrize(
    "entry", [entry for entry in load_catalog().model if entry.tried], ids=lambda e: e.name
)
def test_an_entry_that_was_tried_is_what_the_catalogue_says_once_it_is_added(edged, assets, store, entry):
    sources = json.loads((assets / "sources.json").read_text(encoding="utf-8"))
    (source,) = (assets / one["file"] for one in sources if one["sha256"] == entry.sha256)
    (store.parent / "copy").mkdir()
    shutil.copy(source, store.parent / "copy" / "model.onnx")
    if entry.labels_txt:
        (store.parent / "copy" / "labels.txt").write_bytes(entry.labels_txt)
    added = edged("model", "add", "copy", "--name", entry.name, "--store", store, "--sha256", entry.sha256)
    assert added.returncode == 0, added.stderr
    assert "already is version 1" in edged("model", "add", entry.name, "--store", store).stdout
    shown = edged("model", "inspect", store / entry.name / "1", "--json")
    assert shown.returncode == 0, shown.stderr
    model = json.loads(shown.stdout)
    assert (model["family"], model["digest"]) == (entry.family, f"sha256:{entry.sha256}")
    assert (model["input"]["height"], model["input"]["width"]) == entry.input
    assert len(model["labels"]) == 80 if entry.labels == "coco-80" else tuple(model["labels"]) == entry.labels
