import os
import subprocess
import sys

import pytest
from row_sources import collected, text, to_the_end, write_all

from edged.errors import BadInput, InputNotFound, SourceLost
from edged.sources.pipes import Fifo, StandardInput


@pytest.fixture
def path(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.fixture
def fifo(path):
    fifo = Fifo(path)
    fifo.open()
    yield fifo
    fifo.close()


def write(path, content):
    """As `echo 1,2 > fifo` does: come, write, go."""
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    write_all(writer, content)
    os.close(writer)


def test_writers_come_and_go_and_the_last_line_of_one_needs_no_line_feed(path, fifo):
    write(path, b"1\n2")
    assert text([*collected(fifo, 1), *fifo.read(5)]) == b"1\n2"
    assert fifo.read(0.1) == []
    write(path, b"3\n")
    assert text(collected(fifo, 1)) == b"3\n"
    assert not fifo.ended


def test_a_writer_who_went_before_it_was_looked_at_is_read(path, fifo):
    for number in range(50):
        write(path, b"%d\n" % number)
    assert text(collected(fifo, 50)) == b"".join(b"%d\n" % number for number in range(50))


def test_a_writer_is_held_back_and_not_refused_while_nobody_reads(path, fifo):
    program = f"f = open({str(path)!r}, 'w')\nfor n in range(50_000): print(n, file=f)"
    with subprocess.Popen([sys.executable, "-c", program]) as writer:
        lines = text(collected(fifo, 50_000, 30)).split()
        assert writer.wait(10) == 0
    assert lines == [b"%d" % number for number in range(50_000)]


def test_once_it_ends_with_the_first_who_wrote_something(path):
    fifo = Fifo(path, once=True)
    fifo.open()
    assert fifo.read(0.1) == []
    write(path, b"")
    assert fifo.read(0.1) == []
    assert not fifo.ended
    write(path, b"1\n2")
    assert text(to_the_end(fifo)) == b"1\n2"
    fifo.close()


def test_half_a_line_waits_for_its_other_half_while_it_is_closed(path, fifo):
    writer = os.open(path, os.O_WRONLY)
    write_all(writer, b"1\n2")
    assert text(collected(fifo, 1)) == b"1\n"
    keeper = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fifo.close()
    write_all(writer, b"2\n")
    fifo.open()
    assert text(collected(fifo, 1)) == b"22\n"
    os.close(keeper)
    os.close(writer)


def test_a_pipe_that_nobody_finds_any_more_is_lost(path, fifo):
    path.unlink()
    with pytest.raises(SourceLost, match="was removed or replaced"):
        fifo.read(0.05)
    os.mkfifo(path)
    fifo.open()
    write(path, b"1\n")
    assert text(collected(fifo, 1)) == b"1\n"


def test_what_is_not_there_or_no_fifo_is_told(tmp_path):
    with pytest.raises(InputNotFound, match="no such file"):
        Fifo(tmp_path / "none").open()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is no FIFO"):
        Fifo(tmp_path / "file").open()


def test_standard_input_ends_at_its_end_and_is_not_closed():
    reader, writer = os.pipe()
    source = StandardInput(reader)
    source.open()
    write_all(writer, b"1\n2")
    assert text(collected(source, 1)) == b"1\n"
    assert not source.ended
    os.close(writer)
    assert text(to_the_end(source)) == b"2"
    assert source.read(5) == []
    source.close()
    os.close(reader)  # still ours


def test_standard_input_may_be_a_file(tmp_path):
    (tmp_path / "rows").write_bytes(b"1\n" * 200_000)
    with (tmp_path / "rows").open("rb") as file:
        source = StandardInput(file.fileno())
        source.open()
        assert text(to_the_end(source)) == b"1\n" * 200_000
        source.close()


def test_a_closed_standard_input_is_told():
    reader, writer = os.pipe()
    os.close(writer)
    os.close(reader)
    with pytest.raises(BadInput, match="standard input: is closed; pipe rows into"):
        StandardInput(reader).open()


def test_it_is_the_standard_input_of_the_process():
    program = (
        "from edged.sources.pipes import StandardInput as S\n"
        "s = S(); s.open(); out = b''\n"
        "while not s.ended: out += b''.join(d.payload for d in s.read(5))\n"
        "print(out)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"1\n2", capture_output=True, timeout=30)
    assert done.stdout.strip() == rb"b'1\n2'"
