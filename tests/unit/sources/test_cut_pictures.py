"""Pictures of cameras over HTTP that were cut off on their way: they are counted, and nobody looks at them."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from camera_doubles import Recorder
from http_server import Request, Server

from edged.errors import SourceLost
from edged.sources.stream import read_frames

WALL = np.random.default_rng(1).integers(80, 120, (120, 160, 3)).astype(np.uint8)
WHOLE = cv2.imencode(".jpg", WALL)[1].tobytes()
END_MARKER = b"\xff\xd9"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def in_parts(server: Server, pictures: list[bytes]) -> str:
    """The address of a stream of these pictures, which then ends."""

    def answer(request: Request) -> None:
        request.head(200, Content_Type="multipart/x-mixed-replace; boundary=frame")
        for picture in pictures:
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
            request.wfile.write(head + picture + b"\r\n")

    server.answers["/video"] = answer
    return server.url("/video")


def test_in_a_stream_they_are_unreadable_and_the_others_are_looked_at(server):
    recorder, cut = Recorder(), WHOLE[: len(WHOLE) // 2]
    url = in_parts(server, [cut, WHOLE, WHOLE] * 5)
    with recorder.camera(url, once=True) as camera:
        assert camera.finished.wait(10)
    assert (camera.statistics.captured, camera.statistics.unreadable) == (10, 5)
    frames = recorder.taken()
    assert len(frames) == 10
    assert all((frame.planes[0] == frames[0].planes[0]).all() for frame in frames)


def test_no_part_of_one_is_shown_where_frames_are_chosen_before_they_are_decoded(server):
    recorder, cut = Recorder(), WHOLE[: len(WHOLE) // 2]
    url = in_parts(server, [cut, WHOLE, cut, cut] * 5)
    with recorder.camera(url, once=True, fps=1000) as camera:
        assert camera.finished.wait(10)
    whole = cv2.imdecode(np.frombuffer(WHOLE, np.uint8), cv2.IMREAD_GRAYSCALE)
    frames = recorder.taken()
    assert frames
    assert all(abs(frame.planes[0].astype(int) - whole).mean() < 1 for frame in frames)


@pytest.mark.parametrize(
    "picture",
    [WHOLE + bytes(700), WHOLE + b"\xff" * 700, WHOLE + b"\r\n" * 9, WHOLE.removesuffix(END_MARKER)],
    ids=["zeros", "ones", "line ends", "no end marker"],
)
def test_what_cameras_add_or_leave_out_at_the_end_costs_no_frame(server, picture):
    recorder, url = Recorder(), in_parts(server, [picture] * 5)
    with recorder.camera(url, once=True) as camera:
        assert camera.finished.wait(10)
    assert camera.statistics.unreadable == 0
    assert len(recorder.taken()) == 5


def test_a_single_one_is_a_loss(server):
    def half(request: Request) -> None:
        request.head(200, Content_Type="image/jpeg", Content_Length=str(len(WHOLE)))
        request.wfile.write(WHOLE[: len(WHOLE) // 2])

    server.answers["/half.cgi"] = half
    with pytest.raises(SourceLost, match="broke off"):
        list(read_frames(server.url("/half.cgi"), name="x"))
    short = server.serve("/short.cgi", WHOLE[: len(WHOLE) // 2])
    with pytest.raises(SourceLost, match="ended before a picture that can be decoded"):
        list(read_frames(short, name="x"))
