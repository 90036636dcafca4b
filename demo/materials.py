"""What parcels are made of: corrugated board, smooth carton, moulded plastic; and the tape that closes them."""

import cv2
import numpy as np
import textures
from sheets import ART, Ink, Sheet, paper

KRAFT, PALE_KRAFT, DARK_KRAFT = (112, 152, 188), (134, 172, 201), (86, 122, 158)
CARTON, SLATE, CRATE = (222, 226, 226), (78, 70, 62), (128, 78, 34)


def cardboard(rng: np.random.Generator, width: float, height: float, colour: Ink = KRAFT) -> Sheet:
    """Corrugated board: fibres, faint flutes, dents, edges worn lighter."""
    sheet = paper(width, height, colour, corner=0)
    rows, columns = sheet.picture.shape[:2]
    fibres = cv2.resize(rng.standard_normal((rows // 3, columns // 9), np.float32), (columns, rows))
    flutes = np.sin(np.arange(columns, dtype=np.float32) * (2 * np.pi / (7.5 * ART)))[None]
    small = (rows // 3, columns // 3)
    dents = sum(_crease(rng, *small, ART / 3) for _ in range(int(rng.integers(2, 5))))
    dents = dents + 0.018 * textures.clouds(rng, *small) + 0.10 * _near_edge(rng, *small, 2.2 * ART / 3)
    return sheet.shade(1 + cv2.resize(dents, (columns, rows)) + 0.012 * fibres + 0.008 * flutes)


def carton(rng: np.random.Generator, width: float, height: float, colour: Ink = CARTON) -> Sheet:
    """Smooth coated carton, hardly any texture."""
    sheet = paper(width, height, colour, corner=0)
    rows, columns = sheet.picture.shape[:2]
    ramp = np.linspace(0.03, -0.03, rows, dtype=np.float32)[:, None]
    edges = cv2.resize(_near_edge(rng, rows // 3, columns // 3, ART / 3), (columns, rows))
    return sheet.shade(1 + 0.008 * clouds(rng, rows, columns) + ramp + 0.07 * edges)


def plastic(
    rng: np.random.Generator, width: float, height: float, colour: Ink = CRATE, *, ribs: float = 0
) -> Sheet:
    """Moulded plastic with a raised rim and ribs every ``ribs`` millimetres."""
    sheet = paper(width, height, colour, corner=0)
    rows, columns = sheet.picture.shape[:2]
    x, y = np.arange(columns)[None] / ART, np.arange(rows)[:, None] / ART
    edge = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y))
    factor = 1 + 0.02 * clouds(rng, rows, columns)
    factor += 0.16 * np.exp(-(((edge - 1) / 1.2) ** 2)) - 0.30 * np.exp(-(((edge - 14) / 1.3) ** 2))
    factor += 0.14 * np.exp(-(((edge - 11.5) / 1.2) ** 2))
    if ribs:
        phase = (x % ribs) - ribs / 2
        inside = edge > 16
        factor += inside * (
            0.20 * np.exp(-(((phase + 1.5) / 1.2) ** 2)) - 0.25 * np.exp(-(((phase - 1.5) / 1.2) ** 2))
        )
    return sheet.shade(factor.astype(np.float32))


def clouds(rng: np.random.Generator, rows: int, columns: int, *, stretch: float = 1.0) -> np.ndarray:
    """Noise of many scales, as `textures.clouds` draws it, at a third of the resolution."""
    small = textures.clouds(rng, max(2, rows // 3), max(2, columns // 3), stretch=stretch)
    return cv2.resize(small, (columns, rows))


def _crease(rng: np.random.Generator, rows: int, columns: int, density: float) -> np.ndarray:
    """A fold: lighter on one side of a line, darker on the other, strongest in its middle."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    middle = rng.uniform(0.1, 0.9, 2) * (columns, rows)
    along = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
    across = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
    across += 0.75 * density * np.sin(along / (10 * density))
    reach = rng.uniform(12, 40) * density
    side = across / (1.1 * density)
    return (rng.uniform(0.05, 0.13) * -side * np.exp(-side * side) * np.exp(-((along / reach) ** 2))).astype(
        np.float32
    )


def _near_edge(rng: np.random.Generator, rows: int, columns: int, reach: float) -> np.ndarray:
    x, y = np.arange(columns, dtype=np.float32)[None], np.arange(rows, dtype=np.float32)[:, None]
    edge = np.minimum(np.minimum(x, columns - 1 - x), np.minimum(y, rows - 1 - y))
    worn = np.clip(0.7 + 0.5 * clouds(rng, rows, columns), 0, 1.6)
    return np.exp(-((edge / reach) ** 2)) * worn


def tape(
    sheet: Sheet,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    colour: Ink = (62, 104, 146),
) -> None:
    """Packing tape over ``box`` xyxy: half transparent, glossy in streaks, with bright cut edges."""
    left, top, right, bottom = (round(value * ART) for value in box)
    part = sheet.picture[max(0, top) : bottom, max(0, left) : right, :3]
    rows, columns = part.shape[:2]
    gloss = clouds(rng, rows, columns)
    mixed = part * 0.40 + np.array(colour, np.float32) * 0.60
    part[:] = np.clip(mixed * (1 + 0.03 * gloss[..., None]), 0, 255)
    lines = [part[:2], part[-2:]] if columns > rows else [part[:, :2], part[:, -2:]]
    for line in lines:
        line[:] = np.clip(line * 1.14, 0, 255)


def seam(sheet: Sheet, at: float) -> None:
    """The gap between two flaps, along the sheet at height ``at``."""
    rows = np.arange(sheet.picture.shape[0], dtype=np.float32)[:, None] / ART - at
    sheet.shade(
        1
        - 0.45 * np.exp(-((rows / 0.9) ** 2))
        + 0.06 * np.exp(-(((rows - 2.2) / 1.0) ** 2))
        + np.zeros(sheet.picture.shape[:2], np.float32)
    )
