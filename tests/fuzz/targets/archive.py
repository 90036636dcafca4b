"""A zip or a tar that `edged model add` is given."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.errors import InputNotFound
from edged.modelstore.archives import is_archive, unpack_model
from fuzz.targets import Target

MAX_BYTES = 1 << 20
TOKENS = (
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"../",
    b"/etc/x",
    b"ustar",
    b"1",
    b"2",
    b"L",
    b"x",
    b"\x00",
    b".onnx",
)
MEMBERS = {
    "m/1/model.onnx": b"\x08\x08" + bytes(300),
    "m/1/labels.txt": b"a\nb\n",
    "m/1/golden/x.csv": b"1,2\n",
}


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    path, into = folder / "archive", folder / "into"
    outside = folder / "outside"
    outside.write_bytes(b"untouched")

    def run(content: bytes) -> str:
        path.write_bytes(content)
        if not is_archive(path):
            return "no archive"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        try:
            model = unpack_model(path, into, max_bytes=MAX_BYTES, subject="a")
        except InputNotFound:
            return "nothing in it"
        finally:
            held = [one for one in into.rglob("*") if one.is_file() or one.is_symlink()]
            assert sum(one.lstat().st_size for one in held) <= MAX_BYTES + (1 << 20), "more than was allowed"
            assert not any(one.is_symlink() for one in held), "a link"
            assert {one.name for one in folder.iterdir()} <= {"archive", "into", "outside"}, (
                "a file beside the folder"
            )
            assert outside.read_bytes() == b"untouched"
        assert model.is_relative_to(into)
        return "unpacked"

    yield Target("archive", _seeds(), TOKENS, run)


def _seeds() -> tuple[bytes, ...]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in MEMBERS.items():
            out.writestr(zipfile.ZipInfo(name), body)
    with tarfile.open(fileobj=tarred, mode="w") as out:
        for name, body in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            out.addfile(member, io.BytesIO(body))
    tar = tarred.getvalue()
    return (zipped.getvalue(), tar, gzip.compress(tar, mtime=0), bz2.compress(tar), lzma.compress(tar))
