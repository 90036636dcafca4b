"""Log lines on standard error: with fields of their own for journald, coloured on a terminal, plain elsewhere.

No password gets into a line: the whole of it passes `redacted`, so that it does not matter in which value an address
hides. Where a machine reads them, what a camera or a broker said cannot begin a line of its own. What is said again and
again is summed up (`edged.logs.repeats`).
"""

import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from edged.logs.lazily import Lazily

# structlog loads these for tracebacks and for coroutines that are not used here: a tenth of a start, and megabytes.
_STAND_INS: dict[str, Any] = {"rich": None, "asyncio": Lazily("asyncio")}
_hidden = [name for name in _STAND_INS if name not in sys.modules]
sys.modules.update({name: _STAND_INS[name] for name in _hidden})
import structlog  # noqa: E402

from edged.logs.repeats import Repeats  # noqa: E402
from edged.urls import redacted  # noqa: E402

for _name in _hidden:
    del sys.modules[_name]

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_REPEATED = "repeated"
_repeats = Repeats()


def configure(*, debug: bool = False) -> None:
    """Set up logging for this process."""
    global _repeats  # noqa: PLW0603  # the one of the process, as structlog's configuration is
    _repeats = Repeats()
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    processors: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    processors.append(_not_again)
    factory: Any = structlog.WriteLoggerFactory(file=sys.stderr)
    if _under_journald():
        from edged.logs.journal import Journal, JournalLogger  # noqa: PLC0415  # only under systemd

        journal = Journal(sys.stderr)
        processors += [structlog.processors.format_exc_info, _journal_fields]
        factory = lambda *_: JournalLogger(journal)  # noqa: E731
    elif sys.stderr.isatty():
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            # Plain: the others print local variables.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
            _without_secrets,
        ]
    else:
        processors += [
            structlog.processors.format_exc_info,
            stamp,
            _plain_line,
            _on_one_line,
            _without_secrets,
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )


def tell_repeats(*, all_of_them: bool = False) -> None:
    """Write a line for each that was not written for a minute; at the end of a process for all of them."""
    for summary in _repeats.due(time.monotonic(), all_of_them=all_of_them):
        values = {"event": summary.event, **summary.values, _REPEATED: summary.repeated}
        getattr(structlog.get_logger(), summary.level)(**values)


def _under_journald() -> bool:
    if sys.platform == "win32" or not hasattr(sys.stderr, "fileno"):
        return False
    import os  # noqa: PLC0415

    if "JOURNAL_STREAM" not in os.environ:
        return False
    from edged.logs.journal import is_journal  # noqa: PLC0415  # only under systemd

    return is_journal(sys.stderr)


def _not_again(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what was said within the last minute."""
    if event["level"] == "debug" or _REPEATED in event:
        return event
    values = {key: value for key, value in event.items() if key not in {"event", "level"}}
    if not _repeats.admit(event["level"], str(event["event"]), values, time.monotonic()):
        raise structlog.DropEvent
    return event


def _without_secrets(_logger: Any, _method: str, line: str) -> str:
    return redacted(line)


def _on_one_line(_logger: Any, _method: str, line: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line.replace("\n", " | "))


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    return " ".join([head, *_pairs(event)])


def _journal_fields(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str, int, Mapping[str, str]], dict[str, Any]]:
    """What `JournalLogger` takes: the line, its priority, and each value by itself."""
    priority = _PRIORITIES.get(event.pop("level"), 6)
    line = " ".join([str(event.pop("event")), *_pairs(event)])
    message = _without_secrets(logger, method, _on_one_line(logger, method, line))
    return (message, priority, {key: redacted(str(value)) for key, value in event.items()}), {}


def _pairs(event: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}={value!r}" if isinstance(value, str) and " " in value else f"{key}={value}"
        for key, value in event.items()
    ]
