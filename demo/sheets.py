"""Flat printed things, the codes on them, and how one is glued on another.

Lengths are millimetres, pictures hold ART pixels a millimetre. Letters come out of OpenCV's own typeface.
"""

import functools
from dataclasses import dataclass, field

import cv2
import numpy as np

ART = 4
BLACK, WHITE = (28, 26, 25), (238, 241, 242)
CAPITALS = 0.70  # of a letter's nominal size

Ink = tuple[int, int, int]


@dataclass(frozen=True)
class Code:
    """A code on a sheet; ``corners`` (4, 2) are those of its modules, clockwise from the symbol's own top left."""

    label: str
    symbology: str
    content: str
    corners: np.ndarray


@dataclass
class Sheet:
    """Something flat and printed: uint8 BGRA (height, width, 4) and the codes on it, from its top left corner."""

    picture: np.ndarray
    codes: list[Code] = field(default_factory=list)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in millimetres."""
        return self.picture.shape[1] / ART, self.picture.shape[0] / ART

    def put(self, other: "Sheet", at: tuple[float, float], turn: float = 0, *, lift: float = 0.5) -> "Sheet":
        """Glue ``other`` on, its middle ``at``, turned clockwise by degrees; ``lift`` is its shadow's strength."""
        width, height = other.size
        angle = np.deg2rad(turn)
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        move = np.array(at) - spin @ (width / 2, height / 2)
        matrix = np.column_stack((spin, move * ART + (spin @ (0.5, 0.5) - 0.5)))
        extent = self.picture.shape[1::-1]
        # Colours of the outermost pixels reach further than their opacity, so no dark seam is mixed in.
        colours = cv2.warpAffine(other.picture[..., :3], matrix, extent, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpAffine(np.ascontiguousarray(other.picture[..., 3]), matrix, extent)
        weight = alpha.astype(np.float32) / 255
        if lift:
            shadow = cv2.GaussianBlur(weight, (0, 0), 0.7 * ART)
            shadow = cv2.warpAffine(shadow, np.float32([[1, 0, 0.5 * ART], [0, 1, 0.5 * ART]]), extent)
            self.shade(1 - lift * shadow)
        part = self.picture[..., :3]
        part[:] = np.clip(part + (colours - part.astype(np.float32)) * weight[..., None] + 0.5, 0, 255)
        for code in other.codes:
            corners = code.corners @ spin.T + move
            self.codes.append(Code(code.label, code.symbology, code.content, corners))
        return self

    def shade(self, factor: np.ndarray | float) -> "Sheet":
        """Darken or lighten by ``factor``, (height, width) or one number."""
        part = self.picture[..., :3]
        wide = factor[..., None] if isinstance(factor, np.ndarray) else factor
        part[:] = np.clip(part * wide + 0.5, 0, 255)
        return self

    def write(
        self, text: str, at: tuple[float, float], capitals: float, weight: int = 400, ink: Ink = BLACK
    ) -> None:
        """A line whose capitals are that high, from the left end of its base line."""
        size = max(6, round(capitals * ART / CAPITALS))
        page = np.ascontiguousarray(self.picture[..., :3])
        where = (round(at[0] * ART), round(at[1] * ART))
        cv2.putText(page, text, where, ink, typeface(), size, weight)
        self.picture[..., :3] = page

    def fill(self, box: tuple[float, float, float, float], ink: Ink, line: float = 0) -> None:
        """A rectangle xyxy, or its outline ``line`` wide."""
        left, top, right, bottom = (round(value * ART) for value in box)
        thickness = round(line * ART) if line else -1
        page = np.ascontiguousarray(self.picture[..., :3])
        cv2.rectangle(page, (left, top), (right - 1, bottom - 1), ink, thickness)
        self.picture[..., :3] = page

    def modules(
        self, label: str, symbology: str, content: str, modules: np.ndarray, box: tuple[float, ...]
    ) -> None:
        """A code whose modules fill ``box`` (left, top, width, height) as nearly as whole pixels a module do."""
        left, top, width, height = box
        rows, columns = modules.shape
        across = max(1, round(width * ART / columns))
        down = max(1, round(height * ART / rows)) if rows > 1 else round(height * ART)
        down = across if rows > 1 else down
        drawn = np.repeat(np.repeat(modules, down, 0), across, 1)
        x, y = round(left * ART), round(top * ART)
        ink = drawn[..., None] / 255 * (np.array(WHITE) - BLACK) + BLACK
        self.picture[y : y + drawn.shape[0], x : x + drawn.shape[1], :3] = ink
        right, bottom = x + drawn.shape[1], y + drawn.shape[0]
        corners = np.array([[x, y], [right, y], [right, bottom], [x, bottom]]) / ART
        self.codes.append(Code(label, symbology, content, corners))


@functools.cache
def typeface() -> cv2.FontFace:
    """OpenCV's own."""
    return cv2.FontFace("sans")


def paper(
    width: float, height: float, colour: Ink = WHITE, *, corner: float = 1.5, alpha: int = 255
) -> Sheet:
    """An empty sheet with round corners."""
    rows, columns = round(height * ART), round(width * ART)
    picture = np.empty((rows, columns, 4), np.uint8)
    picture[..., :3] = colour
    picture[..., 3] = (alpha * rounded(columns, rows, corner * ART)).astype(np.uint8) if corner else alpha
    return Sheet(picture)


def rounded(columns: int, rows: int, radius: float, inset: float = 0) -> np.ndarray:
    """Opacity 0 to 1, float32 (rows, columns), of a rectangle with round corners, shrunk by ``inset`` all round."""
    x = np.abs(np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) - (columns / 2 - inset - radius)
    y = np.abs(np.arange(rows, dtype=np.float32) + 0.5 - rows / 2) - (rows / 2 - inset - radius)
    away = np.hypot(np.maximum(x, 0)[None], np.maximum(y, 0)[:, None])
    inner = np.minimum(np.maximum(x[None], y[:, None]), 0)
    return np.clip(radius - away - inner * (away == 0) + 0.5, 0, 1)
