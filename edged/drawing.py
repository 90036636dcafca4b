"""Pictures for people: what was found drawn on them, readable at any size; and a picture as a JPEG."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.errors import BadInput

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

MAX_LABEL_CHARS = 40

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # height of its capitals at scale 1
# Told apart also by people who see red and green alike (Okabe and Ito 2008); blue first.
_COLORS: tuple[Color, ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (178, 114, 0),
    (0, 94, 213),
    (167, 121, 204),
)


def draw(picture: Picture, detections: Detections, labels: Sequence[str]) -> Picture:
    """Boxes with labels and scores, the best on top.

    Args:
        picture: uint8 (H, W, 3), blue first; left as it is.
        detections: Boxes in its pixels.
        labels: A name a class; a class without one is shown by its number.

    Returns:
        A new picture of the same size; lines and letters grow with it.
    """
    canvas = np.ascontiguousarray(picture).copy()
    size = min(canvas.shape[:2]) + max(canvas.shape[:2])
    line_px = max(1, round(size / 900))
    text_px = max(10, round(size / 110))
    for index in np.argsort(detections.score, kind="stable"):
        color = _COLORS[int(detections.class_id[index]) % len(_COLORS)]
        x1, y1, x2, y2 = (round(float(edge)) for edge in detections.xyxy[index])
        cv2.rectangle(canvas, (x1, y1), (max(x1, x2 - 1), max(y1, y2 - 1)), color, line_px)
        name = label_of(labels, int(detections.class_id[index]))
        _write(canvas, f"{_ascii(name)} {detections.score[index]:.2f}", (x1, y1), color, text_px)
    return canvas


def jpeg(picture: Picture, *, quality: int, max_width: int | None = None) -> tuple[bytes, int, int]:
    """Encode a picture.

    Args:
        picture: uint8 (H, W, 3), blue first.
        quality: 1-100.
        max_width: A wider picture is made so wide, in its shape; None = as it is.

    Returns:
        The JPEG, its width and its height in pixels.

    Raises:
        BadInput: It cannot be encoded: more than 65535 pixels wide or high, or out of memory.
    """
    height, width = picture.shape[:2]
    if max_width is not None and width > max_width:
        height, width = max(1, round(height * max_width / width)), max_width
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    try:
        done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise BadInput("picture", f"cannot be encoded ({error.err})", "ask for a smaller one") from error
    if not done:
        raise BadInput("picture", f"of {width} x {height} pixels cannot be encoded", "ask for a smaller one")
    return encoded.tobytes(), width, height


def commented(encoded: bytes, comment: str) -> bytes:
    """A JPEG with a comment, which programs that show pictures pass over (ITU-T T.81, B.2.4.5).

    Args:
        encoded: As `jpeg` makes it.
        comment: 65533 bytes of UTF-8 at most.
    """
    at = 2  # behind SOI, and behind JFIF's APP0, which must come first
    if encoded[2:4] == b"\xff\xe0":
        at = 4 + int.from_bytes(encoded[4:6], "big")
    text = comment.encode()
    return encoded[:at] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + encoded[at:]


def _write(canvas: Picture, text: str, corner: tuple[int, int], color: Color, text_px: int) -> None:
    """Put a line of text on a filled box above a corner, and never outside the picture."""
    scale, thickness = text_px / 1.4 / _FONT_PX, max(1, round(text_px / 14))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    margin = max(2, text_px // 6)
    wide, high = width + 2 * margin, height + below + 2 * margin
    x = max(0, min(corner[0], canvas.shape[1] - wide))
    y = corner[1] - high if corner[1] >= high else max(0, min(corner[1], canvas.shape[0] - high))
    cv2.rectangle(canvas, (x, y), (x + wide - 1, y + high - 1), color, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(color, (0.114, 0.587, 0.299)) > 110 else (255, 255, 255)
    cv2.putText(canvas, text, (x + margin, y + margin + height), _FONT, scale, ink, thickness, cv2.LINE_AA)


def _ascii(name: str) -> str:
    """What the font can show, not too long."""
    shown = name.encode("ascii", "replace").decode()
    return shown if len(shown) <= MAX_LABEL_CHARS else shown[: MAX_LABEL_CHARS - 2] + ".."
