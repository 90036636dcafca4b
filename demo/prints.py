"""What is printed on the cardboard itself: letters, and the signs for handling. Lengths in millimetres."""

from collections.abc import Callable

import cv2
import numpy as np
from sheets import ART, CAPITALS, Ink, Sheet, typeface

RED, KRAFT_INK = (42, 38, 168), (48, 62, 84)


def stamp(width: float, height: float, ink: Ink, draw: Callable[[np.ndarray], None]) -> Sheet:
    """A print without paper: ``draw`` paints 255 where ink goes."""
    mask = np.zeros((round(height * ART), round(width * ART)), np.uint8)
    draw(mask)
    picture = np.empty((*mask.shape, 4), np.uint8)
    picture[..., :3] = ink
    picture[..., 3] = (mask * 0.86).astype(np.uint8)
    return Sheet(picture)


def lettering(text: str, capitals: float, ink: Ink = KRAFT_INK, weight: int = 800) -> Sheet:
    """A line of letters printed on the box itself."""
    size = round(capitals * ART / CAPITALS)
    box = cv2.getTextSize((4000, 800), text, (0, 0), typeface(), size, weight)
    width = (box[2] + 8) / ART

    def draw(mask: np.ndarray) -> None:
        cv2.putText(mask, text, (4, round((capitals + 2) * ART)), (255,), typeface(), size, weight)

    return stamp(width, capitals * 1.4 + 4, ink, draw)


def _polygon(mask: np.ndarray, points: list[tuple[float, float]], value: int = 255) -> None:
    cv2.fillPoly(mask, [np.round(np.array(points) * ART).astype(np.int32)], (value,), cv2.LINE_AA)


def _frame(mask: np.ndarray) -> None:
    inner = mask.shape[1] - 2 * ART
    cv2.rectangle(mask, (ART, ART), (inner + ART, mask.shape[0] - 2 * ART), (255,), round(1.2 * ART))


def this_way_up(ink: Ink = KRAFT_INK) -> Sheet:
    """Two arrows on a bar, in a frame of 40 by 52."""

    def draw(mask: np.ndarray) -> None:
        _frame(mask)
        for x in (12.5, 27.5):
            _polygon(mask, [(x - 6, 20), (x, 7), (x + 6, 20)])
            _polygon(mask, [(x - 2, 19), (x + 2, 19), (x + 2, 38), (x - 2, 38)])
        _polygon(mask, [(7, 41), (33, 41), (33, 45), (7, 45)])

    return stamp(40, 52, ink, draw)


def fragile_glass(ink: Ink = KRAFT_INK) -> Sheet:
    """A broken glass, in a frame of 40 by 52."""

    def draw(mask: np.ndarray) -> None:
        _frame(mask)
        _polygon(
            mask,
            [
                (10, 7),
                (30, 7),
                (27, 23),
                (22, 28),
                (22, 40),
                (29, 45),
                (11, 45),
                (18, 40),
                (18, 28),
                (13, 23),
            ],
        )
        _polygon(mask, [(20, 7), (23, 7), (19.5, 13), (22.5, 16), (18, 24), (19.5, 17), (17, 13)], 0)

    return stamp(40, 52, ink, draw)


def keep_dry(ink: Ink = KRAFT_INK) -> Sheet:
    """An umbrella under drops, in a frame of 40 by 52."""

    def draw(mask: np.ndarray) -> None:
        _frame(mask)
        centre = (20 * ART, 30 * ART)
        cv2.ellipse(mask, centre, (14 * ART, 13 * ART), 0, 180, 360, (255,), -1, cv2.LINE_AA)
        _polygon(mask, [(19, 29), (21, 29), (21, 43), (19, 43)])
        cv2.ellipse(mask, (23 * ART, 42 * ART), (3 * ART, 3 * ART), 0, 0, 180, (255,), 2 * ART, cv2.LINE_AA)
        for x, y in ((11, 9), (20, 6), (29, 9)):
            _polygon(mask, [(x - 1, y), (x + 1, y), (x, y + 6)])

    return stamp(40, 52, ink, draw)
