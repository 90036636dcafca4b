import io
import re
import sys

import pytest
import structlog

from edged import logs


@pytest.fixture
def lines(monkeypatch):
    """Configures logging for a place and gives what was written since."""
    stream = io.StringIO()
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)

    def configured(*, journald: bool = False, terminal: bool = False, debug: bool = False):
        monkeypatch.setattr(sys, "stderr", stream)
        if journald:
            monkeypatch.setenv("JOURNAL_STREAM", "8:1")
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        logs.configure(debug=debug)
        return stream.getvalue

    yield configured
    structlog.reset_defaults()


def speak() -> None:
    log = structlog.get_logger()
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)(f"{level} event", camera="front", why="two words")


def test_under_journald_a_line_begins_with_its_priority_and_has_no_time(lines):
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
