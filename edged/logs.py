"""Log lines on standard error: with priorities under journald, coloured on a terminal, plain elsewhere.

No password gets into a line: every text value passes `redacted`.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from edged.urls import redacted

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}


def configure(*, debug: bool = False) -> None:
    """Set up logging for this process."""
    journald = "JOURNAL_STREAM" in os.environ
    terminal = sys.stderr.isatty() and not journald
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _without_secrets,
        structlog.processors.format_exc_info,
    ]
    if terminal:
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(),
        ]
    elif journald:
        processors += [_journald_line]
    else:
        processors += [structlog.processors.TimeStamper(fmt="iso", utc=True), _plain_line]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: redacted(value) if isinstance(value, str) else value for key, value in event.items()}


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    return " ".join([head, *_pairs(event)])


def _journald_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"<{_PRIORITIES.get(event.pop('level'), 6)}>{event.pop('event')}"
    return " ".join([head, *_pairs(event)]).replace("\n", " | ")


def _pairs(event: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}={value!r}" if isinstance(value, str) and " " in value else f"{key}={value}"
        for key, value in event.items()
    ]
