"""The demo's board, and how it looks on a terminal of 80 columns and in a pipe."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from edged.demo.board import MAX_LABELS, MAX_PARTS, Board
from edged.demo.view import Canvas, Moment, counted, line, picture, states
from edged.mqtt.records import Received

DIGEST = "sha256:" + "ab" * 32
MOMENT = Moment(now_s=2.0, elapsed_s=72.0, protocol="3.1.1")


def said(topic: str, **payload: Any) -> Received:
    return Received(f"edged/demo/{topic}", json.dumps(payload).encode(), False)


def result(number: int, *found: tuple[str, float, list[float]], age: float = 20.0) -> Received:
    return said(
        "camera/conveyor/detections",
        schema="edged.detections/1",
        id=f"01M828D2PMXDJWFBBN2TKS{number:04}",
        device="demo",
        source="conveyor",
        sequence=number,
        captured_at="2026-11-22T18:30:55.937251Z",
        image={"width": 640, "height": 360},
        model={"name": "codes", "version": 1, "digest": DIGEST, "provider": "cpu"},
        timing_ms={"queue": 0.1, "preprocess": 0.8, "inference": 16.2, "decode": 0.4, "age": age},
        detections=[
            {"label": label, "class_id": 0, "score": score, "box": box} for label, score, box in found
        ],
    )


def window(number: int, label: str, score: float, *, alarm: bool | None = None, **more: Any) -> Received:
    return said(
        "sensor/motor/result",
        schema="edged.sensor/1",
        id=f"01M828D2PMXDJWFBBN2TKT{number:04}",
        device="demo",
        source="motor",
        sequence=number,
        first_at="2026-11-22T18:31:05.297251Z",
        captured_at=f"2026-11-22T18:31:{number:02}.937251Z",
        rows=8192,
        model={"name": "bearings", "version": 1, "digest": DIGEST, "provider": "cpu"},
        timing_ms={"queue": 0.1, "inference": 2.8, "age": 6.0},
        result={"label": label, "class_id": 1, "scores": {label: score}, "alarm": alarm, **more},
    )


MOTOR = [
    said(
        "sensor/motor/state",
        device="demo",
        sensor="motor",
        state="online",
        rows=8192,
        since="2026-11-22T18:30:54.066751Z",
    ),
    said(
        "model/bearings/state",
        device="demo",
        model="bearings",
        active={"version": 1, "digest": DIGEST},
        provider_asked=["auto"],
        provider="cpu",
        since="2026-11-22T18:30:54.066751Z",
    ),
]

STATES = [
    Received("edged/demo/status", b"online", True),
    said(
        "info",
        device="demo",
        version="0.1.0",
        machine={"architecture": "x86_64", "cores": 2, "cpu": "AMD EPYC", "memory_bytes": 1},
        providers=["cpu"],
        cameras=["conveyor"],
        models={},
        started_at="2026-11-22T18:30:54.066751Z",
    ),
    said(
        "camera/conveyor/state",
        device="demo",
        camera="conveyor",
        state="online",
        width=640,
        height=360,
        fps=12.0,
        since="2026-11-22T18:30:54.066751Z",
    ),
    said(
        "model/codes/state",
        device="demo",
        model="codes",
        active={"version": 1, "digest": DIGEST},
        provider_asked=["auto"],
        provider="cpu",
        since="2026-11-22T18:30:54.066751Z",
    ),
]


@pytest.fixture
def board() -> Board:
    """After four states and two results, two seconds in."""
    board = Board("edged")
    for message in STATES:
        board.feed(message, 0.0)
    board.feed(result(7, ("qr", 0.93, [10, 20, 110, 120]), ("qr", 0.6, [300, 200, 400, 300])), 1.0)
    board.feed(result(9, ("barcode", 0.87, [320, 180, 630, 350]), age=30.0), 2.0)
    return board


@pytest.fixture
def heard(board: Board) -> Board:
    """After a sound window of the motor and three faulty ones as well."""
    for message in MOTOR:
        board.feed(message, 0.0)
    for number, alarm in enumerate([False, False, True, True]):
        board.feed(window(number, "inner" if number else "normal", 0.9 + number / 100, alarm=alarm), 2.0)
    return board


def drawn(board: Board, *, columns: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    console.print(picture(board, MOMENT))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def words(lines: list[str], first: str) -> str:
    """The line that begins so, without the space between its parts."""
    return next(text for text in (" ".join(one.split()) for one in lines) if text.startswith(first))


def test_every_part_is_on_the_picture_with_its_state_and_figures(board):
    lines = drawn(board)
    assert "MQTT 3.1.1" in lines[0]
    assert "01:12" in lines[0]
    assert words(lines, "device").startswith("device demo online MQTT 3.1.1, edged 0.1.0 on 2 cores of")
    assert words(lines, "camera") == "camera conveyor online 12 frames/s, 2.0 results/s, age 25 ms"
    assert words(lines, "model") == "model codes version 1 on cpu, 16.2 ms an inference"


def test_labels_are_counted_now_and_in_all(board):
    text = "\n".join(" ".join(part.split()) for part in drawn(board))
    assert "■ qr 0 2" in text
    assert "■ barcode 1 1" in text
    assert "results 2" in text
    assert counted(board.objects) == "2 qr, 1 barcode"


def test_the_newest_frame_is_sketched_and_the_last_objects_are_listed(board):
    text = "\n".join(drawn(board))
    assert "conveyor #9" in text
    assert "╭barcode 0.87" in text
    assert "qr 0.93" not in text.split("latest")[0]
    latest = [part.split() for part in text.split("latest")[1].splitlines()]
    assert any(part[-6:] == ["barcode", "0.87", "320", "180", "630", "350"] for part in latest)
    assert any(part[-6:] == ["qr", "0.93", "10", "20", "110", "120"] for part in latest)


def test_it_fits_a_terminal_of_80_columns_and_24_rows(board):
    for number in range(20):
        found = [(f"a label of some length {number}", 0.5, [0, 0, 640, 360])] * 20
        board.feed(result(10 + number, *found), 2.0)
    lines = drawn(board)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_before_the_first_message_and_the_first_result_it_says_what_is_waited_for():
    board = Board("edged")
    assert "The daemon starts." in "\n".join(drawn(board))
    board.feed(STATES[0], 0.0)
    assert "The daemon starts." not in "\n".join(drawn(board))
    assert "Waiting for the first result." in "\n".join(drawn(board))
    board.feed(result(1), 1.0)
    assert "Waiting" not in "\n".join(drawn(board))


def test_why_a_part_does_not_work_is_shown(board):
    board.feed(said("camera/conveyor/state", state="offline", why="no such file"), 2.0)
    assert words(drawn(board), "camera").startswith("camera conveyor offline no such file")
    assert states(board, MOMENT)["camera conveyor"].startswith("offline, no such file")


def test_a_pipe_gets_the_same_in_lines(board):
    assert line(board, MOMENT) == "2.0 results/s, 16.2 ms an inference, age 25 ms; now 1 barcode"
    assert states(board, MOMENT) == {
        "device demo": "online, MQTT 3.1.1, edged 0.1.0 on 2 cores of AMD EPYC",
        "camera conveyor": "online, 12 frames/s",
        "model codes": "version 1, on cpu",
    }


def test_a_sensor_is_shown_with_what_it_says_and_the_alarm_with_what_raised_it(heard):
    lines = drawn(heard)
    assert words(lines, "sensor") == "sensor motor alarm inner 0.93, 4.0 windows/s"
    assert words(lines, "model bearings") == "model bearings version 1 on cpu, 2.8 ms an inference"
    assert words(lines, "alarms") == "alarms 18:31:02 inner"
    assert states(heard, MOMENT)["sensor motor"] == "online, alarm: inner 0.92"
    assert line(heard, MOMENT) == (
        "2.0 results/s, 16.2 ms an inference, age 25 ms; now 1 barcode; motor: inner 0.93, 4.0 windows/s"
    )
    assert (heard.results, heard.windows) == (2, 4)


def test_an_alarm_that_is_cleared_is_no_state_but_remembered_and_each_is_counted_once(heard):
    heard.feed(window(4, "normal", 0.98, alarm=False), 2.0)
    assert states(heard, MOMENT)["sensor motor"] == "online"
    assert words(drawn(heard), "sensor") == "sensor motor online normal 0.98, 5.0 windows/s"
    for number, label in enumerate(["outer", "outer", "normal"], 5):
        heard.feed(window(number, label, 0.9, alarm=label != "normal"), 2.0)
    assert words(drawn(heard), "alarms") == "alarms 18:31:05 outer, 18:31:02 inner"
    assert counted(heard.faults) == "1 inner, 1 outer"


def test_a_sensor_that_went_away_is_not_shown_as_an_alarm(heard):
    heard.feed(
        said(
            "sensor/motor/state",
            device="demo",
            sensor="motor",
            state="offline",
            why="was removed",
            rows=1,
            since="2026-11-22T18:30:54.066751Z",
        ),
        2.0,
    )
    assert words(drawn(heard), "sensor").startswith("sensor motor offline was removed")
    assert states(heard, MOMENT)["sensor motor"] == "offline, was removed"


def test_with_a_sensor_it_still_fits_a_terminal_of_80_columns_and_24_rows(heard):
    for number in range(10, 30):
        found = [(f"a label of some length {number}", 0.5, [0, 0, 360, 640])] * 20
        message = json.loads(result(number, *found).payload) | {"image": {"width": 360, "height": 640}}
        heard.feed(said("camera/conveyor/detections", **message), 2.0)
        heard.feed(window(number, f"a fault of some length {number}", 0.9, alarm=number % 2 == 0), 2.0)
    lines = drawn(heard)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_figures_are_those_of_the_last_ten_seconds(board):
    board.feed(result(10, age=90.0), 30.0)
    assert board.age_ms("conveyor") == 90.0
    assert board.results == 3


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (10_000, 10), (1, 1), (1920, 1080)])
def test_frames_of_every_shape_are_sketched_within_the_picture(size):
    board = Board("edged")
    message = json.loads(result(1, ("qr", 0.9, [0, 0, 1, 1])).payload)
    message["image"] = dict(zip(("width", "height"), size, strict=True))
    message["detections"][0]["box"] = [0, 0, *size]
    board.feed(said("camera/conveyor/detections", **message), 1.0)
    lines = drawn(board)
    assert any("conveyor" in text for text in lines)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("width", "edge"), [(14, "╭barcode 0.87╮"), (10, "╭barcode─╮"), (6, "╭barc╮"), (2, "╭╮")]
)
def test_of_a_label_as_much_is_drawn_as_the_box_has_room_for(width, edge):
    canvas = Canvas(20, 3)
    canvas.box((0, 0, (width - 0.5) / 20, 1), "barcode 0.87", "red")
    assert canvas.text().plain.split("\n")[0].rstrip() == edge


@settings(deadline=None)  # the first drawing imports what draws
@given(
    st.integers(2, 40),
    st.integers(2, 20),
    st.tuples(*[st.floats(-0.5, 1.5)] * 4),
    st.text(st.characters(categories=["L"]), max_size=50),
)
def test_a_box_of_any_place_stays_within_the_canvas(columns, lines, corners, label):
    canvas = Canvas(columns, lines)
    canvas.box(corners, label, "red")
    rows = canvas.text().plain.split("\n")
    assert [len(row) for row in rows] == [columns] * lines
    assert "╭" in canvas.text().plain


@settings(deadline=None)  # the first drawing imports what draws
@given(
    st.sampled_from(
        [
            "status",
            "info",
            "camera/a/state",
            "camera/a/detections",
            "model/a/state",
            "sensor/a/state",
            "sensor/a/result",
        ]
    ),
    st.binary(),
)
def test_nothing_that_anybody_publishes_breaks_the_picture(leaf, payload):
    board = Board("edged")
    board.feed(Received(f"edged/demo/{leaf}", payload, False), 0.0)
    assert drawn(board)
    assert board.results == 0


def test_no_message_can_move_the_cursor_of_the_terminal(board):
    board.feed(result(11, ("\x1b[2Jqr", 0.9, [0, 0, 640, 360])), 2.0)
    for message in (*MOTOR, window(1, "\x1b[2Jinner", 0.9, alarm=True)):
        board.feed(message, 2.0)
    shown = [*drawn(board), line(board, MOMENT), *states(board, MOMENT).values(), counted(board.faults)]
    assert "\x1b" not in "\n".join(shown)


def test_a_stranger_cannot_fill_the_memory_with_parts_or_labels():
    board = Board("edged")
    for number in range(MAX_PARTS + 50):
        board.feed(Received(f"edged/demo/camera/c{number}/state", b"{}", False), 0.0)
    assert len(board.rows(0.0)) == MAX_PARTS
    board = Board("edged")
    for number in range(MAX_LABELS + 50):
        board.feed(result(number % 10_000, (f"label {number}", 0.5, [0, 0, 1, 1])), 0.0)
        board.feed(window(number % 10_000, f"label {number}", 0.5, alarm=number % 2 == 0), 0.0)
    assert len(board.objects) == MAX_LABELS
    assert len(board.faults) <= MAX_LABELS
