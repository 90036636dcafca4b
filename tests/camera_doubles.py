"""The world around a camera in tests: who takes its frames, and servers that behave as real ones do on bad days."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from edged.frame import Frame
from edged.sections import CameraSettings
from edged.sources.camera import Camera, SourceState, SourceStatus


class Recorder:
    """Takes what a camera delivers, and waits for it with a deadline."""

    def __init__(self) -> None:
        self.frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self.states: queue.SimpleQueue[SourceState] = queue.SimpleQueue()
        self.history: list[SourceState] = []

    def camera(self, url: str, *, once: bool = False, enabled: bool = True, **settings: object) -> Camera:
        section = CameraSettings(url=url, models=("m",), **settings)  # type: ignore[arg-type]
        return Camera(
            "front", section, once=once, deliver=self.frames.put, on_state=self.states.put, enabled=enabled
        )

    def frame(self, seconds: float = 10.0) -> Frame:
        return self.frames.get(timeout=seconds)

    def taken(self) -> list[Frame]:
        """All frames that are there now."""
        frames = []
        while not self.frames.empty():
            frames.append(self.frames.get())
        return frames

    def state(self, wanted: Callable[[SourceState], bool], seconds: float = 10.0) -> SourceState:
        """The next state that is ``wanted``."""
        deadline_s = time.monotonic() + seconds
        while True:
            state = self.states.get(timeout=max(0.0, deadline_s - time.monotonic()))
            self.history.append(state)
            if wanted(state):
                return state

    def online(self, seconds: float = 10.0) -> SourceState:
        return self.state(lambda state: state.status is SourceStatus.ONLINE, seconds)

    def offline(self, seconds: float = 10.0, why: str = "") -> SourceState:
        return self.state(lambda state: state.status is SourceStatus.OFFLINE and why in state.why, seconds)

    def disabled(self, seconds: float = 10.0) -> SourceState:
        return self.state(lambda state: state.status is SourceStatus.DISABLED, seconds)


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def mjpeg_server(
    *, pictures: int | None = None, every_s: float = 0.04, status: int = 200, junk: bool = False
) -> Iterator[int]:
    """An HTTP camera of 64 x 48 pixels.

    Args:
        pictures: After so many it falls silent, but keeps the connection; None never does.
        every_s: Between two pictures.
        status: Of its answer.
        junk: Its pictures cannot be decoded after the tenth.
    """
    ended = threading.Event()
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = 0
            while status == 200 and not ended.wait(every_s):
                number += 1
                if pictures is not None and number > pictures:
                    continue
                body = b"\xff\xd8\xff\xfe\x00\x04no" * 9 if junk and number > 10 else jpeg
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                try:
                    self.wfile.write(head + body + b"\r\n")
                except OSError:
                    return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="mjpeg-server", args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
