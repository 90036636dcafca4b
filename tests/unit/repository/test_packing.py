"""A package has the same bytes, whoever packs it."""

import os
import tarfile
from pathlib import Path

import pytest

from edged.errors import BadInput, InputNotFound
from edged.repository.packing import model_in, pack


def _members(folder: Path, order: str = "model.onnx golden/ü.jpg labels.txt") -> dict[str, Path]:
    for name in order.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 100)
    return {name: folder / name for name in order.split()}


def test_time_order_and_permissions_do_not_matter(tmp_path: Path) -> None:
    first = pack(_members(tmp_path / "a"), tmp_path / "a.tar")
    others = _members(tmp_path / "b", "labels.txt golden/ü.jpg model.onnx")
    os.utime(others["model.onnx"], (1, 1))
    others["model.onnx"].chmod(0o400)
    second = pack(others, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert (first.sha256, first.digest) == (second.sha256, second.digest)


def test_a_package_holds_plain_files_of_nobody(tmp_path: Path) -> None:
    package = pack(_members(tmp_path / "a"), tmp_path / "a.tar")
    with tarfile.open(package.tar) as packed:
        entries = packed.getmembers()
    assert [entry.name for entry in entries] == ["golden/ü.jpg", "labels.txt", "model.onnx"]
    assert {(entry.mtime, entry.uid, entry.uname, entry.mode, entry.type) for entry in entries} == {
        (0, 0, "", 0o644, tarfile.REGTYPE)
    }
    assert package.unpacked_bytes == sum(entry.size for entry in entries)
    assert package.length == package.tar.stat().st_size


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    members = _members(tmp_path / "a")
    package = pack(members, tmp_path / "a.tar")
    out = tmp_path / "out"
    with tarfile.open(package.tar) as packed:
        packed.extractall(out, filter="data")
    assert {name: (out / name).read_bytes() for name in members} == {
        name: path.read_bytes() for name, path in members.items()
    }
    assert model_in(package.tar) == members["model.onnx"].read_bytes()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="labels"):
        pack(_members(tmp_path) | {"labels.txt": tmp_path / "none" / "labels.txt"}, tmp_path / "a.tar")


def test_what_is_no_package_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar" * 1000)
    with pytest.raises(BadInput, match="no package"):
        model_in(tmp_path / "a.tar")
