import io
import os
import re
import sys

import pytest
import structlog

from edged import logs
from edged.logs.repeats import AT_ONCE
from edged.urls import keep_secret


class Stream(io.StringIO):
    """Standard error, with the descriptor of a file that is something else."""

    def __init__(self, descriptor: int, *, terminal: bool) -> None:
        super().__init__()
        self._descriptor, self._terminal = descriptor, terminal

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def lines(monkeypatch, tmp_path):
    """Configures logging for a place and gives what was written since; nothing listens as journald does."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.setenv("EDGED_TEST_JOURNAL", str(tmp_path / "nobody"))
    with (tmp_path / "file").open("w") as file:

        def configured(*, journald: bool = False, terminal: bool = False, debug: bool = False):
            stream = Stream(file.fileno(), terminal=terminal)
            monkeypatch.setattr(sys, "stderr", stream)
            if journald:
                status = os.fstat(file.fileno())
                monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
            logs.configure(debug=debug)
            return stream.getvalue

        yield configured
        structlog.reset_defaults()


def speak() -> None:
    log = structlog.get_logger()
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)(f"{level} event", camera="front", why="two words")


def test_where_journald_does_not_listen_a_line_begins_with_its_priority_and_has_no_time(lines):
    written = lines(journald=True)
    speak()
    assert written().splitlines() == [
        "<6>info event camera=front why='two words'",
        "<4>warning event camera=front why='two words'",
        "<3>error event camera=front why='two words'",
        "<2>critical event camera=front why='two words'",
    ]


def test_debug_lines_are_written_only_when_asked_for(lines):
    written = lines(journald=True, debug=True)
    speak()
    assert written().startswith("<7>debug event")


def test_elsewhere_a_line_begins_with_the_time_and_the_level(lines):
    written = lines()
    speak()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z info    info event camera=front", written())
    assert "\x1b" not in written()


def test_on_a_terminal_lines_are_coloured(lines):
    written = lines(terminal=True)
    speak()
    assert "\x1b[" in written()


def _fail_and_log(log) -> None:
    try:
        int(URL)
    except ValueError:
        log.exception("failed")


URL = "rtsp://joe:pass-word@cam/1?token=tok-en"


@pytest.mark.parametrize(
    "place", [{"journald": True}, {"terminal": True}, {}], ids=["journald", "terminal", "plain"]
)
@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.info(f"opening {URL}"),
        lambda log: log.info("opening", url=URL),
        lambda log: log.info("opening", urls=[URL, URL]),
        lambda log: log.info("opening", cameras={"front": {"url": URL}}),
        lambda log: log.error("failed", error=ValueError(URL)),
        lambda log: log.bind(url=URL).warning("opening"),
        _fail_and_log,
    ],
    ids=["event", "text", "list", "table", "error", "bound", "traceback"],
)
def test_no_password_gets_into_a_line_in_whatever_value_it_hides(lines, place, say):
    written = lines(**place)
    say(structlog.get_logger())
    assert "***" in written()
    assert "pass-word" not in written()
    assert "tok-en" not in written()


@pytest.mark.parametrize("place", [{"journald": True}, {}], ids=["journald", "plain"])
def test_what_others_say_cannot_begin_a_line_of_its_own(lines, place):
    written = lines(**place)
    structlog.get_logger().warning("the\ncamera said", reason="x\n<2>forged", more="a\r\nb\x1b[31m")
    assert len(written().splitlines()) == 1
    assert "\x1b" not in written()


def test_a_stream_that_is_not_the_journal_is_written_to_as_any_other(lines, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    written = lines()
    speak()
    assert not written().startswith("<")


def test_what_is_said_again_and_again_is_summed_up(lines, monkeypatch):
    written = lines()
    for _ in range(100):
        structlog.get_logger().warning("camera offline", camera="front")
    structlog.get_logger().warning("camera offline", camera="back")
    assert len(written().splitlines()) == AT_ONCE + 1
    logs.tell_repeats(all_of_them=True)
    assert written().splitlines()[-1].endswith(f"camera offline camera=front repeated={100 - AT_ONCE}")
    logs.tell_repeats(all_of_them=True)
    assert len(written().splitlines()) == AT_ONCE + 2


def test_debug_lines_are_all_written(lines):
    written = lines(debug=True)
    for _ in range(100):
        structlog.get_logger().debug("tick")
    assert len(written().splitlines()) == 100


def test_a_secret_that_is_known_gets_into_no_line_even_where_no_address_is(lines):
    written = lines()
    keep_secret("Zaunkoenig-77")
    structlog.get_logger().warning("the camera said: Zaunkoenig-77 is wrong")
    assert "the camera said: *** is wrong" in written()
