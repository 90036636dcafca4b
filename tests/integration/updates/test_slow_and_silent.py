"""Servers that are slow, silent or away, and who wants to stop meanwhile.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import time
from dataclasses import replace

import pytest
from http_server import Request
from update_box import QUICK


def test_a_drip_of_5_kb_a_second(box, server, repository):
    def drip(request: Request, content: bytes) -> None:
        request.head(200, Content_Length=str(len(content)))
        for start in range(0, len(content), 250):
            if server.web.stopped.wait(0.05):
                return
            request.wfile.write(content[start : start + 250])
            request.wfile.flush()

    server.harm[repository.tar_of(2)] = drip
    started_s = time.monotonic()
    box.waits("too slow", box.take)
    assert time.monotonic() - started_s < 5
    assert box.parts[0].stat().st_size > 1000  # the next try goes on from there


def test_metadata_that_drips(box, server, repository):
    server.harm["metadata/timestamp.json"] = lambda request, content: (
        request.head(200, Content_Length=str(len(content))),
        request.drip(content, every_s=0.1),
    )
    box.limits = replace(QUICK, refresh_s=0.6)
    box.restart()
    box.waits("too slow")


@pytest.mark.parametrize("when", ["before headers", "in the body"])
def test_a_silent_server(box, server, repository, when):
    def silent(request: Request, content: bytes) -> None:
        if when == "in the body":
            request.head(200, Content_Length=str(len(content)))
            request.wfile.write(content[:20_000])
        server.web.stopped.wait(10)

    server.harm[repository.tar_of(2)] = silent
    box.limits = replace(QUICK, answer_s=0.4, silence_s=0.4)
    box.restart()
    started_s = time.monotonic()
    box.waits("unreachable" if when == "before headers" else "too slow", box.take)
    assert time.monotonic() - started_s < 3


def test_nobody_listens(box, server, repository, free_port):
    box.url = f"http://127.0.0.1:{free_port()}/repo"
    box.restart()
    box.waits("unreachable")


def test_endless_metadata_is_read_no_further_than_metadata_goes(box, server, repository):
    server.harm["metadata/timestamp.json"] = lambda request, content: request.answer(
        200, b"{" + b" " * 20_000
    )
    box.refuses("mismatch")


@pytest.mark.parametrize("where", ["headers", "body", "pause"])
def test_who_wants_to_stop_is_heard_whatever_is_waited_for(box, server, repository, where):
    begun: list[float] = []

    def silent(request: Request, content: bytes) -> None:
        if where == "pause":
            begun.append(time.monotonic())
            request.answer(200, content)
            return
        if where == "body":
            request.head(200, Content_Length=str(len(content)))
            request.wfile.write(content[:20_000])
        begun.append(time.monotonic())
        server.web.stopped.wait(10)

    server.harm[repository.tar_of(2)] = silent
    box.limits = replace(QUICK, answer_s=20, silence_s=20, rate_window_s=20)
    box.max_rate = 10_000 if where == "pause" else None
    box.stopping = lambda: bool(begun) and time.monotonic() > begun[0] + 0.3
    box.restart()
    box.waits("stopped", box.take)
    assert time.monotonic() - begun[0] < 3  # of 20; on a machine that is not busy, half a second


def test_no_more_comes_a_second_than_was_allowed(box, server, repository):
    box.max_rate = 500_000
    box.restart()
    started_s = time.monotonic()
    box.take()
    assert time.monotonic() - started_s > 0.7
