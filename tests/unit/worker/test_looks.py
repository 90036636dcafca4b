"""One frame, several looks: a model that finds white rectangles, and cannot see those that become too small."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edged.detection import Detections
from edged.frame import Frame, PixelLayout
from edged.manifest import InputRecipe
from edged.worker.answer import Answer
from edged.worker.looks import Looks

SMALLEST_PX = 5
"""Of the tensor: a rectangle that is narrower is not found."""


class WhiteRectangles:
    """Answers with the box of each white spot of the tensor."""

    def __init__(self, recipe: InputRecipe) -> None:
        self._tensor, self.asked = np.zeros(recipe.shape, recipe.dtype), 0

    def tensor(self, _lane: int) -> np.ndarray:
        return self._tensor

    def answer(self, _lane: int) -> Answer:
        self.asked += 1
        _, _, spots, _ = cv2.connectedComponentsWithStats((self._tensor[0, 0] > 127).astype(np.uint8))
        spots = spots[1:]
        spots = spots[np.minimum(spots[:, 2], spots[:, 3]) >= SMALLEST_PX]
        xyxy = np.concatenate([spots[:, :2], spots[:, :2] + spots[:, 2:4]], axis=1).astype(np.float32)
        score = np.full(len(xyxy), 0.5, np.float32)
        return Answer(Detections(xyxy, score, np.zeros(len(xyxy), np.int32)), 2.0, 1.0)


def frame_with(*rectangles: tuple[int, int, int, int]) -> Frame:
    luma = np.zeros((600, 800), np.uint8)
    for x1, y1, x2, y2 in rectangles:
        luma[y1:y2, x1:x2] = 255
    chroma = np.full((300, 400), 128, np.uint8)
    return Frame("yard", 3, 0.0, 0.0, 800, 600, PixelLayout.YUV, (luma, chroma, chroma))


def looks(task: str = "detect", room: int = 300, **wishes) -> tuple[Looks, WhiteRectangles]:
    recipe = InputRecipe(120, 160, dtype="uint8", pad=0)
    model = WhiteRectangles(recipe)
    description = SimpleNamespace(picture=recipe, task=task, iou=0.45, max_detections=room)
    return Looks(model, description, **wishes), model


SMALL = [(100, 100, 116, 118), (390, 200, 410, 220), (700, 500, 718, 520)]
LARGE = (150, 250, 650, 450)


def test_small_objects_are_seen_in_tiles_only_and_each_once() -> None:
    frame = frame_with(*SMALL, LARGE)
    plain, _ = looks()
    assert len(plain.see(frame).detections) == 1
    tiled, model = looks(tiles=(3, 2))
    seen = tiled.see(frame)
    assert model.asked == 7
    assert (seen.inference_ms, seen.decode_ms > 7) == (14, True)
    found = sorted(map(tuple, seen.detections.xyxy.round().tolist()))
    np.testing.assert_allclose(found, sorted([*SMALL, LARGE]), atol=4)


def test_a_crop_is_all_that_is_looked_at() -> None:
    cropped, model = looks(crop=(0, 0, 0.25, 0.25))
    found = cropped.see(frame_with(*SMALL, LARGE)).detections
    assert model.asked == 1
    np.testing.assert_allclose(found.xyxy, SMALL[:1], atol=2)


def test_a_classifier_is_asked_once() -> None:
    tiled, model = looks(task="classify", tiles=(3, 2))
    tiled.see(frame_with(LARGE))
    assert model.asked == 1


@pytest.mark.parametrize("room", [1, 2])
def test_no_more_than_the_model_gives_of_one_picture(room: int) -> None:
    tiled, _ = looks(room=room, tiles=(3, 2))
    assert len(tiled.see(frame_with(*SMALL, LARGE)).detections) == room
