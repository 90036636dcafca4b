import threading
import time

import av
import pytest
from av.container import core
from camera_doubles import silent_server

from edged.sources.interrupt import interruptible


def open_silent(port):
    av.open(f"rtsp://127.0.0.1:{port}/x", options={"rtsp_transport": "tcp"}, timeout=(20, 20))


def test_pyav_still_asks_the_clock_where_it_was_put():
    assert core.time.monotonic() == pytest.approx(time.monotonic(), abs=0.1)
    with interruptible(threading.Event(), limit_s=-1):
        assert core.time.monotonic() > time.monotonic() + 1e8


def test_a_stop_ends_an_open_that_waits_for_a_silent_server():
    stop, waiting = threading.Event(), threading.Event()

    def wait():
        with silent_server() as port, interruptible(stop):
            waiting.set()
            with pytest.raises(av.FFmpegError):
                open_silent(port)

    thread = threading.Thread(target=wait, name="waiting")
    thread.start()
    assert waiting.wait(5)
    began_s = time.monotonic()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - began_s < 0.5


def test_the_time_given_is_the_whole_time():
    began_s = time.monotonic()
    with (
        silent_server() as port,
        interruptible(threading.Event(), limit_s=0.5),
        pytest.raises(av.FFmpegError),
    ):
        open_silent(port)
    assert 0.4 < time.monotonic() - began_s < 1.5


def test_a_stop_that_came_before_ends_the_wait_as_well():
    stop = threading.Event()
    stop.set()
    began_s = time.monotonic()
    with silent_server() as port, interruptible(stop), pytest.raises(av.FFmpegError):
        open_silent(port)
    assert time.monotonic() - began_s < 0.5


def test_another_thread_is_not_touched():
    stop = threading.Event()
    stop.set()
    answers = []
    with interruptible(stop):
        thread = threading.Thread(target=lambda: answers.append(core.time.monotonic()))
        thread.start()
        thread.join(5)
    assert answers[0] == pytest.approx(time.monotonic(), abs=1)
