"""What edged writes beside versions: it comes back as it was, nonsense counts as nothing, and nothing is ever half."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edged.errors import CannotWrite, NotAllowed
from edged.files import flush_folder, write_whole
from edged.modelstore import records as module
from edged.modelstore.pins import MAX_BYTES, read_pin, write_pin
from edged.modelstore.records import (
    MAX_REASON,
    Rejection,
    Service,
    lift_rejection,
    read_rejection,
    read_service,
    rejection_file,
    write_rejection,
    write_service,
)

REJECTION = Rejection(
    version=3,
    digest="sha256:ab",
    content="sha256:cd",
    step="shapes",
    reason="wants 3 × 640 “pixels”",
    at="2026-01-02T03:04:05Z",
)
SERVICE = Service(version=3, digest="sha256:ab", previous=2)
NONSENSE = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{",
    b'"3"',
    b"\x00" * 9,
    b"\xff\xfe3\x00",
    b"{}",
    b'{"version": 0}',
    b"[" * 60000,
]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


# They come back


def test_what_was_written_is_read(tmp_path):
    write_pin(tmp_path, 7)
    write_rejection(tmp_path, REJECTION)
    write_service(tmp_path, SERVICE)
    assert read_pin(tmp_path) == 7
    assert read_rejection(tmp_path, 3) == REJECTION
    assert read_service(tmp_path) == SERVICE
    assert sorted(path.name for path in tmp_path.iterdir()) == [".served.json", "3.rejected.json", "pinned"]


def test_what_was_written_is_for_people_too(tmp_path):
    write_pin(tmp_path, 7)
    write_rejection(tmp_path, REJECTION)
    assert (tmp_path / "pinned").read_text() == "7\n"
    lines = rejection_file(tmp_path, 3).read_text(encoding="utf-8").splitlines()
    assert '  "reason": "wants 3 × 640 “pixels”",' in lines
    mode = stat.S_IMODE((tmp_path / "pinned").stat().st_mode)
    assert mode & 0o044 == 0o044 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_nothing_written_reads_as_nothing(tmp_path):
    for folder in (tmp_path, tmp_path / "none", tmp_path / ("x" * 300)):
        assert read_pin(folder) is None
        assert read_rejection(folder, 3) is None
        assert read_service(folder) is None


def test_a_pin_and_a_rejection_can_be_taken_back_and_that_twice(tmp_path):
    write_pin(tmp_path, 7)
    write_rejection(tmp_path, REJECTION)
    write_rejection(tmp_path, Rejection(version=4))
    for _ in range(2):
        write_pin(tmp_path, None)
        lift_rejection(tmp_path, 3)
    assert read_pin(tmp_path) is None
    assert read_rejection(tmp_path, 3) is None
    assert [path.name for path in tmp_path.iterdir()] == ["4.rejected.json"]


def test_the_last_one_counts(tmp_path):
    for previous in (None, 1, 2):
        write_service(tmp_path, Service(version=3, digest="d", previous=previous))
    assert read_service(tmp_path) == Service(version=3, digest="d", previous=2)
    assert len(list(tmp_path.iterdir())) == 1


# Nonsense


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (b"7", 7),
        (b" 7\r\n", 7),
        (b"007\n", 7),
        (b"999999999", 999999999),
        (b"7" + b"\n" * MAX_BYTES * 2, 7),
        (b"0", None),
        (b"-7", None),
        (b"+7", None),
        (b"7.0", None),
        (b"7 8", None),
        (b"7_0", None),
        (b"1000000000", None),
        (b"9" * 5000, None),
        (b"9" * MAX_BYTES * 2, None),
        ("\N{THAI DIGIT SEVEN}".encode(), None),
        (b"v7", None),
        *((nonsense, None) for nonsense in NONSENSE),
    ],
)
def test_a_pin_is_one_number_and_nothing_else(tmp_path, text, pin):
    (tmp_path / "pinned").write_bytes(text)
    assert read_pin(tmp_path) == pin


@pytest.mark.parametrize(
    "content", [*NONSENSE, b'{"version": 3, "digest": 5}', b'{"version": "x", "digest": "d"}']
)
def test_a_record_of_nonsense_is_none(tmp_path, content):
    rejection_file(tmp_path, 3).write_bytes(content)
    (tmp_path / ".served.json").write_bytes(content)
    assert read_rejection(tmp_path, 3) is None
    assert read_service(tmp_path) is None


@given(
    content=st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from(["version", "digest", "previous", "reason", "at"]),
        st.none() | st.integers() | st.sampled_from(["", "x", "\u2028", "1"]) | st.floats() | st.just([1, 2]),
    ).map(lambda table: json.dumps(table).encode())
)
def test_no_record_is_ever_an_error(scratch, content):
    for path in (scratch / "pinned", scratch / ".served.json", rejection_file(scratch, 3)):
        path.write_bytes(content)
    pin, rejection, service = read_pin(scratch), read_rejection(scratch, 3), read_service(scratch)
    assert pin is None or 0 < pin < 10**9
    assert rejection is None or 0 < rejection.version < 10**9
    assert service is None or (0 < service.version < 10**9 and service.previous != 0)


def test_records_of_another_release_are_read(tmp_path):
    rejection_file(tmp_path, 3).write_text('{"version": 3, "digest": "d", "by": "somebody"}')
    assert read_rejection(tmp_path, 3) == Rejection(version=3, digest="d")
    (tmp_path / ".served.json").write_text('{"version": 3, "digest": "d", "since": 1}')
    assert read_service(tmp_path) == Service(version=3, digest="d")


def test_a_huge_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    for path in (tmp_path / "pinned", tmp_path / ".served.json", rejection_file(tmp_path, 3)):
        with path.open("wb") as file:
            file.write(b'{"version": 3, "digest": "')
            file.truncate(10**12)  # no disk has it, and no memory
    assert read_pin(tmp_path) is None
    assert read_rejection(tmp_path, 3) is None
    assert read_service(tmp_path) is None


def test_pipes_and_folders_in_the_place_of_records_are_not_waited_for(tmp_path):
    names = ("pinned", ".served.json", "3.rejected.json")
    (tmp_path / "pipes").mkdir()
    for name in names:
        os.mkfifo(tmp_path / "pipes" / name)
        (tmp_path / "folders" / name).mkdir(parents=True)
    read = []

    def look():
        for folder in (tmp_path / "pipes", tmp_path / "folders"):
            read.extend([read_pin(folder), read_rejection(folder, 3), read_service(folder)])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(5)
    assert read == [None] * 6


def test_a_reason_can_always_be_written_and_read_again(tmp_path):
    """A file's name may hold bytes that are no UTF-8, and a model can have ONNX Runtime quote a megabyte."""
    name = os.fsdecode(b"caf\xe9.jpg")
    for reason in (
        f"golden/{name}: no such picture",
        "x" * 10**6,
        "é" * 10**6,
        "\x00\n\N{ZERO WIDTH JOINER}",
    ):
        rejection = Rejection(version=3, reason=reason)
        write_rejection(tmp_path, rejection)
        assert read_rejection(tmp_path, 3) == rejection
        assert rejection.reason[:3] == reason[:3]
        assert len(rejection.reason) <= MAX_REASON


