"""What the store holds, read as it stands."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edged.updates import holdings
from edged.updates.choosing import Holding
from edged.updates.holdings import Holdings


def put(store: Path, version: int, content: bytes, name: str = "m") -> str:
    folder = store / name / str(version)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    return digest_of(content)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def reject(store: Path, version: int, digest: str, **changes: Any) -> None:
    record = {"version": version, "digest": digest, "content": "x", "step": "probation", "reason": "slow"}
    (store / "m" / f"{version}.rejected.json").write_text(json.dumps({**record, **changes}))


def test_a_store_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    found = Holdings(tmp_path / "store")
    assert found.look("m") == Holding()
    assert found.is_empty("m")
    assert not found.is_single_file("m")
    assert found.files("m") == {}


def test_versions_are_known_by_their_digests(tmp_path: Path) -> None:
    one, two = put(tmp_path, 1, b"one"), put(tmp_path, 12, b"two")
    put(tmp_path, 3, b"of another model", name="n")
    for other in (".staging", "0", "007", "1234567890", "notes", "4"):
        (tmp_path / "m" / other).mkdir()
    found = Holdings(tmp_path)
    assert found.look("m") == Holding({1: one, 12: two}, (), set())
    assert found.files("m") == {
        one: tmp_path / "m" / "1" / "model.onnx",
        two: tmp_path / "m" / "12" / "model.onnx",
    }
    assert not found.is_empty("m")


def test_what_takes_a_number_and_holds_no_model_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "m" / "3").mkdir(parents=True)
    (tmp_path / "m" / "3" / "readme.txt").write_text("soon")
    (tmp_path / "m" / "4").write_text("a file")
    found = Holdings(tmp_path)
    assert found.look("m").digests == {3: "", 4: ""}
    assert found.files("m") == {}


def test_what_was_rejected_is_remembered_by_its_digest_also_when_its_folder_is_gone(tmp_path: Path) -> None:
    one, two = put(tmp_path, 1, b"one"), put(tmp_path, 2, b"two")
    reject(tmp_path, 2, two)
    reject(tmp_path, 5, digest_of(b"gone"), step="")
    found = Holdings(tmp_path).look("m")
    assert found.digests == {1: one, 2: two}
    told = {(one.version, one.digest, one.content, one.step, one.reason) for one in found.rejected}
    gone = digest_of(b"gone")
    assert told == {(2, two, "x", "probation", "slow"), (5, gone, "x", "", "slow")}
    assert found.unfit == {2}


def test_a_version_that_was_replaced_since_it_was_rejected_is_fit(tmp_path: Path) -> None:
    put(tmp_path, 2, b"mended")
    reject(tmp_path, 2, digest_of(b"bad"))
    assert Holdings(tmp_path).look("m").unfit == set()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "x"}', "null"])
def test_a_record_that_says_nonsense_says_nothing(tmp_path: Path, text: str) -> None:
    put(tmp_path, 2, b"two")
    (tmp_path / "m" / "2.rejected.json").write_text(text)
    found = Holdings(tmp_path).look("m")
    assert (found.rejected, found.unfit) == ((), set())


def test_a_file_is_read_once_and_again_when_it_was_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    real = holdings.onnx_digest
    monkeypatch.setattr(holdings, "onnx_digest", lambda path: reads.append(path) or real(path))
    one, found = put(tmp_path, 1, b"one"), Holdings(tmp_path)
    assert found.look("m").digests == found.look("m").digests == {1: one}
    assert len(reads) == 1
    (tmp_path / "m" / "1" / "model.onnx").write_bytes(b"other")
    assert found.look("m").digests == {1: digest_of(b"other")}
    assert len(reads) == 2


def test_a_single_file_is_told_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"one")
    found = Holdings(tmp_path)
    assert found.is_single_file("m")
    assert not found.is_empty("m")
    put(tmp_path, 1, b"one")
    assert not found.is_single_file("m")
