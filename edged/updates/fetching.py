"""How bytes come from a repository: metadata into memory, targets into a `Part`, with an end to everything.

Here errors of the network become `UpdateUnreachable`. A connection that breaks while a target comes is taken up again
at once for as long as each brings something, by a request for the rest: on a line that breaks every 64 kB a model
arrives all the same, and no byte comes twice.
"""

import http.client
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from edged.errors import (
    EdgedError,
    InputNotFound,
    NotAllowed,
    Unreachable,
    UpdateRefused,
    UpdateUnreachable,
    UsageError,
    Weather,
)
from edged.exchange import Watch, opened, status_of
from edged.updates.partial import Part
from edged.updates.rate import Bucket, Limits, Pace
from edged.urls import redacted

LITTLE_BYTES = 16 * 1024
"""A try that brings less counts as one that brought nothing."""
_FRESH = {"Cache-Control": "no-cache"}
"""Of metadata: a proxy that gives an older timestamp than before looks like an attack."""
_PIECE_BYTES = 64 * 1024
_LOOK_S = 0.2

Progress = Callable[[int, int], None]
"""Called with the bytes that have come and with how many there will be."""


class Server:
    """The static files of a repository."""

    def __init__(
        self, url: str, *, max_rate_bytes_s: float | None, stopping: Callable[[], bool], limits: Limits
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: The folder that holds ``metadata`` and ``targets``; what follows a ``?`` goes with every request.
            max_rate_bytes_s: Of targets; None = no bound.
            stopping: Whether somebody wants to stop; from any thread.
            limits: What is waited for, and how long.
        """
        self._url, self._rate, self._stopping, self._limits = url, max_rate_bytes_s, stopping, limits
        self.shown = redacted(url)

    def metadata(self, name: str, max_bytes: int, *, due_s: float) -> bytes:
        """A file of metadata.

        Args:
            name: ``timestamp.json``.
            max_bytes: Of it.
            due_s: When it must be there, by `time.monotonic`.

        Raises:
            UpdateRefused: It is longer.
            UpdateUnreachable: It does not come.
        """
        url = self._at("metadata", name)
        watch, content = Watch(self._stopping), bytearray()
        if time.monotonic() >= due_s:
            raise _too_slow(url, f"no end within {self._limits.refresh_s:g} s")
        try:
            with self._asked(url, watch, due_s, _FRESH) as answer:
                _no_portal(url, answer)
                if answer.status != 200:
                    raise _no_repository(url)
                while piece := answer.read1(_PIECE_BYTES):
                    content += piece
                    if len(content) > max_bytes:
                        raise _not_signed(url, f"is longer than {max_bytes:,} bytes")
                if answer.length:
                    raise http.client.IncompleteRead(b"")
                if watch.ended:
                    raise TimeoutError  # explained where all others are
        except (UpdateRefused, UpdateUnreachable):
            raise
        except (InputNotFound, NotAllowed, Unreachable, UsageError) as error:
            raise self._weather(url, error, watch) from error
        if not content.lstrip().startswith(b"{"):
            raise _no_repository(url)
        return bytes(content)

    def target(self, path: str, part: Part, progress: Progress) -> None:
        """Have a target come whole and right, and on the disk.

        Args:
            path: Of its file.
            part: What has come of it.
            progress: Called from this thread.

        Raises:
            UpdateRefused: It is not what was signed; nothing of it is left.
            UpdateUnreachable: Not now; what came is kept, unless the disk is full.
        """
        url = self._at("targets", path)
        due_s = time.monotonic() + self._limits.total_s(part.length, self._rate)
        pace = Pace(self._limits.least(self._rate), self._limits.rate_window_s, time.monotonic())
        bucket, idle = Bucket(self._rate), 0
        pieces, again = 2 if part.count else 0, False
        progress(part.count, part.length)
        while not part.is_right():
            if part.is_whole():
                if pieces == 1 or again:
                    part.remove()
                    raise _not_signed(url, "is not the file that was signed: its hash is another one")
                part.restart()  # of what came in pieces one may have been spoilt here, by a power cut
                pieces, again = 0, True
            before, pieces = part.count, pieces + 1
            try:
                self._rest(url, part, progress, bucket=bucket, pace=pace, due_s=due_s)
            except UpdateUnreachable as error:
                idle = 0 if part.count - before >= LITTLE_BYTES else idle + 1
                if error.reason != "interrupted" or idle >= self._limits.tries:
                    raise
                if idle:
                    self._wait(url, self._limits.pause_s * 2 ** (idle - 1))
        part.flush()

    def _rest(
        self, url: str, part: Part, progress: Progress, *, bucket: Bucket, pace: Pace, due_s: float
    ) -> None:
        """One request for what is missing."""
        watch = Watch(self._stopping)
        if time.monotonic() >= due_s:
            raise _too_slow(url, "no end within the time that its length allows")
        headers = {"Range": f"bytes={part.count}-"} if part.count else {}
        if part.count and part.tag:
            headers["If-Range"] = part.tag
        try:
            with self._asked(url, watch, due_s, headers) as answer:
                self._begin(url, part, answer)
                while not part.is_whole():
                    piece = answer.read1(min(bucket.piece_bytes, part.length - part.count))
                    if not piece:
                        raise http.client.IncompleteRead(b"")
                    part.append(piece)
                    progress(part.count, part.length)
                    now_s = time.monotonic()
                    if not pace.enough(len(piece), now_s):
                        raise _too_slow(url, "gives too few bytes a second")
                    self._wait(url, bucket.spend(len(piece), now_s))
        except (UpdateRefused, UpdateUnreachable):
            raise
        except (InputNotFound, NotAllowed, Unreachable, UsageError) as error:
            if status_of(error) == 416:  # what is here is no beginning of what is there
                part.restart()
                raise _interrupted(url, "has no more than came") from error
            raise self._weather(url, error, watch) from error

    @contextmanager
    def _asked(
        self, url: str, watch: Watch, due_s: float, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer, watched until it is due."""
        answer_s = min(max(0.001, due_s - time.monotonic()), self._limits.answer_s)
        with (
            opened(
                url, watch=watch, answer_s=answer_s, silence_s=self._limits.silence_s, headers=headers
            ) as answer,
            watch.running(max(0.0, due_s - time.monotonic())),
        ):
            yield answer

    def _begin(self, url: str, part: Part, answer: http.client.HTTPResponse) -> None:
        """Read what the headers say of what follows."""
        _no_portal(url, answer)
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise UpdateUnreachable(
                redacted(url),
                "comes packed, unasked",
                "correct the server, or the proxy between",
                reason="no repository",
            )
        if answer.status == 206:
            found = re.fullmatch(
                r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", answer.headers.get("Content-Range", "")
            )
            if found and found[2] not in {"*", str(part.length)}:
                part.remove()
                raise _not_signed(url, f"is {int(found[2]):,} bytes long, signed were {part.length:,}")
            if not found or int(found[1]) != part.count:
                part.restart()
                raise _interrupted(url, "answers with another part than was asked for")
            return
        if answer.status != 200:
            raise _no_repository(url)
        if answer.length is not None and answer.length != part.length:
            part.remove()
            raise _not_signed(url, f"is {answer.length:,} bytes long, signed were {part.length:,}")
        tag = answer.headers.get("ETag", "")
        part.begin(tag if tag.startswith('"') else answer.headers.get("Last-Modified", ""))

    def _at(self, folder: str, path: str) -> str:
        parts = urlsplit(self._url)
        return urlunsplit(
            parts._replace(path=f"{parts.path.rstrip('/')}/{folder}/{quote(path)}", fragment="")
        )

    def _wait(self, url: str, for_s: float) -> None:
        until_s = time.monotonic() + for_s
        while True:
            if self._stopping():
                raise _stopped(url)
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, _LOOK_S))

    def _weather(self, url: str, error: EdgedError, watch: Watch) -> UpdateUnreachable:
        """An error of `edged.exchange`, in the words of updates."""
        if watch.ended and self._stopping():
            return _stopped(url)
        cause = error.__cause__
        reason: Weather = "unreachable"
        if isinstance(error, InputNotFound):
            reason = "missing"
        elif isinstance(error, NotAllowed):
            reason = "not allowed"
        elif watch.answered and (watch.ended or isinstance(cause, TimeoutError)):
            reason = "too slow"
        elif watch.answered:
            reason = "interrupted"
        return UpdateUnreachable(error.subject, error.problem, error.remedy, reason=reason)


def _no_portal(url: str, answer: http.client.HTTPResponse) -> None:
    """A page for people instead of a file is what networks answer that want somebody to log in first."""
    if answer.headers.get_content_type() in {"text/html", "application/xhtml+xml"}:
        raise _no_repository(url)


def _too_slow(url: str, problem: str) -> UpdateUnreachable:
    return UpdateUnreachable(redacted(url), problem, "try again later", reason="too slow")


def _not_signed(url: str, problem: str) -> UpdateRefused:
    return UpdateRefused(
        redacted(url), problem, "look who changed it on the server or on the way", reason="mismatch"
    )


def _no_repository(url: str) -> UpdateUnreachable:
    return UpdateUnreachable(
        redacted(url),
        "answers with a page, not with a file of a repository",
        "check the address; a network that wants a login answers so too",
        reason="no repository",
    )


def _interrupted(url: str, problem: str) -> UpdateUnreachable:
    return UpdateUnreachable(redacted(url), problem, "try again later", reason="interrupted")


def _stopped(url: str) -> UpdateUnreachable:
    return UpdateUnreachable(
        redacted(url), "was left because edged stops or the window closed", reason="stopped"
    )
