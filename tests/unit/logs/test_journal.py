import io
import os
import socket
import sys
from pathlib import Path

import pytest
import structlog
from managers import Datagrams, fields, journal_stream

from edged import logs
from edged.logs.journal import MAX_FIELD_BYTES, MAX_FIELDS, Journal, datagram, field_name, is_journal

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("camera", "EDGED_CAMERA"),
        ("gate_ms", "EDGED_GATE_MS"),
        ("a-b.c é", "EDGED_A_B_C__"),
        ("x" * 99, "EDGED_" + "X" * 58),
    ],
)
def test_a_fields_name_is_what_journald_takes(key, name):
    assert field_name(key) == name


def test_a_line_is_read_as_it_was_written_whatever_it_holds():
    values = {"camera": "front", "trace": "one\ntwo=three\n", "empty": "", "odd": "a=b\udcff"}
    found = fields(datagram("it failed", 3, values))
    assert found.pop("MESSAGE") == "it failed"
    assert (found.pop("PRIORITY"), found.pop("SYSLOG_IDENTIFIER")) == ("3", "edged")
    assert found["EDGED_TRACE"] == values["trace"]
    assert found["EDGED_ODD"] == "a=b\\udcff"
    assert set(found) == {"EDGED_CAMERA", "EDGED_TRACE", "EDGED_EMPTY", "EDGED_ODD"}


def test_a_line_is_bounded():
    line = datagram("m" * 10**6, 6, {f"k{n}": "v" * 10**5 for n in range(1000)})
    assert len(line) < (MAX_FIELDS + 1) * (MAX_FIELD_BYTES + 100)
    assert len(fields(line)) == MAX_FIELDS + 3


def test_a_stream_is_the_journal_where_systemd_says_so(tmp_path, monkeypatch):
    with (tmp_path / "a").open("w") as ours, (tmp_path / "b").open("w") as other:
        monkeypatch.setenv("JOURNAL_STREAM", journal_stream(ours.fileno()))
        assert is_journal(ours)
        assert not is_journal(other)
        assert not is_journal(io.StringIO())
        for odd in ("", "1", "a:b"):
            monkeypatch.setenv("JOURNAL_STREAM", odd)
            assert not is_journal(ours)


def test_where_nobody_listens_a_line_goes_to_standard_error_with_its_priority(tmp_path):
    stream = io.StringIO()
    Journal(stream, str(tmp_path / "nobody")).write("it failed", 3, {})
    assert stream.getvalue() == "<3>it failed\n"


def test_a_journal_that_stands_still_costs_lines_and_no_time(tmp_path, monkeypatch):
    monkeypatch.setattr("edged.logs.journal.SEND_TIMEOUT_S", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "socket"))
        stream = io.StringIO()
        journal = Journal(stream, str(tmp_path / "socket"))
        while not journal.lost:
            journal.write("it failed", 3, {"x": "y" * 1000})
        assert stream.getvalue() == ""
        end.settimeout(5)
        for _ in range(3):
            end.recv(1 << 18)
        journal.write("it failed again", 3, {})
        said = b""
        while b"log lines are lost" not in said:
            said = end.recv(1 << 18)
        assert fields(said)["MESSAGE"].endswith("lost=1")


def test_no_password_gets_into_any_field(tmp_path: Path, monkeypatch):
    with Datagrams() as end, (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("JOURNAL_STREAM", journal_stream(stderr.fileno()))
        monkeypatch.setenv("EDGED_TEST_JOURNAL", end.path)
        logs.configure()
        try:
            log = structlog.get_logger()
            url = "rtsp://joe:pass-word@cam/1?token=tok-en"
            log.error("failed", url=url, urls=[url], table={"a": url}, error=ValueError(url))
            try:
                int(url)
            except ValueError:
                log.exception("failed inside")
            assert end.hears(b"failed inside")
        finally:
            structlog.reset_defaults()
        lines = end.heard
        said = [fields(line) for line in lines]
    assert all(b"pass-word" not in line and b"tok-en" not in line for line in lines)
    assert {"EDGED_URL", "EDGED_URLS", "EDGED_TABLE", "EDGED_ERROR"} <= set(said[0])
    assert said[1]["EDGED_EXCEPTION"].startswith("Traceback")
    assert "\n" in said[1]["EDGED_EXCEPTION"]
    assert os.linesep not in said[1]["MESSAGE"]
