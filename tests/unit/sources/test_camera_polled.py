"""A server that answers with one picture: it is asked for the next one at the rate that is wanted."""

import queue
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from camera_doubles import Recorder
from http_server import Request, Server

from edged.sources.camera import SourceStatus
from edged.sources.stream import read_frames


def picture(suffix: str = ".jpg", *, something: bool = False) -> bytes:
    """A noisy wall, and ``something`` before it."""
    wall = np.random.default_rng(1).integers(80, 120, (48, 64, 3)).astype(np.uint8)
    if something:
        wall[10:40, 20:40] = 255
    return cv2.imencode(suffix, wall)[1].tobytes()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def without_length(request: Request) -> None:
    """Answer as small cameras do: the end of the connection is the end of the picture."""
    request.head(200, Content_Type="image/jpeg")
    request.wfile.write(picture())


def in_chunks(request: Request) -> None:
    request.protocol_version = "HTTP/1.1"
    request.head(200, Content_Type="image/jpeg", Transfer_Encoding="chunked", Connection="close")
    request.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(picture()), picture()))


@pytest.mark.parametrize("path", ["/snap.jpg", "/cgi-bin/snapshot.cgi?channel=1", "/snap.png", "/plain"])
def test_each_picture_is_asked_for_when_it_is_due_and_looked_at(server, recorder, path):
    if path == "/plain":
        server.answers[path] = without_length
    else:
        server.serve(path, picture(".png" if "png" in path else ".jpg"))
    with recorder.camera(server.url(path), fps=20) as camera:
        frames = [recorder.frame() for _ in range(6)]
    state = recorder.online()
    assert (state.width, state.height, state.fps) == (64, 48, None)
    assert recorder.states.empty()  # the end of a picture is no loss
    assert [frame.sequence for frame in frames] == list(range(6))
    assert len(server.requests) == camera.statistics.captured == camera.statistics.chosen
    assert camera.statistics.reconnects == 0


@pytest.mark.parametrize("answer", [without_length, in_chunks])
@pytest.mark.parametrize("path", ["/snap.jpg", "/snap.jpeg", "/snap.png"])
def test_a_picture_of_unknown_length_is_read_whatever_it_is_called(server, recorder, path, answer):
    server.answers[path] = answer
    with recorder.camera(server.url(path), fps=20) as camera:
        for _ in range(4):
            recorder.frame()
    assert recorder.online()
    assert recorder.states.empty()
    assert camera.statistics.captured <= len(server.requests) <= camera.statistics.captured + 2


def test_a_server_that_says_the_length_of_its_pictures_again_is_asked_as_before(server, recorder):
    server.answers["/snap.jpg"] = without_length
    with recorder.camera(server.url("/snap.jpg"), fps=20):
        recorder.frame()
        server.serve("/snap.jpg", picture())
        for _ in range(4):
            recorder.frame()
    assert recorder.online()
    assert recorder.states.empty()


def test_where_all_are_wanted_they_are_a_second_apart(server, recorder):
    with recorder.camera(server.serve("/snap.jpg", picture())):
        first, second = recorder.frame(), recorder.frame()
    assert second.captured_monotonic_s - first.captured_monotonic_s > 0.5


def test_it_is_not_asked_before_the_next_one_is_due(server, recorder):
    with recorder.camera(server.serve("/snap.jpg", picture()), fps=0.01):
        recorder.frame()
        with pytest.raises(queue.Empty):
            recorder.frame(0.3)
    assert len(server.requests) == 1


def test_a_picture_that_is_away_is_told_and_asked_for_again(server, recorder):
    url = server.serve("/snap.jpg", picture())
    with recorder.camera(url, fps=20) as camera:
        recorder.online()
        server.serve("/snap.jpg", b"", status=404)
        assert "has no such stream (404)" in recorder.offline().why
        server.serve("/snap.jpg", picture()[:200])
        assert recorder.offline().why
        server.serve("/snap.jpg", picture())
        recorder.online()
    assert camera.statistics.reconnects == 1


def _cut(request: Request) -> None:
    request.answer(200, picture()[:-800])


