"""From the tar of a version to its folder: tars that nobody who follows the format makes, though signed."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from edged.errors import UpdateRefused, UpdateUnreachable
from edged.offers import Needs, Offer
from edged.updates.package import unpack

MODEL = b"a model"


def _offer(length: int, **changes: object) -> Offer:
    offer = Offer(
        name="parcels",
        version=2,
        channel="stable",
        rollout=1.0,
        digest=f"sha256:{hashlib.sha256(MODEL).hexdigest()}",
        unpacked_bytes=100_000,
        needs=Needs(),
        deltas=(),
        target="models/parcels/2.tar",
        length=length,
        sha256="",
    )
    for key, value in changes.items():
        object.__setattr__(offer, key, value)
    return offer


def _entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry, content


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in [_entry("model.onnx", MODEL), *entries]:
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _unpack(tmp_path: Path, tar: bytes, **changes: object) -> Path:
    (tmp_path / "x.tar").write_bytes(tar)
    unpack(tmp_path / "x.tar", tmp_path / "into", _offer(len(tar), **changes), lambda: False)
    return tmp_path / "into"


def test_a_version_is_unpacked_with_all_that_belongs_to_it(tmp_path):
    folder = _unpack(
        tmp_path,
        _tar(
            _entry("model.toml", b'task = "detect"'),
            _entry("labels.txt", b"a\nb\n"),
            _entry("golden", type=tarfile.DIRTYPE),
            _entry("golden/one.jpg", b"1"),
            _entry("golden/night/two words, ä.csv", b"2"),
            _entry("golden/run.sh", b"3", mode=0o7777, uid=7),
        ),
    )
    assert (folder / "model.onnx").read_bytes() == MODEL
    assert (folder / "golden" / "night" / "two words, ä.csv").read_bytes() == b"2"
    assert not (folder / "golden" / "run.sh").stat().st_mode & 0o7111


def test_what_stood_there_is_replaced(tmp_path):
    (tmp_path / "into" / "golden").mkdir(parents=True)
    (tmp_path / "into" / "old").write_bytes(b"")
    assert [path.name for path in _unpack(tmp_path, _tar()).iterdir()] == ["model.onnx"]


BAD = {
    "a symbolic link": [_entry("golden/x", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a link in place of the folder": [
        _entry("golden", type=tarfile.SYMTYPE, linkname="/tmp"),
        _entry("golden/x", b""),
    ],
    "a hard link": [_entry("labels.txt", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "a device": [_entry("labels.txt", type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a pipe": [_entry("labels.txt", type=tarfile.FIFOTYPE)],
    "a folder of another name": [_entry("weights", type=tarfile.DIRTYPE)],
    "a way up": [_entry("golden/../../x", b"x")],
    "an absolute name": [_entry("/model.toml", b"")],
    "a dotted name": [_entry("./model.toml", b"")],
    "a hidden file": [_entry("golden/.hidden", b"")],
    "a backslash": [_entry("golden/..\\..\\x", b"")],
    "a drive": [_entry("golden/c:x", b"")],
    "a control character": [_entry("golden/a\nb", b"")],
    "a stranger's file": [_entry("model.onnx.data", b"")],
    "a file twice": [_entry("labels.txt", b"a"), _entry("labels.txt", b"b")],
    "the model twice": [_entry("model.onnx", b"b")],
    "too many bytes": [_entry("labels.txt", bytes(100_001))],
    "too many files": [_entry(f"golden/{number}", b"") for number in range(21)],
    "a manifest that is none": [_entry("model.toml", b"task = 7")],
    "labels that are no text": [_entry("labels.txt", b"\xff\xfe\x00")],
    "a file where a folder is": [_entry("golden/a", b""), _entry("golden/a/b", b"")],
    "a name that is too long": [_entry("golden/" + "ä" * 200, b"")],
}


@pytest.mark.parametrize("name", BAD)
def test_what_belongs_into_no_version_leaves_nothing(tmp_path, name, monkeypatch):
    monkeypatch.setattr("edged.updates.package.MAX_FILES", 20)
    with pytest.raises(UpdateRefused) as caught:
        _unpack(tmp_path, _tar(*BAD[name]))
    assert caught.value.reason == "package"
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


@pytest.mark.parametrize("name", BAD)
def test_so_it_is_where_the_standard_library_has_no_opinion(tmp_path, name, monkeypatch):
    """Python before 3.11.4."""
    monkeypatch.delattr(tarfile, "data_filter")
    test_what_belongs_into_no_version_leaves_nothing(tmp_path, name, monkeypatch)


def test_another_model_than_was_signed(tmp_path):
    with pytest.raises(UpdateRefused, match="another model"):
        _unpack(tmp_path, _tar(), digest="sha256:" + "0" * 64)
    assert not (tmp_path / "into").exists()


def test_no_model(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("labels.txt"))
    with pytest.raises(UpdateRefused, match="holds no model"):
        _unpack(tmp_path, out.getvalue())


@pytest.mark.parametrize("content", [b"", b"no tar" * 1000, bytes(100_000), b"\x1f\x8b" + bytes(600)])
def test_what_is_no_tar(tmp_path, content):
    with pytest.raises(UpdateRefused) as caught:
        _unpack(tmp_path, content)
    assert caught.value.reason == "package"


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless(tmp_path):
    whole = _tar(_entry("golden/one.jpg", b"1" * 600))
    for position in range(0, len(whole), 331):
        for damaged in (
            whole[:position],
            whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :],
        ):
            try:
                folder = _unpack(tmp_path, damaged)
            except (UpdateRefused, UpdateUnreachable):
                assert not (tmp_path / "into").exists()
            else:
                assert (folder / "model.onnx").read_bytes() == MODEL


def test_a_header_that_asks_for_gigabytes_gets_no_memory(tmp_path):
    """A PAX header says its own length, and ``tarfile`` would read all of it at once."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 2**33
    head = entry.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(UpdateRefused, match="header"):
        _unpack(tmp_path, head + bytes(20_000))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_of_a_header_of_a_header_has_an_end(tmp_path, kind):
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, int(kind == tarfile.GNUTYPE_LONGNAME)
    head = entry.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0") * entry.size
    with pytest.raises(UpdateRefused, match="is no tar"):
        _unpack(tmp_path, head * 3000 + _tar())
    assert not (tmp_path / "into").exists()


