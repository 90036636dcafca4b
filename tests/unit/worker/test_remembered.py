import json
import os
import time
from dataclasses import asdict

import numpy as np
import pytest

from edged.inference.tuning import Tuning
from edged.worker import remembered
from edged.worker.choice import Choice, Tried
from edged.worker.remembered import HAMPERED_S, Remembered, folder, recall, remember, sketch

KEY = {"digest": "sha256:ab", "packages": {"onnxruntime": "1.32.0"}, "callers": 1}
TUNING = Tuning("openvino:CPU", threads=1)
ANSWER = [np.linspace(0, 1, 3000, dtype=np.float32).reshape(10, 300), np.arange(4)]


def entry(**changes) -> Remembered:
    tried = (
        Tried("cpu, 1 thread", "cpu", 1, "f32", integers=True, ms=20.0, cpu_ms=20.0),
        Tried(TUNING.name, TUNING.provider, 1, "f32", integers=True, ms=10.0, cpu_ms=10.0),
    )
    choice = Choice(TUNING.name, "latency", 1, tried)
    fields = {"tuning": TUNING, "choice": choice, "answer": sketch(ANSWER), "available": ("cpu",)}
    return Remembered(**(fields | changes))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edged" / "choices"


def test_what_was_kept_is_known_again_as_such():
    assert recall(KEY) is None
    assert remember(KEY, entry()) == ""
    found = recall(KEY)
    assert found is not None
    assert (found.tuning, found.available) == (TUNING, ("cpu",))
    assert found.choice.recalled
    assert found.choice.tried == entry().choice.tried


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "sha256:cd"},
        {"packages": {"onnxruntime": "1.33.0"}},
        {"callers": 2},
        {"processor": "other"},
    ],
)
def test_what_was_measured_for_something_else_is_not_used(other):
    remember(KEY, entry())
    assert recall(KEY | other) is None


def test_an_answer_is_known_again_and_another_one_is_not():
    remember(KEY, entry())
    found = recall(KEY)
    assert found is not None
    assert found.agrees(ANSWER)
    assert found.agrees([ANSWER[0] + 0.001, ANSWER[1] + 5])  # whole numbers are not compared
    assert not found.agrees([ANSWER[0] * 1.5, ANSWER[1]])
    assert not found.agrees([ANSWER[0].reshape(300, 10), ANSWER[1]])
    assert not found.agrees([ANSWER[0] * np.nan, ANSWER[1]])
    assert not found.agrees([])


def broken(change) -> bytes:
    values = {
        "key": KEY,
        "tuning": asdict(TUNING),
        "choice": asdict(entry().choice),
        "answer": list(entry().answer),
        "available": ["cpu"],
        "hampered": False,
    }
    change(values)
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"key": 1}',
        broken(lambda v: v.update(key=KEY | {"callers": 9})),
        broken(lambda v: v["tuning"].update(threads="many")),
        broken(lambda v: v["tuning"].update(threads=10**9)),
        broken(lambda v: v["tuning"].update(threads=-1)),
        broken(lambda v: v["tuning"].update(precision="f8")),
        broken(lambda v: v["tuning"].update(provider=None)),
        broken(lambda v: v["tuning"].update(more=1)),
        broken(lambda v: v["choice"].update(tried=[])),
        broken(lambda v: v["choice"].update(name="none of them")),
        broken(lambda v: v["choice"]["tried"][0].update(ms="fast")),
        broken(lambda v: v.update(answer=[{"shape": [1], "values": ["x"]}])),
        broken(lambda v: v.update(answer=[1])),
        broken(lambda v: v.pop("available")),
        broken(lambda v: v.update(answer=[{"shape": [1], "values": [0.5] * 200_000}])),
    ],
)
def test_a_broken_entry_is_as_if_it_were_not_there_and_is_replaced(cache, content):
    remember(KEY, entry())
    (file,) = cache.iterdir()
    file.write_bytes(broken(lambda _: None))
    assert recall(KEY) is not None
    file.write_bytes(content)
    assert recall(KEY) is None
    remember(KEY, entry())
    assert recall(KEY) is not None


@pytest.mark.parametrize(("age_s", "known"), [(0, True), (HAMPERED_S + 60, False), (-86400, False)])
def test_what_was_measured_while_cores_or_memory_were_short_holds_for_a_while(cache, age_s, known):
    remember(KEY, entry(hampered=True))
    (file,) = cache.iterdir()
    then = time.time() - age_s
    os.utime(file, (then, then))
    assert (recall(KEY) is not None) is known


def test_only_the_newest_entries_are_kept(cache, monkeypatch):
    monkeypatch.setattr(remembered, "MAX_ENTRIES", 3)
    for number in range(5):
        remember(KEY | {"callers": number}, entry())
        for age, file in enumerate(sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)[::-1]):
            os.utime(file, (1e9 - age, 1e9 - age))
    assert [recall(KEY | {"callers": number}) is not None for number in range(5)] == [False] * 2 + [True] * 3


def test_a_cache_that_cannot_be_written_is_named(cache):
    cache.parent.parent.joinpath("edged").write_text("a file", encoding="utf-8")
    assert str(cache) in remember(KEY, entry())
    assert recall(KEY) is None


def test_the_folder_is_systemds_then_the_users(monkeypatch, tmp_path):
    assert folder() == tmp_path / "edged" / "choices"
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edged:/var/cache/other")
    assert str(folder()) == "/var/cache/edged/choices"
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # ignored, as the XDG base directory specification says
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "edged" / "choices"
