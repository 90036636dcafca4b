"""Log lines on standard error: with priorities under journald, coloured on a terminal, plain elsewhere.

No password gets into a line: the whole of it passes `redacted`, so that it does not matter in which value an address
hides. Where a machine reads them, what a camera or a broker said cannot begin a line of its own.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

_HIDES = "rich" not in sys.modules
if _HIDES:
    # structlog.dev loads it for tracebacks that nobody asks for: a tenth of a start, and megabytes.
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

from edged.urls import redacted  # noqa: E402

if _HIDES:
    del sys.modules["rich"]

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}


def configure(*, debug: bool = False) -> None:
    """Set up logging for this process."""
    journald = "JOURNAL_STREAM" in os.environ
    terminal = sys.stderr.isatty() and not journald
    processors: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    if terminal:
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            # Plain: the others print local variables.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    elif journald:
        processors += [structlog.processors.format_exc_info, _journald_line, _on_one_line]
    else:
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        processors += [structlog.processors.format_exc_info, stamp, _plain_line, _on_one_line]
    processors.append(_without_secrets)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _without_secrets(_logger: Any, _method: str, line: str) -> str:
    return redacted(line)


def _on_one_line(_logger: Any, _method: str, line: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line.replace("\n", " | "))


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    return " ".join([head, *_pairs(event)])


def _journald_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"<{_PRIORITIES.get(event.pop('level'), 6)}>{event.pop('event')}"
    return " ".join([head, *_pairs(event)])


def _pairs(event: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}={value!r}" if isinstance(value, str) and " " in value else f"{key}={value}"
        for key, value in event.items()
    ]