def test_folders_are_counted_too(tmp_path):
    """A tar of nothing else unpacks to no bytes, and would fill the memory."""
    head = tarfile.TarInfo("golden")
    head.type = tarfile.DIRTYPE
    with pytest.raises(UpdateRefused, match="more than 1000 files and folders"):
        _unpack(tmp_path, head.tobuf(tarfile.GNU_FORMAT) * 2000 + _tar())


def test_a_file_of_less_than_no_bytes_does_not_make_room_for_more(tmp_path):
    head = bytearray(tarfile.TarInfo("labels.txt").tobuf(tarfile.GNU_FORMAT))
    head[124:136] = (-(2**30)).to_bytes(12, "big", signed=True)
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
    assert tarfile.TarInfo.frombuf(bytes(head), "utf-8", "strict").size == -(2**30)
    with pytest.raises(UpdateRefused, match="more than 100,000 bytes"):
        _unpack(tmp_path, bytes(head) + _tar())


def test_a_sparse_file_grows_no_further_than_was_signed(tmp_path):
    entry = tarfile.TarInfo("labels.txt")
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**40)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry.size = 512
        tar.addfile(entry, io.BytesIO(b"0\n".ljust(512, b"\x00")))
    with pytest.raises(UpdateRefused):
        _unpack(tmp_path, out.getvalue())


def test_who_wants_to_stop_leaves_nothing(tmp_path):
    (tmp_path / "x.tar").write_bytes(_tar())
    with pytest.raises(UpdateUnreachable) as caught:
        unpack(tmp_path / "x.tar", tmp_path / "into", _offer(1), lambda: True)
    assert caught.value.reason == "stopped"
    assert not (tmp_path / "into").exists()


def test_a_disk_that_cannot_be_written(tmp_path):
    (tmp_path / "x.tar").write_bytes(_tar())
    with pytest.raises(UpdateUnreachable):
        unpack(tmp_path / "x.tar", tmp_path / "missing" / "into", _offer(1), lambda: False)