def _not_as_long_as_it_says(request: Request) -> None:
    request.head(200, Content_Type="image/jpeg", Content_Length="9999")
    request.wfile.write(picture()[:200])


BAD = {
    "cut": _cut,
    "shorter than it says": _not_as_long_as_it_says,
    "empty": lambda request: request.answer(200),
    "no content": lambda request: request.head(204),
    "not modified": lambda request: request.head(304),
    "busy": lambda request: request.answer(503, b"busy"),
    "a page": lambda request: request.answer(200, b"<html>login</html>"),
}
"""Answers without a picture, as small cameras give them now and then."""


@pytest.mark.parametrize("path", ["/snap.jpg", "/snapshot.cgi"])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_answer_among_good_ones_is_counted_and_the_camera_stays_online(server, recorder, path, bad):
    def now_and_then(request: Request) -> None:
        if len(server.requests) % 3:
            request.answer(200, picture())
        else:
            BAD[bad](request)

    server.answers[path] = now_and_then
    with recorder.camera(server.url(path), fps=50) as camera:
        frames = [recorder.frame() for _ in range(8)]
    assert recorder.online()
    assert recorder.states.empty()
    assert [frame.sequence for frame in frames] == list(range(8))
    assert camera.statistics.unreadable >= 3
    assert camera.statistics.reconnects == 0


def test_a_server_that_gives_no_picture_any_more_is_away_after_the_time_out(server, recorder):
    url = server.serve("/snap.jpg", picture())
    with recorder.camera(url, fps=50, read_timeout=0.5) as camera:
        recorder.frame()
        recorder.online()
        server.serve("/snap.jpg", b"", status=503)
        assert "5xx" in recorder.offline().why
        assert camera.statistics.unreadable >= 2
        server.serve("/snap.jpg", picture())
        recorder.online()
    assert camera.statistics.reconnects == 1


def test_a_server_that_does_not_answer_any_more_is_told(server, recorder):
    url = server.serve("/snap.jpg", picture())
    with recorder.camera(url, fps=20, read_timeout=0.5):
        recorder.online()
        server.answers["/snap.jpg"] = lambda _request: server.stopped.wait(10)
        assert recorder.offline().why == "no answer from localhost within 0.5 s"


def test_what_the_gate_has_learned_holds_from_picture_to_picture(server, recorder):
    url = server.serve("/snap.jpg", picture())
    motion = {"gate": "pixels", "hold": 0.2, "recheck": 600}
    with recorder.camera(url, fps=20, motion=motion) as camera:
        deadline_s = time.monotonic() + 10
        while not camera.statistics.still and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert camera.statistics.still
        recorder.taken()
        server.serve("/snap.jpg", picture(something=True))
        recorder.frame()


def test_read_once_it_is_one_picture(server, recorder):
    url = server.serve("/snap.jpg", picture())
    with recorder.camera(url, once=True) as camera:
        assert camera.finished.wait(10)
    assert camera.error is None
    assert len(recorder.taken()) == 1
    assert len(list(read_frames(url, name="x"))) == 1


def test_pictures_that_a_server_sends_one_after_the_other_are_a_stream(server, recorder):
    def many(request: Request) -> None:
        request.head(200, Content_Type="image/jpeg")
        while not server.stopped.wait(0.02):
            request.wfile.write(picture())

    server.answers["/many"] = many
    with recorder.camera(server.url("/many"), fps=5) as camera:
        for _ in range(3):
            recorder.frame()
    assert len(server.requests) == 1
    assert camera.statistics.skipped > 3


def test_it_is_stopped_and_switched_off_while_it_waits_for_the_next_one(server, recorder):
    with recorder.camera(server.serve("/snap.jpg", picture()), fps=0.01) as camera:
        recorder.frame()
        camera.switch(enabled=False)
        recorder.disabled()
        camera.switch(enabled=True)
        assert recorder.frame().sequence == 1
        assert camera.stop(5)
        assert camera.state.status is SourceStatus.ONLINE
    assert not any(thread.name == "camera-front" for thread in threading.enumerate())
