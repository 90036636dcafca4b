"""Events that have started and not ended, written down so that each has its end, whatever ends edged.

    put(start) ─→ thread ─ line "start", flushed to the disk ─→ outbox ─ settled ─→ line "started"
    put(end)   ─→ thread ─ line "end", flushed to the disk   ─→ outbox ─ settled ─→ line "ended"

A message is handed to the outbox once its line is on the disk, and the line that takes it back is written once the
outbox has the message on its own disk. So a kill between any two steps leaves lines that say what is missing, and
`recover` hands in the very message again, with the same id: who drops duplicates by `message_id` sees one start and one
end. An object whose end nobody has written gets the end ``restart``, with what was known of it.

The file is emptied whenever no event is open, and written anew where it grows. A disk that fails holds nothing up.
"""

import contextlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import structlog

from edged.event import Kind
from edged.files import write_whole
from edged.heartbeat import Heartbeat
from edged.outbox import Outbox, Rank

FILE = "open-events.jsonl"
MAX_BYTES = 32 << 20
"""Of the file; what is beyond it is not read."""
COMPACT_BYTES = 1 << 20
"""A file that is larger, and four times as large as what is open, is written anew."""
STATE_EVERY_S = 10.0
"""An update is written down so often at most: it is for the end of an object whose book is gone."""
MAX_WAITING = 1000
"""Messages that wait for the disk; updates beyond them are dropped, starts and ends never."""
STUCK_S = 30.0

log = structlog.get_logger()


@dataclass(slots=True)
class Opened:
    """An event that has not ended as far as the file goes.

    Attributes:
        topic: Of its messages.
        qos: Of its messages.
        start: Its first message, until the outbox has it; empty then.
        last: Its newest message that was written down.
        end: Its last message, until the outbox has it; empty before there is one.
        written_s: When something was written of it, on the monotonic clock.
    """

    topic: str
    qos: int
    start: str
    last: str
    end: str = ""
    written_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Message:
    kind: Kind
    event_id: str
    topic: str
    payload: bytes
    qos: int


