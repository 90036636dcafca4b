"""What is asked for before there is a daemon is what the daemon asks for."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edged.lifecycle import Demand, ServedModel
from edged.lifecycle import asking as module
from edged.lifecycle.asking import first_request
from edged.modelstore.digests import onnx_digest
from edged.modelstore.pins import write_pin
from edged.modelstore.records import Rejection, write_rejection
from edged.sections import ModelSettings
from edged.worker.keeper import Worker
from edged.worker.request import LoadRequest

Asked = Callable[..., LoadRequest]


def a_version(path: Path, content: bytes = b"model") -> Path:
    """A file that nobody has touched for an hour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    old_s = time.time() - 3600
    os.utime(path, (old_s, old_s))
    return path


@pytest.fixture
def settled(monkeypatch):
    """Files count as old, whatever the kernel says of when they were changed."""
    monkeypatch.setattr("edged.modelstore.survey._is_old", lambda _marks: True)


def first(store: Path, demand: Demand, **section: object) -> LoadRequest | None:
    settings = ModelSettings.model_validate(section)
    return first_request("m", settings, demand, store=store, once=False, now_s=time.monotonic())


def really_asked(
    monkeypatch: pytest.MonkeyPatch, store: Path, demand: Demand, **section: object
) -> LoadRequest:
    """What the first trial of a served model asks its process."""
    asked: list[LoadRequest] = []
    heard = threading.Event()

    def hear(worker: Worker) -> None:
        asked.append(worker.request)
        heard.set()

    monkeypatch.setattr(Worker, "start", hear)
    settings = ModelSettings.model_validate(section)
    model = ServedModel("m", settings, store=store, demand=demand, on_change=lambda _: None)
    try:
        assert heard.wait(10)
    finally:
        model.stop()
    return asked[0]


@pytest.mark.parametrize(
    "demand",
    [Demand(), Demand(feeds=3, tensors=7, max_age_s=1.0), Demand(2, "rows")],
    ids=["one", "tiles", "rows"],
)
@pytest.mark.parametrize("single", [True, False], ids=["file", "store"])
@pytest.mark.usefixtures("settled")
def test_it_is_the_same_but_for_the_memory_of_the_moment(tmp_path, monkeypatch, demand, single):
    section: dict[str, object] = {"min_score": 0.5, "providers": ["cpu"], "labels": ["car"]}
    if single:
        section["path"] = a_version(tmp_path / "one.onnx")
    else:
        a_version(tmp_path / "m/1/model.onnx")
        a_version(tmp_path / "m/2/model.onnx", b"newer")
    early = first(tmp_path, demand, **section)
    late = really_asked(monkeypatch, tmp_path, demand, **section)
    assert early is not None
    same, other = (json.loads(one.to_json()) | {"max_memory_bytes": 0} for one in (early, late))
    assert same == other


@pytest.mark.usefixtures("settled")
def test_it_names_the_digest_that_the_file_must_have(tmp_path):
    path = a_version(tmp_path / "one.onnx")
    request = first(tmp_path, Demand(), path=path)
    assert request is not None
    assert request.digest == onnx_digest(path)


@pytest.mark.usefixtures("settled")
def test_a_rejected_version_is_not_loaded_and_a_pinned_one_is(tmp_path):
    for number in (1, 2, 3):
        a_version(tmp_path / f"m/{number}/model.onnx", str(number).encode())
    digest = onnx_digest(tmp_path / "m/3")
    write_rejection(tmp_path / "m", Rejection(version=3, digest=digest, reason="bad"))
    request = first(tmp_path, Demand())
    assert request is not None
    assert request.path.endswith("2")
    write_pin(tmp_path / "m", 1)
    request = first(tmp_path, Demand())
    assert request is not None
    assert request.path.endswith("1")


def test_a_version_that_is_just_arriving_is_left_alone(tmp_path):
    path = tmp_path / "one.onnx"
    path.write_bytes(b"model")
    assert first(tmp_path, Demand(), path=path) is None


def test_nothing_is_asked_where_there_is_nothing(tmp_path):
    assert first(tmp_path, Demand()) is None
    assert first(tmp_path, Demand(), path=tmp_path / "gone.onnx") is None


@pytest.mark.usefixtures("settled")
def test_a_large_version_is_not_read_once_more(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_AHEAD_BYTES", 4)
    assert first(tmp_path, Demand(), path=a_version(tmp_path / "one.onnx", b"12345")) is None
    assert first(tmp_path, Demand(), path=a_version(tmp_path / "two.onnx", b"1234")) is not None
