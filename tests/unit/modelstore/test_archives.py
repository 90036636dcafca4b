"""Zips and tars: honest ones of every packing, and those that mean harm."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from edged.errors import BadInput, CannotWrite
from edged.modelstore import archives
from edged.modelstore.archives import is_archive, unpack_model

MODEL = b"\x08\x0aonnx" * 100
HONEST = {
    "vehicles/model.onnx": MODEL,
    "vehicles/model.toml": b"",
    "vehicles/golden/a.jpg": b"picture",
    "other/readme.txt": b"hello",
}
MIB = 1024**2


def make_zip(path: Path, files: dict[str, bytes], **modes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = modes.get("mode", 0o100644) << 16
            packed.writestr(entry, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], packing: str = "", **extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, f"w:{packing}") as packed:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
        for entry in extra.values():
            packed.addfile(entry)
    return path


def special(name: str, kind: bytes, **values: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    for key, value in values.items():
        setattr(entry, key, value)
    return entry


@pytest.fixture
def unpack(tmp_path):
    """Unpacks into a folder that is not there yet; whatever happens, nothing may appear beside it."""

    def run(archive: Path, *, max_bytes: int = 100 * MIB) -> Path:
        before = {path.name for path in tmp_path.iterdir()}
        try:
            return unpack_model(archive, tmp_path / "into", max_bytes=max_bytes, subject="m")
        finally:
            assert {path.name for path in tmp_path.iterdir()} - before <= {"into"}

    return run


@pytest.mark.parametrize("packing", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_the_folder_of_the_model_comes_out_of_every_packing_and_the_rest_does_not(tmp_path, unpack, packing):
    archive = tmp_path / f"a.{packing}"
    if packing == "zip":
        make_zip(archive, HONEST)
    else:
        make_tar(archive, HONEST, packing.partition(".")[2])
    assert is_archive(archive)
    model = unpack(archive)
    assert model == tmp_path / "into" / "vehicles" / "model.onnx"
    assert model.read_bytes() == MODEL
    found = sorted(
        path.relative_to(tmp_path / "into").as_posix() for path in (tmp_path / "into").rglob("*.*")
    )
    assert found == ["vehicles/golden/a.jpg", "vehicles/model.onnx", "vehicles/model.toml"]


def test_what_programs_leave_behind_is_passed_over(tmp_path, unpack):
    files = {"./yolo.onnx": MODEL, "__MACOSX/._yolo.onnx": b"junk", "a/": b""}
    assert unpack(make_zip(tmp_path / "a.zip", files)).read_bytes() == MODEL


def test_a_model_is_no_archive(tmp_path):
    (tmp_path / "m.onnx").write_bytes(MODEL)
    (tmp_path / "empty").write_bytes(b"")
    assert not is_archive(tmp_path / "m.onnx")
    assert not is_archive(tmp_path / "empty")


@pytest.mark.parametrize(
    "name",
    ["../evil.onnx", "/etc/evil.onnx", "a/../../evil.onnx", "C:\\evil.onnx", "a\\..\\evil.onnx", "a\nb.onnx"],
)
def test_a_name_that_leads_out_is_refused_before_anything_is_written(tmp_path, unpack, name):
    files = {"m.onnx": MODEL, name: b"evil"}
    for archive in (make_zip(tmp_path / "a.zip", files), make_tar(tmp_path / "a.tar", files)):
        with pytest.raises(BadInput, match="m: holds a name that leads out of it"):
            unpack(archive)
        assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (tarfile.SYMTYPE, {"linkname": "/etc/passwd"}),
        (tarfile.LNKTYPE, {"linkname": "m.onnx"}),
        (tarfile.CHRTYPE, {"devmajor": 1, "devminor": 5}),
        (tarfile.BLKTYPE, {}),
        (tarfile.FIFOTYPE, {}),
    ],
    ids=["symlink", "hardlink", "character device", "block device", "pipe"],
)
def test_a_link_or_a_device_in_a_tar_is_refused(tmp_path, unpack, kind, values):
    archive = make_tar(tmp_path / "a.tar", {"m.onnx": MODEL}, odd=special("odd", kind, **values))
    with pytest.raises(BadInput, match="holds a link or a device"):
        unpack(archive)


def test_a_link_in_a_zip_is_refused(tmp_path, unpack):
    archive = make_zip(tmp_path / "a.zip", {"model.onnx": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777)
    with pytest.raises(BadInput, match="holds a link or a device"):
        unpack(archive)


def test_a_bomb_is_cut_off_by_what_comes_out(tmp_path, unpack, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 4 * MIB)
    bomb = {"m.onnx": bytes(16 * MIB)}
    for archive in (make_zip(tmp_path / "a.zip", bomb), make_tar(tmp_path / "a.tar.gz", bomb, "gz")):
        with pytest.raises(BadInput, match=r"unpacks to more than 4,"):
            unpack(archive)
        assert sum(path.stat().st_size for path in (tmp_path / "into").rglob("*.onnx")) <= 5 * MIB
        for path in (tmp_path / "into").rglob("*.onnx"):
            path.unlink()


def test_a_bomb_beside_the_model_is_not_unpacked_and_not_waited_for(tmp_path, unpack, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 4 * MIB)
    files = {"other/bomb": bytes(32 * MIB), "m/m.onnx": MODEL}
    archive = make_tar(tmp_path / "a.tar.gz", files, "gz")
    with pytest.raises(BadInput, match="unpacks to more than"):
        unpack(archive)
    assert unpack(make_zip(tmp_path / "a.zip", files)).exists()


def test_the_callers_bound_holds_too(tmp_path, unpack):
    archive = make_zip(tmp_path / "a.zip", {"m.onnx": os.urandom(2000)})
    with pytest.raises(BadInput, match="more than 1,000 bytes"):
        unpack(archive, max_bytes=1000)


def test_a_forged_header_does_not_get_memory(tmp_path, unpack):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        header = special("h", tarfile.XHDTYPE, size=32 * MIB)
        packed.addfile(header, _Zeros())
    with pytest.raises(BadInput, match="unpacks to more than"):
        unpack(tmp_path / "a.tar.gz")


class _Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def test_more_files_than_a_model_has_are_refused(tmp_path, unpack, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    files = {f"{number}": b"" for number in range(20)} | {"m.onnx": MODEL}
    for archive in (make_zip(tmp_path / "a.zip", files), make_tar(tmp_path / "a.tar", files)):
        with pytest.raises(BadInput, match="more than 10 files"):
            unpack(archive)


def test_two_files_of_one_name_are_refused(tmp_path, unpack):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("m.onnx", MODEL)
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("m.onnx", b"another")
    with pytest.raises(BadInput, match=r"holds 'm\.onnx' twice"):
        unpack(tmp_path / "a.zip")
    clash = make_zip(tmp_path / "b.zip", {"a": b"file", "a/m.onnx": MODEL})
    with pytest.raises(BadInput, match="a file and a folder of one name"):
        unpack(clash)


def test_a_locked_or_broken_archive_is_one_line(tmp_path, unpack):
    good = make_zip(tmp_path / "good.zip", {"m.onnx": os.urandom(5000)}).read_bytes()
    locked = bytearray(good)
    locked[6] |= 1
    locked[good.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(BadInput, match="locked with a password"):
        unpack(tmp_path / "locked.zip")
    (tmp_path / "cut.zip").write_bytes(good[:2000])
    flipped = bytearray(good)
    flipped[1000] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(flipped)
    tar = make_tar(tmp_path / "good.tar.gz", {"m.onnx": os.urandom(5000)}, "gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(tar[:2000])
    (tmp_path / "flipped.tar.gz").write_bytes(tar[:2000] + b"\xff\xff\xff" + tar[2003:])
    (tmp_path / "no.tar.bz2").write_bytes(b"BZh9" + bytes(1000))
    (tmp_path / "no.tar.xz").write_bytes(b"\xfd7zXZ\x00" + bytes(1000))
    for name in ("cut.zip", "flipped.zip", "cut.tar.gz", "flipped.tar.gz", "no.tar.bz2", "no.tar.xz"):
        with pytest.raises(BadInput, match="m: cannot be unpacked"):
            unpack(tmp_path / name)
        for path in (tmp_path / "into").rglob("*.onnx"):
            path.unlink()


def test_a_disk_that_takes_nothing_is_not_the_archives_fault(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"m.onnx": MODEL})
    (tmp_path / "into").write_text("a file is in the way")
    with pytest.raises(CannotWrite):
        unpack_model(archive, tmp_path / "into", max_bytes=MIB, subject="m")