@pytest.mark.parametrize("version", [0, -1, 10**9])
def test_no_record_is_made_of_a_version_that_cannot_be(version):
    with pytest.raises(ValidationError):
        Rejection(version=version)
    with pytest.raises(ValidationError):
        Service(version=version, digest="d")


# When it cannot be written

WRITERS = [
    lambda folder: write_pin(folder, 9),
    lambda folder: write_rejection(folder, Rejection(version=3, reason="new")),
    lambda folder: write_service(folder, Service(version=9, digest="new")),
]


def fill(folder):
    write_pin(folder, 7)
    write_rejection(folder, REJECTION)
    write_service(folder, SERVICE)
    return snapshot(folder)


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, CannotWrite),
        (errno.EIO, CannotWrite),
        (errno.EROFS, CannotWrite),
        (errno.EACCES, NotAllowed),
    ],
)
@pytest.mark.parametrize("where", [(os, "fsync"), (Path, "replace"), (Path, "open")])
def test_what_stood_there_stands_there_still(tmp_path, monkeypatch, write, number, error, where):
    before = fill(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(*where, failing(number))
        with pytest.raises(error) as raised:
            write(tmp_path)
    assert raised.value.subject.startswith(str(tmp_path))
    assert snapshot(tmp_path) == before, "nothing else is left behind either"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_an_error_and_leaves_no_temporary(tmp_path, monkeypatch):
    before = fill(tmp_path)
    opened = Path.open

    def on_a_full_disk(path, mode="r", *rest):
        if mode == "xb":
            opened(path, mode).close()
            return opened(Path("/dev/full"), "wb")
        return opened(path, mode, *rest)

    with monkeypatch.context() as full:
        full.setattr(Path, "open", on_a_full_disk)
        with pytest.raises(CannotWrite, match="No space left on device"):
            write_pin(tmp_path, 9)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("write", [*WRITERS, flush_folder])
def test_a_folder_that_is_not_there_is_an_error(tmp_path, write):
    with pytest.raises((CannotWrite, FileNotFoundError), match="No such file"):
        write(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_pin_that_cannot_be_removed_is_an_error(tmp_path):
    (tmp_path / "pinned").mkdir()
    with pytest.raises((CannotWrite, NotAllowed)):
        write_pin(tmp_path, None)
    with pytest.raises(CannotWrite):
        write_pin(tmp_path, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["pinned"]


def test_a_rejection_that_cannot_be_removed_stays(tmp_path, monkeypatch):
    write_rejection(tmp_path, REJECTION)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", failing(errno.EROFS))
        lift_rejection(tmp_path, 3)
    assert read_rejection(tmp_path, 3) == REJECTION


def test_a_folder_that_cannot_be_flushed_is_no_error_for_the_file_is_there(tmp_path, monkeypatch):
    write_pin(tmp_path, 7)
    fsync = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not here")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_pin(tmp_path, 9)
    assert read_pin(tmp_path) == 9


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace

    def note_flush(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.fstat(descriptor).st_size)
        fsync(descriptor)

    def note_name(path, target):
        steps.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_name)
    write_whole(tmp_path / "file", b"12345")
    assert steps == [5, "file", "folder"]


def test_a_reader_never_sees_half_a_record(tmp_path):
    write_service(tmp_path, SERVICE)
    script = (
        "import sys; from pathlib import Path\n"
        "from edged.modelstore.records import Service, write_service\n"
        "for n in range(1, 80): write_service(Path(sys.argv[1]), Service(version=n, digest='d' * n * 50))"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[3])
    seen = set()
    while writer.poll() is None:
        service = read_service(tmp_path)
        assert service is not None
        assert service == SERVICE or len(service.digest) == service.version * 50
        seen.add(service.version)
    assert writer.returncode == 0
    assert len(seen) > 2
    assert [path.name for path in tmp_path.iterdir()] == [module.SERVED]
