"""Pictures, told by their pixels and by what they say of themselves."""

import json

import cv2
import numpy as np
import pytest
from shots import picture, shot

from edged.privacy import Privacy
from edged.snapshots.looks import Look
from edged.snapshots.picture import Develop, Style
from edged.snapshots.shot import around, copied

BOX = (40.0, 30.0, 80.0, 90.0)
PLAIN = Style(draw=False, quality=100)


def seen(encoded: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)


def said(encoded: bytes) -> dict:
    at = encoded.index(b"\xff\xfe")
    length = int.from_bytes(encoded[at + 2 : at + 4], "big")
    return json.loads(encoded[at + 4 : at + 2 + length])


def look(*boxes: tuple[float, ...]) -> Look:
    return Look(frozenset(["person"]), frozenset(["person"]), np.array(boxes, np.float32).reshape(-1, 4))


def is_drawn(shown: np.ndarray, x: int, y: int) -> bool:
    """Whether there is the colour of a box; it is far from all that the frame shows."""
    blue, _, red = shown[y, x].astype(int)
    return red > 190 and blue < 100


def test_the_box_in_the_picture_is_the_box_of_the_event() -> None:
    shown = seen(Develop(shot(), Privacy(), None, Style(quality=100)).jpeg("full"))
    columns = [x for x in range(160) if is_drawn(shown, x, 60)]
    rows = [y for y in range(120) if is_drawn(shown, 70, y)]
    assert {min(columns), max(columns)} <= {39, 40, 79, 80}
    assert max(rows) in {88, 89, 90}
    assert 30 in rows


def test_a_crop_is_the_part_of_the_frame_that_it_says() -> None:
    encoded = Develop(shot(), Privacy(), None, PLAIN).jpeg("crop")
    about = said(encoded)
    assert tuple(about["region"]) == around(BOX, PLAIN.margin, 160, 120)
    assert about["box"] == list(BOX)
    assert (about["event"], about["label"], about["sequence"]) == ("e1", "person", 7)
    assert about["captured_at"] == "2026-11-22T15:00:00.000000Z"
    x1, y1, x2, y2 = about["region"]
    expected = picture().planes[0][y1:y2, x1:x2]
    assert (about["picture"]["width"], about["picture"]["height"]) == expected.shape[1::-1]
    assert np.abs(seen(encoded).astype(int) - expected).mean() < 6


def test_a_crop_of_a_part_is_the_crop_of_the_whole() -> None:
    whole = Develop(shot(), Privacy(), None, PLAIN).jpeg("crop")
    one = shot()
    part, origin = copied(picture(), around(BOX, PLAIN.margin, 160, 120))
    piece = type(one)(one.camera, one.event, part, origin, one.captured_s, one.taken_s)
    cut = Develop(piece, Privacy(), None, PLAIN).jpeg("crop")
    assert said(cut) == said(whole)
    np.testing.assert_array_equal(seen(cut), seen(whole))


def test_it_is_as_wide_as_asked_for() -> None:
    encoded = Develop(shot(), Privacy(), None, Style(max_width=80)).jpeg("full")
    assert seen(encoded).shape == (60, 80, 3)
    assert said(encoded)["picture"] == {"width": 80, "height": 60}
    assert said(encoded)["image"] == {"width": 160, "height": 120}


@pytest.mark.parametrize("view", ["full", "crop"])
def test_what_is_masked_is_black_in_every_view(view: str) -> None:
    left = ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))
    encoded = Develop(shot(), Privacy((left,)), None, PLAIN).jpeg(view)  # type: ignore[arg-type]
    x1 = said(encoded)["region"][0]
    assert seen(encoded)[:, : 60 - x1].max() < 12


@pytest.mark.parametrize("view", ["full", "crop"])
def test_what_is_blurred_is_blurred_in_every_view_and_the_rest_is_not(view: str) -> None:
    random = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    one = shot(frame=picture())
    one.part.planes[0][:] = random
    encoded = Develop(one, Privacy(blur=("person",)), look(BOX), PLAIN).jpeg(view)  # type: ignore[arg-type]
    x1, y1, *_ = said(encoded)["region"]
    inside = seen(encoded)[32 - y1 : 88 - y1, 42 - x1 : 78 - x1]
    assert inside.astype(float).std(axis=(0, 1)).max() < 15  # of noise it was 74
    if view == "full":
        assert seen(encoded)[:, 120:].astype(float).std() > 50


def test_nothing_leaves_before_it_is_known_what_is_to_be_blurred() -> None:
    with pytest.raises(ValueError, match="before it is known"):
        Develop(shot(), Privacy(blur=("person",)), None, PLAIN)
    with pytest.raises(ValueError, match="before it is known"):
        Develop(shot(), Privacy(blur=("person", "face")), look(), PLAIN)


def test_a_label_of_any_length_and_letters_fits_into_a_picture() -> None:
    encoded = Develop(shot(label="ä\x00" * 10**5), Privacy(), None, Style()).jpeg("full")
    assert seen(encoded).shape == (120, 160, 3)
    assert said(encoded)["label"].startswith("ä\x00")
