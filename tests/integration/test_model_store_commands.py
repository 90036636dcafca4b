"""`edged model list`, `activate`, `rollback`, `remove`: exit codes, one-line errors, and what is in the store after."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import toy_models
from clips import solid_frame, write_clip
from commands import Done, failed, process
from daemons import Daemon, write_config
from mosquitto_broker import Listener

from edged.modelstore.pins import read_pin, write_pin
from edged.modelstore.records import Rejection, Service, write_rejection, write_service
from edged.modelstore.survey import content_digest

NOBODY = 65534
COMMANDS = [["list"], ["activate", "m", "1"], ["rollback", "m"], ["remove", "m", "1"]]


@pytest.fixture
def edged(edged: Callable[..., Done]) -> Callable[..., Done]:
    """Commands of `edged model`."""
    return partial(edged, "model")


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


def put(folder: Path, *versions: int) -> Path:
    """Versions that no two have the same bytes; what is in them does not matter to these commands."""
    for version in versions:
        (folder / str(version)).mkdir(parents=True)
        (folder / str(version) / "model.onnx").write_bytes(f"{folder.name} {version}".encode())
    return folder


def serve(folder: Path, version: int, previous: int | None = None) -> None:
    write_service(folder, Service(version=version, digest="sha256:ab", previous=previous))


def reject(folder: Path, version: int, reason: str = "too slow") -> None:
    write_rejection(
        folder,
        Rejection(
            version=version,
            content=content_digest(folder / str(version)),
            step="warm-up",
            reason=reason,
            at="2026-11-22T15:00:00Z",
        ),
    )


def versions_in(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir() if child.name != ".served.json")


def listed(done: Done) -> dict[str, dict[str, Any]]:
    assert (done.returncode, done.stderr) == (0, "")
    return {model["name"]: model for model in json.loads(done.stdout)}


def said(done: Done, *words: str) -> str:
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for word in words:
        assert word in done.stdout, done.stdout
    return done.stdout


# list


def test_a_store_is_listed_for_programs_with_what_is_known_of_each_version(edged, store):
    folder = put(store / "vehicles", 1, 2, 3, 10)
    put(store / "animals", 1)
    put(store / ".adding-1234", 1)
    (folder / "2" / "labels.txt").write_text("car\n")
    serve(folder, 3, previous=2)
    write_pin(folder, 3)
    reject(folder, 10)
    models = listed(edged("list", "--store", store, "--json"))
    assert list(models) == ["animals", "vehicles"]
    assert models["animals"]["pinned"] is None
    assert models["vehicles"]["pinned"] == 3
    ten, three, two, one = models["vehicles"]["versions"]
    assert [each["version"] for each in (ten, three, two, one)] == [10, 3, 2, 1]
    why = {"step": "warm-up", "reason": "too slow", "at": "2026-11-22T15:00:00Z"}
    plain = {"served": False, "previous": False, "pinned": False, "rejected": None}
    marks = {key: three[key] for key in plain}
    assert marks == plain | {"served": True, "pinned": True}
    assert {key: two[key] for key in plain} == plain | {"previous": True}
    assert {key: one[key] for key in plain} == plain
    assert {key: ten[key] for key in plain} == plain | {"rejected": why}
    onnx = folder / "2" / "model.onnx"
    assert two["path"] == str(folder / "2")
    assert two["digest"] == f"sha256:{hashlib.sha256(onnx.read_bytes()).hexdigest()}"
    assert two["bytes"] == onnx.stat().st_size + len("car\n")


def test_a_store_is_listed_for_people_a_line_a_version(edged, store):
    folder = put(store / "vehicles", 1, 2, 3, 4)
    put(store / "animals", 1)
    serve(folder, 3, previous=2)
    write_pin(folder, 3)
    reject(folder, 4, "\x1b[31mtakes\n12 ms")
    digest = hashlib.sha256(b"vehicles 4").hexdigest()[:12]
    lines = said(edged("list", "--store", store)).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "version", "bytes", "sha256", "is"],
        ["animals", "1", "9", hashlib.sha256(b"animals 1").hexdigest()[:12], "newest"],
        ["vehicles", "4", "10", digest, "newest,", "rejected", "at", "warm-up:", "·[31mtakes", "12", "ms"],
        ["3", "10", hashlib.sha256(b"vehicles 3").hexdigest()[:12], "served,", "pinned"],
        ["2", "10", hashlib.sha256(b"vehicles 2").hexdigest()[:12], "previous"],
        ["1", "10", hashlib.sha256(b"vehicles 1").hexdigest()[:12]],
    ]


def test_folders_that_look_like_versions_and_are_none_are_named_beside_the_list(edged, store):
    folder = put(store / "m", 1)
    put(folder, 2)
    (folder / "2").rename(folder / "v2")
    done = edged("list", "--store", store)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    rule = "call it a number of at most 9 digits that does not begin with 0"
    assert done.stderr == f"{folder / 'v2'}: is ignored: its name is not that of a version: {rule}\n"
    assert json.loads(edged("list", "--store", store, "--json").stdout)[0]["name"] == "m"


def test_a_rejection_of_other_bytes_than_those_there_now_is_none(edged, store):
    folder = put(store / "m", 1)
    reject(folder, 1)
    (folder / "1" / "model.onnx").write_text("mended")
    assert listed(edged("list", "--store", store, "--json"))["m"]["versions"][0]["rejected"] is None


def test_a_single_file_is_listed_with_the_versions_that_were_kept_of_it(edged, store):
    put(store / ".kept" / "m", 1, 2)
    (store / "m.onnx").write_bytes(b"m 2")
    (store / "n.onnx").write_bytes(b"never served")
    serve(store / ".kept" / "m", 2, previous=1)
    models = listed(edged("list", "--store", store, "--json"))
    assert [one["version"] for one in models["m"]["versions"]] == [2, 1]
    assert models["m"]["versions"][0]["served"]
    assert [one["path"] for one in models["n"]["versions"]] == [str(store / "n.onnx")]
    (store / "m.onnx").write_bytes(b"replaced")
    newest, *_ = listed(edged("list", "--store", store, "--json"))["m"]["versions"]
    assert (newest["version"], newest["path"]) == (3, str(store / "m.onnx"))


def test_what_was_kept_of_a_single_file_elsewhere_is_listed(edged, store):
    put(store / ".kept" / "m", 1, 2)
    assert [one["version"] for one in listed(edged("list", "--store", store, "--json"))["m"]["versions"]] == [
        2,
        1,
    ]


def test_what_cannot_be_read_is_listed_as_far_as_it_can_be(edged, store):
    folder = put(store / "m", 1)
    (folder / "2").mkdir()
    (folder / "2" / "model.onnx").symlink_to("nowhere")
    (folder / "3").mkdir()
    os.mkfifo(folder / "3" / "model.onnx")
    (folder / ".served.json").write_text("{")
    (folder / "1.rejected.json").write_text("[]")
    (folder / "pinned").write_text("9\n")
    (store / "empty").mkdir()
    (store / "notes.txt").write_text("no model")
    (store / "lost+found").mkdir()
    models = listed(edged("list", "--store", store, "--json"))
    assert {name: [one["version"] for one in model["versions"]] for name, model in models.items()} == {
        "empty": [],
        "m": [3, 2, 1],
    }
    assert [version["digest"] for version in models["m"]["versions"][:2]] == ["", ""]
    assert models["m"]["pinned"] == 9
    page = said(edged("list", "--store", store), "unreadable", "no version")
    assert re.search(r"^m +9 +pinned, but not there$", page, re.MULTILINE)


def test_an_empty_store_is_said_to_be_and_a_missing_one_is_an_error(edged, store):
    store.mkdir()
    said(edged("list", "--store", store), f"{store} holds no models", f"edged model add SRC --store {store}")
    assert edged("list", "--store", store, "--json").stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_that_is_not_there_or_no_folder_is_one_line(edged, store, command):
    failed(edged(*command, "--store", store), 66, f"{store}: no such store; .*--store")
    store.write_text("a file")
    failed(edged(*command, "--store", store), 65, "cannot be read")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_store_is_that_of_the_configuration(edged, tmp_path, command):
    put(tmp_path / "box" / "models" / "m", 1, 2)
    (tmp_path / "box" / "edged.toml").write_text('[store]\npath = "models"\n')
    said(edged(*command, "-c", "box/edged.toml"), "m")
    failed(edged(*command, "-c", "none.toml"), 66, "none.toml: no such file")
    put(tmp_path / "env" / "m", 1, 2)
    said(edged(*command, EDGED_STORE__PATH=str(tmp_path / "env")), "m")


# activate


def test_an_activated_version_is_pinned_until_the_newest_is_wanted_again(edged, store):
    folder = put(store / "m", 1, 2, 3)
    serve(folder, 3)
    said(
        edged("activate", "m", 1, "--store", store),
        f"m: version 1 is pinned in {folder}",
        "nothing was pinned",
        "an edged that runs tries it now",
        "edged model activate m newest",
    )
    assert (folder / "pinned").read_text() == "1\n"
    said(edged("activate", "m", 3, "--store", store), "version 1 was pinned", "served last", "activate m 1")
    assert read_pin(folder) == 3
    assert "undo" not in said(edged("activate", "m", 3, "--store", store), "version 3 stays pinned")
    said(edged("activate", "m", "newest", "--store", store), "version 3 is not pinned any more")
    assert not (folder / "pinned").exists()
    said(edged("activate", "m", "newest", "--store", store), "nothing was pinned", "version 3, the newest")


def test_a_rejection_is_lifted_of_what_a_person_wants_tried_again_and_of_nothing_else(edged, store):
    folder = put(store / "m", 1, 2, 3)
    reject(folder, 2)
    reject(folder, 3)
    said(edged("activate", "m", 2, "--store", store), "it was rejected at warm-up: too slow")
    assert versions_in(folder) == ["1", "2", "3", "3.rejected.json", "pinned"]
    page = said(edged("activate", "m", "newest", "--store", store), "the newest, was rejected at warm-up")
    assert "`edged model activate m 3` has it tried again" in page
    assert versions_in(folder) == ["1", "2", "3", "3.rejected.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["activate", "vehicles", "7"], 66, "vehicles: has no version 7 in .*; there are 2, 1$"),
        (["activate", "vehicle", "1"], 66, "vehicle: is not in the store .*did you mean 'vehicles'"),
        (["activate", "xyz", "1"], 66, "xyz: is not in the store .*there are animals, vehicles"),
        (["activate", "../store/vehicles", "1"], 66, "is not in the store"),
        (["activate", ".kept", "1"], 66, "is not in the store"),
        (
            ["activate", "vehicles", "latest"],
            2,
            "VERSION: is 'latest'; allowed: a number from 1 on, or newest",
        ),
        (["activate", "vehicles", "0"], 2, "VERSION: is '0'"),
        (["rollback", "xyz"], 66, "xyz: is not in the store"),
        (["remove", "vehicles", "7"], 66, "vehicles: has no version 7"),
        (["remove", "xyz", "1"], 66, "xyz: is not in the store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_there_is_one_line_that_names_what_is(edged, store, arguments, code, line):
    put(store / "vehicles", 1, 2)
    put(store / "animals", 1)
    failed(edged(*arguments, "--store", store), code, line)
    assert versions_in(store / "vehicles") == ["1", "2"]


def test_of_a_single_file_a_kept_version_is_activated(edged, store):
    kept = put(store / ".kept" / "m", 1, 2)
    (store / "m.onnx").write_bytes(b"replaced")
    said(edged("activate", "m", 1, "--store", store), "version 1 is pinned")
    assert read_pin(kept) == 1
    said(edged("activate", "m", 3, "--store", store), "version 3 is pinned")
    failed(edged("activate", "m", 4, "--store", store), 66, "there are 3, 2, 1")
    (store / "n.onnx").write_bytes(b"never served")
    failed(
        edged("activate", "n", 1, "--store", store), 66, "n: is the one file .*n.onnx, of which no version"
    )
    said(edged("activate", "n", "newest", "--store", store), "nothing was pinned")
    assert versions_in(store) == [".kept", "m.onnx", "n.onnx"]


# rollback


@pytest.mark.parametrize(
    ("served", "previous", "pinned", "rejected", "expected"),
    [
        (4, 2, None, [], 2),
        (2, 4, None, [], 4),
        (4, 2, None, [2], 3),
        (4, 9, None, [], 3),
        (4, 4, None, [], 3),
        (4, None, 2, [3], 2),
        (9, None, None, [], 4),
        (None, None, 3, [], 2),
        (None, None, None, [4], 3),
        (None, None, None, [1, 2, 3], None),
        (1, None, None, [], None),
        (None, None, 1, [], None),
    ],
)
def test_a_rollback_pins_the_version_before(edged, store, served, previous, pinned, rejected, expected):
    folder = put(store / "m", 1, 2, 3, 4)
    if served:
        serve(folder, served, previous)
    write_pin(folder, pinned)
    for version in rejected:
        reject(folder, version)
    done = edged("rollback", "m", "--store", store)
    if expected is None:
        failed(done, 66, "m: has no version to go back to; there are 4, 3, 2, 1")
        assert read_pin(folder) == pinned
        return
    said(done, f"m: version {expected} {'stays' if expected == pinned else 'is'} pinned in {folder}")
    assert read_pin(folder) == expected


def test_a_single_file_is_rolled_back_to_what_was_kept_of_it(edged, store):
    kept = put(store / ".kept" / "m", 1, 2)
    (store / "m.onnx").write_bytes(b"m 2")
    serve(kept, 2, previous=1)
    said(edged("rollback", "m", "--store", store), "version 1 is pinned")
    assert read_pin(kept) == 1


# remove


def test_a_version_is_removed_with_its_rejection(edged, store):
    folder = put(store / "m", 1, 2, 3)
    reject(folder, 2)
    assert said(edged("remove", "m", 2, "--store", store)) == f"m: version 2 is removed from {folder}\n"
    assert versions_in(folder) == ["1", "3"]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (4, "m 4: was served last; it can go once"),
        (3, "m 3: is what a rollback goes back to; it can go once"),
        (2, "m 2: is pinned; `edged model activate m newest` removes the pin"),
    ],
)
def test_what_is_needed_is_not_removed_even_by_force(edged, store, number, line):
    folder = put(store / "m", 1, 2, 3, 4)
    serve(folder, 4, previous=3)
    write_pin(folder, 2)
    failed(edged("remove", "m", number, "--store", store), 2, line)
    failed(edged("remove", "m", number, "--store", store, "--force"), 2, line)
    assert versions_in(folder) == ["1", "2", "3", "4", "pinned"]


def test_the_last_version_of_a_model_is_removed_by_force_only(edged, store):
    folder = put(store / "m", 1)
    failed(edged("remove", "m", 1, "--store", store), 2, "m 1: is the only version .*--force")
    assert versions_in(folder) == ["1"]
    said(edged("remove", "m", 1, "--store", store, "--force"), "version 1 is removed")
    assert versions_in(folder) == []


def test_a_single_file_is_left_to_who_put_it_there_and_what_was_kept_of_it_is_removed(edged, store):
    kept = put(store / ".kept" / "m", 1, 2, 3)
    (store / "m.onnx").write_bytes(b"m 3")
    for number in (3, 4):
        failed(
            edged("remove", "m", number, "--store", store, "--force"),
            2,
            rf"m {number}: is the file {store}/m.onnx; delete that file",
        )
        (store / "m.onnx").write_bytes(b"replaced")  # it is version 4 now
    said(edged("remove", "m", 1, "--store", store), "version 1 is removed")
    assert versions_in(kept) == ["2", "3"]
    assert (store / "m.onnx").exists()


# What the system refuses


@pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
def test_a_store_that_may_not_be_written_is_one_line_and_stays_as_it_is(tmp_path, store, command):
    folder = put(store / "m", 1, 2)
    reject(folder, 1) if command[0] == "activate" else None
    before = versions_in(folder)
    for place in (tmp_path, *tmp_path.parents):
        if place.name.startswith(("pytest-", "test_")):
            place.chmod(0o755)  # pytest makes them for one user alone
    # The interpreter may lie where others may not read: what is needed is read before the user is another.
    ready = "import edged.logs, edged.cli.model, edged.modelstore.listing, edged.modelstore.pruning"
    become = f"import os; os.geteuid() or os.setuid({NOBODY})"
    folder.chmod(0o555)
    failed(
        process("model", *command, "--store", store, before=f"{ready}\n{become}"),
        77,
        "may not be written by this user",
    )
    assert versions_in(folder) == before
    store.chmod(0)
    failed(
        process("model", *command, "--store", store, before=f"{ready}\n{become}"),
        77,
        "may not be read by this user",
    )
    store.chmod(0o755)


def test_a_full_disk_is_one_line_and_moves_no_pin(store):
    folder = put(store / "m", 1, 2)
    write_pin(folder, 2)
    full = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    )
    failed(
        process("model", "activate", "m", 1, "--store", store, before=full), 74, "pinned: cannot be written"
    )
    assert read_pin(folder) == 2
    assert versions_in(folder) == ["1", "2", "pinned"]


def test_an_edged_that_runs_follows(edged, mosquitto, tmp_path, store):
    for number in (1, 2):
        put(store / "m", number)
        objects = [(0, 0.9 - number / 100, 10, 10, 30, 30)]
        toy_models.toy_detector(store / "m" / str(number) / "model.onnx", objects=objects)
    clip = write_clip(tmp_path / "grey.mkv", [solid_frame(64, 64, (128, 128, 128))] * 50, fps=10)
    broker = mosquitto()
    cameras = {"front": {"url": clip, "models": ["m"]}}
    config = write_config(tmp_path / "box.toml", broker.url, cameras=cameras, models={})
    with config.open("a") as file:
        file.write(f'[store]\npath = "{store}"\n[models.m]\nproviders = ["cpu"]\nprobation = "1h"\n')

    def serves(number: int) -> bool:
        found = listener.objects("edged/box/camera/front/detections")
        return bool(found) and found[-1]["model"]["version"] == number

    with Listener(broker) as listener, Daemon("-c", str(config)) as daemon:
        assert listener.wait_for(lambda: serves(2), 20), daemon.log
        for words, number in [
            (["activate", "m", 1], 1),
            (["activate", "m", "newest"], 2),
            (["rollback", "m"], 1),
        ]:
            said(edged(*words, "-c", config), "m: version")
            assert listener.wait_for(lambda number=number: serves(number), 20), daemon.log
        assert daemon.end() == 0


@pytest.mark.parametrize("command", ["list", "activate", "rollback", "remove"])
def test_each_has_a_help_with_an_example(edged, command):
    assert "Example" in said(edged(command, "--help"), f"edged model {command}", "--store", "--config")
