"""The film of the demo, and its truth, which is held against OpenCV's own readers of codes."""

import json
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

DEMO = Path(__file__).parents[2] / "demo"
VIDEO = DEMO / "conveyor.mp4"
DICTIONARIES = {"ArUco 4x4": cv2.aruco.DICT_4X4_250, "AprilTag 36h11": cv2.aruco.DICT_APRILTAG_36h11}


@pytest.fixture(scope="module")
def truth():
    return json.loads((DEMO / "conveyor.json").read_text())


@pytest.fixture(scope="module")
def key_frames():
    """A dozen frames all over the film, by number."""
    with av.open(str(VIDEO)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        return {number_of(frame): frame.to_ndarray(format="bgr24") for frame in container.decode(stream)}


def number_of(frame):
    return round(frame.pts * frame.time_base * 25)


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def box_of(corners):
    """OpenCV counts from the middle of the first pixel, the truth from its corner."""
    points = np.asarray(corners).reshape(-1, 2) + 0.5
    return [*points.min(axis=0), *points.max(axis=0)]


def codes_of(truth, number, label):
    """What is wholly in view: symbology, content and box."""
    for seen in truth["truth"][number]:
        if seen["label"] == label and seen["visible"] >= 0.98:
            told = truth["objects"][seen["id"]]
            yield told["symbology"], told["content"], seen["box"]


def share_read(truth, key_frames, label, symbology, texts_in):
    """How many of the codes wholly in view OpenCV reads as told, each cut out and turned until it does."""
    readings = [
        any(text in texts_in(view) for view in turned(cut(key_frames[number], box)))
        for number in key_frames
        for kind, text, box in codes_of(truth, number, label)
        if kind.startswith(symbology)
    ]
    return np.mean(readings)


def cut(picture, box, margin=24):
    left, top, right, bottom = (round(value) for value in box)
    return picture[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]


def turned(picture):
    """Twice as large, from every side, with less and less slant: OpenCV's readers are particular about all three."""
    for stretch in (1, 1.27, 1.6):  # as from above, and as from the front
        upright = cv2.resize(picture, None, fx=1, fy=stretch, interpolation=cv2.INTER_CUBIC)
        height, width = upright.shape[:2]
        side = round(2 * np.hypot(height, width))
        for angle in range(0, 180, 15):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 2.0)
            matrix[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
            yield cv2.warpAffine(
                upright, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )


def test_it_is_a_small_h264_video_that_any_decoder_plays():
    with av.open(str(VIDEO)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("h264", "Main")
        assert (stream.width, stream.height, stream.pix_fmt) == (1280, 720, "yuv420p")
        assert (stream.average_rate, stream.frames) == (25, 600)
    content = VIDEO.read_bytes()
    assert len(content) <= 3_000_000
    assert content.index(b"moov") < content.index(b"mdat"), "a player has to have the whole file to begin"


def test_a_player_may_begin_every_two_seconds(key_frames):
    assert list(key_frames) == list(range(0, 600, 50))


def test_the_truth_speaks_of_this_video(truth):
    assert (truth["video"], truth["fps"], truth["frames"]) == (VIDEO.name, 25, 600)
    assert (truth["width"], truth["height"], len(truth["truth"])) == (1280, 720, 600)
    assert (DEMO / "conveyor.json").stat().st_size <= 400_000


def test_boxes_are_in_the_frame_and_what_is_hardly_seen_says_so(truth):
    for seen in (one for frame in truth["truth"] for one in frame):
        left, top, right, bottom = seen["box"]
        assert 0 <= left < right <= 1280
        assert 0 <= top < bottom <= 720
        assert 0 < seen["visible"] <= 1
        assert seen.get("partial", False) == (seen["visible"] < 0.5)
        assert seen["label"] == truth["objects"][seen["id"]]["label"]


def test_one_to_six_codes_are_in_view_of_each_label_by_and_by(truth):
    counts = {len(frame) for frame in truth["truth"]}
    assert min(counts) >= 1
    assert max(counts) <= 6
    kinds = Counter(told["label"] for told in truth["objects"].values())
    assert kinds.keys() == {"qr", "barcode", "marker"}
    assert min(kinds.values()) >= 3
    assert {seen["id"] for frame in truth["truth"] for seen in frame} == truth["objects"].keys()


def test_a_detector_of_416_pixels_can_see_every_code(truth):
    for seen in (one for frame in truth["truth"] for one in frame if one["visible"] == 1):
        left, top, right, bottom = seen["box"]
        if seen["label"] == "barcode":
            assert max(right - left, bottom - top) >= 90, seen
        else:
            assert min(right - left, bottom - top) >= 60, seen


def test_markers_are_where_the_truth_says(truth, key_frames):
    readers = {
        name: cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(dictionary))
        for name, dictionary in DICTIONARIES.items()
    }
    count, overlaps = 0, []
    for number, picture in key_frames.items():
        expected = {(kind, text): box for kind, text, box in codes_of(truth, number, "marker")}
        count += len(expected)
        for name, reader in readers.items():
            corners, identifiers, _ = reader.detectMarkers(picture)
            for quad, identifier in zip(
                corners, [] if identifiers is None else identifiers.ravel(), strict=True
            ):
                if (name, str(identifier)) in expected:
                    overlaps.append(iou(box_of(quad), expected[name, str(identifier)]))
    assert len(overlaps) > 0.9 * count
    assert min(overlaps) > 0.8


def test_qr_codes_say_what_the_truth_says(truth, key_frames):
    reader = cv2.QRCodeDetector()
    assert share_read(truth, key_frames, "qr", "QR", lambda view: [reader.detectAndDecode(view)[0]]) > 0.8


def test_barcodes_say_what_the_truth_says(truth, key_frames):
    reader = cv2.barcode.BarcodeDetector()  # it knows EAN and UPC only
    assert (
        share_read(truth, key_frames, "barcode", "EAN", lambda view: reader.detectAndDecodeWithType(view)[1])
        > 0.8
    )


def test_the_end_goes_on_as_the_beginning(truth):
    with av.open(str(VIDEO)) as container:
        stream = container.streams.video[0]
        beginning = [
            frame.to_ndarray(format="gray")
            for frame, _ in zip(container.decode(stream), range(2), strict=False)
        ]
        container.seek(round(598 / 25 / stream.time_base), stream=stream)
        end = [
            frame.to_ndarray(format="gray") for frame in container.decode(stream) if number_of(frame) >= 598
        ]
    assert len(end) == 2

    def step(one, other):
        return cv2.absdiff(one, other).mean()

    usual = max(step(*beginning), step(*end))
    assert step(end[1], beginning[0]) < 1.25 * usual
    places = [
        {seen["id"]: np.array(seen["box"]) for seen in truth["truth"][number] if seen["visible"] == 1}
        for number in (599, 0, 1)
    ]
    common = places[0].keys() & places[1].keys() & places[2].keys()
    assert len(common) > 1
    for name in common:
        last, first, second = (place[name] for place in places)
        assert np.allclose(first - last, second - first, atol=0.35), name