class OpenEvents:
    """The file, and the thread that writes it. `put` may be called from any thread."""

    def __init__(self, folder: Path | None, outbox: Outbox) -> None:
        """Nothing is read before `recover`.

        Args:
            folder: Of this instance; None = nothing is written down, messages go on at once.
            outbox: Takes the messages.
        """
        self._path = folder / FILE if folder else None
        self._outbox = outbox
        self._news = threading.Condition()
        self._waiting: deque[_Message] = deque()
        self._settled: deque[tuple[str, str]] = deque()
        self._busy = self._closing = False
        self._open: dict[str, Opened] = {}
        self._file: IO[bytes] | None = None
        self._size = 0
        self._failed = ""
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name="open-events", daemon=True)

    def recover(self, ended: Callable[[bytes], bytes]) -> list[bytes]:
        """Hand in what a run before left undone; before anything is put, and before the thread is started.

        Args:
            ended: Makes the end of an event from its last message; a `ValueError` says that it is none.

        Returns:
            The ends, of events that are over now.
        """
        if self._path is None:
            return []
        self._open = _folded(self._read(self._path))
        ends = []
        for event_id, known in list(self._open.items()):
            if not known.end:
                try:
                    known.end = ended(known.last.encode()).decode()
                except (ValueError, RecursionError):
                    del self._open[event_id]
                    continue
            ends.append(known.end.encode())
        self._rewrite()  # before the first is handed in: what a kill interrupts now is the same at the next start
        for event_id, known in list(self._open.items()):
            if known.start:
                self._append("start", event_id, known.topic, known.start.encode(), known.qos)
            self._append("end", event_id, known.topic, known.end.encode(), known.qos)
        if ends:
            log.info("events that were open when edged ended are ended", events=len(ends))
        return ends

    def start(self) -> None:
        """Begin to write."""
        if self._path is not None:
            self._thread.start()

    def put(self, kind: Kind, event_id: str, topic: str, payload: bytes, *, qos: int) -> None:
        """Take a message about an event; those of one are handed on in this order.

        Args:
            kind: What it says.
            event_id: Of the event.
            topic: Where it goes.
            payload: What.
            qos: 0, 1 or 2.
        """
        if self._path is None:
            self._outbox.append(topic, payload, qos=qos, rank=Rank.EVENT)
            return
        with self._news:
            if kind != "update" or len(self._waiting) < MAX_WAITING:
                self._waiting.append(_Message(kind, event_id, topic, payload, qos))
                self._news.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is handed on."""
        with self._news:
            return self._news.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write down what the outbox has settled, and end the thread; nothing may be put any more."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # The thread

    def _run(self) -> None:
        with self._heart:
            closing = False
            while not closing:
                with self._news:
                    self._heart.rest()
                    self._news.wait_for(lambda: self._waiting or self._settled or self._closing)
                    self._heart.mark()
                    messages, settled = list(self._waiting), list(self._settled)
                    self._waiting.clear()
                    self._settled.clear()
                    self._busy, closing = True, self._closing
                self._write(messages, settled)
                for one in messages:
                    self._append(one.kind, one.event_id, one.topic, one.payload, one.qos)
                with self._news:
                    self._busy = False
                    closing = closing and not (self._waiting or self._settled)
                    self._news.notify_all()
        self._shut()

    def _append(self, kind: Kind, event_id: str, topic: str, payload: bytes, qos: int) -> None:
        settled = (
            None
            if kind == "update"
            else partial(self._has, "started" if kind == "start" else "ended", event_id)
        )
        self._outbox.append(topic, payload, qos=qos, rank=Rank.EVENT, settled=settled)

    def _has(self, what: str, event_id: str) -> None:
        """The outbox has a message on its disk; called from its thread."""
        with self._news:
            self._settled.append((what, event_id))
            self._news.notify_all()

    def _write(self, messages: list[_Message], settled: list[tuple[str, str]]) -> None:
        now_s, lines, flush = time.monotonic(), list[dict[str, Any]](), False
        for what, event_id in settled:
            if _settle(self._open, what, event_id):
                lines.append({"do": what, "id": event_id})
        for one in messages:
            known, text = self._open.get(one.event_id), one.payload.decode()
            if one.kind == "update" and (known is None or now_s - known.written_s < STATE_EVERY_S):
                continue
            line = {"do": one.kind, "id": one.event_id, "topic": one.topic, "qos": one.qos, "message": text}
            _apply(self._open, line)
            if known := self._open.get(one.event_id):
                known.written_s = now_s
            lines.append(line)
            flush = flush or one.kind != "update"
        self._keep(lines, flush=flush)

    def _keep(self, lines: list[dict[str, Any]], *, flush: bool) -> None:
        if not lines:
            return
        content = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        try:
            if not self._open:
                self._empty()
                return
            live = sum(len(one.start) + len(one.last) + len(one.end) for one in self._open.values())
            if self._file is None or self._size + len(content) > max(COMPACT_BYTES, 4 * live):
                self._rewrite()
                return
            self._file.write(content)
            self._size += len(content)
            if flush:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._fail(error)
        else:
            self._fine()

    def _rewrite(self) -> None:
        """The file with what is open, and nothing else."""
        self._close_file()
        if self._path is None or not self._open:
            self._remove()
            return
        content = b"".join(
            json.dumps(line, separators=(",", ":")).encode() + b"\n"
            for event_id, one in self._open.items()
            for line in _lines(event_id, one)
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, content)
            self._file = self._path.open("ab", buffering=0)
            self._size = len(content)
        except OSError as error:
            self._fail(error)
        else:
            self._fine()

    def _empty(self) -> None:
        if self._file is not None:
            self._file.truncate(0)  # it is opened for appending
            self._size = 0

    def _shut(self) -> None:
        self._close_file()
        if not self._open:
            self._remove()

    def _remove(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _read(self, path: Path) -> list[dict[str, Any]]:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._fail(error)
            return []
        lines, damaged = [], 0
        for text in content.split(b"\n")[:-1]:  # what has no end was being written when edged was killed
            try:
                line = json.loads(text)
                lines.append(line)
            except (ValueError, RecursionError):
                damaged += 1
        if damaged:
            log.warning("open events: lines cannot be read", file=str(path), lines=damaged)
        return lines

    def _fail(self, error: OSError) -> None:
        """Say it once a spell."""
        self._close_file()  # it is written as a whole next time
        why = error.strerror or str(error)
        if why != self._failed:
            log.error(
                "open events are not kept on disk: after a kill they would have no end",
                file=str(self._path),
                reason=why,
            )
        self._failed = why

    def _fine(self) -> None:
        if self._failed:
            log.info("open events are kept on disk again", file=str(self._path))
        self._failed = ""


def _folded(lines: list[dict[str, Any]]) -> dict[str, Opened]:
    """What is open after these lines; one that is not ours counts for nothing."""
    opened: dict[str, Opened] = {}
    for line in lines:
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, OverflowError):
            _apply(opened, line)
    return opened


def _apply(opened: dict[str, Opened], line: dict[str, Any]) -> None:
    do, event_id = line["do"], str(line["id"])
    if do in {"started", "ended"}:
        _settle(opened, do, event_id)
    elif do == "start":
        message, topic, qos = _message(line)
        opened[event_id] = Opened(topic, qos, message, message)
    elif do == "update" and event_id in opened:
        opened[event_id].last, *_ = _message(line)
    elif do == "end":
        message, topic, qos = _message(line)
        known = opened.setdefault(event_id, Opened(topic, qos, "", message))
        known.topic, known.qos, known.end = topic, qos, message


def _message(line: dict[str, Any]) -> tuple[str, str, int]:
    """Message, topic, QoS; a `ValueError` says that they cannot be sent."""
    message, topic, qos = str(line["message"]), str(line["topic"]), int(line["qos"])
    if qos not in {0, 1, 2}:
        raise ValueError(f"QoS {qos}")
    message.encode(), topic.encode()  # JSON knows halves of characters, which are no Unicode
    return message, topic, qos


def _settle(opened: dict[str, Opened], what: str, event_id: str) -> bool:
    """The outbox has it; whether that was news."""
    known = opened.get(event_id)
    if known is None:
        return False
    if what == "ended":
        del opened[event_id]
    else:
        known.start = ""
    return True


def _lines(event_id: str, one: Opened) -> list[dict[str, Any]]:
    """What folds into this."""
    about = {"id": event_id, "topic": one.topic, "qos": one.qos}
    lines: list[dict[str, Any]] = [{"do": "start", **about, "message": one.start or one.last}]
    if not one.start:
        lines.append({"do": "started", "id": event_id})
    if one.last not in {one.start, ""} and one.start:
        lines.append({"do": "update", **about, "message": one.last})
    if one.end:
        lines.append({"do": "end", **about, "message": one.end})
    return lines
