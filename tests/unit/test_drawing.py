"""Pictures with what was found drawn on them."""

import cv2
import numpy as np
import pytest

from edged.detection import Detections
from edged.drawing import draw, jpeg
from edged.errors import BadInput


def found(*rows: tuple[float, float, float, float], class_id: int = 0) -> Detections:
    count = len(rows)
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.full(count, class_id, np.int32),
    )


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_nothing_found_leaves_the_picture_as_it_is() -> None:
    picture = grey(90, 160)
    drawn = draw(picture, Detections.empty(), [])
    np.testing.assert_array_equal(drawn, picture)
    assert not np.shares_memory(drawn, picture)


def test_the_given_picture_is_not_drawn_on() -> None:
    picture = grey(480, 640)
    draw(picture, found((100, 100, 300, 300)), ["person"])
    assert (picture == 128).all()


def test_the_line_lies_on_the_edge_of_the_box() -> None:
    drawn = draw(grey(480, 640), found((100, 150, 300, 400)), ["person"])
    assert (drawn[300, 100] != 128).any()
    assert (drawn[300, 299] != 128).any()
    assert (drawn[399, 200] != 128).any()
    assert (drawn[300, 200] == 128).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (20, 3000), (240, 320), (1080, 1920), (2160, 3840)])
def test_any_size_of_picture_and_boxes_at_its_edges_are_drawn(height: int, width: int) -> None:
    rows = [(0.0, 0.0, width, height), (width - 0.4, height - 0.4, width, height), (0.0, 0.0, 0.2, 0.2)]
    drawn = draw(grey(height, width), found(*rows), ["a label of more than forty letters, and some more"])
    assert drawn.shape == (height, width, 3)
    assert (drawn != 128).any()


def test_letters_grow_with_the_picture() -> None:
    def label_rows(height: int, width: int) -> int:
        box = (width * 0.2, height * 0.5, width * 0.6, height * 0.9)
        drawn = draw(grey(height, width), found(box), ["person"])
        column = drawn[: round(height * 0.5) - 8, round(width * 0.2) + 3]
        return int((column != 128).any(axis=1).sum())

    assert label_rows(2160, 3840) > 3 * label_rows(480, 640) > 0


def test_classes_without_a_name_and_names_of_other_alphabets_are_drawn() -> None:
    for class_id, labels in ((7, []), (0, ["Füßgänger"]), (0, ["人"]), (10**6, ["x"])):
        drawn = draw(grey(240, 320), found((50, 60, 200, 200), class_id=class_id), labels)
        assert (drawn != 128).any()


def halves(height: int, width: int) -> np.ndarray:
    """Blue on the left, red on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2, 0] = picture[:, width // 2 :, 2] = 255
    return picture


def decoded(encoded: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ("max_width", "size"),
    [(None, (640, 361)), (640, (640, 361)), (9999, (640, 361)), (320, (320, 180)), (1, (1, 1))],
)
def test_a_jpeg_keeps_the_shape_and_is_not_wider_than_asked(max_width, size) -> None:
    encoded, width, height = jpeg(halves(361, 640), quality=90, max_width=max_width)
    assert (width, height) == size
    assert decoded(encoded).shape == (height, width, 3)


def test_a_jpeg_has_the_colours_of_the_picture() -> None:
    picture = decoded(jpeg(halves(64, 64), quality=95)[0])
    assert picture[32, 8].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert picture[32, 56].tolist() == pytest.approx([0, 0, 255], abs=8)


def test_quality_is_paid_for_in_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    sizes = [len(jpeg(noise, quality=quality)[0]) for quality in (1, 50, 100)]
    assert sizes == sorted(sizes)


def test_a_picture_that_jpeg_does_not_know_is_refused_in_a_line() -> None:
    with pytest.raises(BadInput, match="cannot be encoded"):
        jpeg(np.zeros((1, 70_000, 3), np.uint8), quality=85)
