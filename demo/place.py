"""Where it happens: the belt, its rails, the floor of the hall, a light barrier, a plate with a marker."""

import cv2
import numpy as np
import textures
from camera import Camera, Face, Plane
from labels import marker_sticker
from sheets import ART, Sheet, paper

X, FAR, DOWN = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
EDGE = 0.33  # of the belt, from its middle line
REACH = 1.15  # no more of the belt is in view, to each side
PLATE_TILT = 38.0
_BELT_DENSITY, _SOFT = 1100, 2
_BELT = (108, 107, 93)


FLOOR = 0.85  # below the belt
_STORED = (  # on the floor behind, out of focus: corner x, y, z; width, depth, height; colour
    ((-0.62, 1.52, -0.85), (0.72, 0.60, 0.12), (66, 92, 110)),
    ((-0.58, 1.55, -0.73), (0.30, 0.40, 0.26), (82, 110, 134)),
    ((-0.24, 1.58, -0.73), (0.28, 0.36, 0.20), (92, 118, 140)),
    ((0.62, 1.66, -0.85), (0.55, 0.40, 0.30), (104, 78, 54)),
)


class Belt:
    """A closed belt ``length`` metres long that goes ``speed`` metres a second along x."""

    def __init__(self, rng: np.random.Generator, length: float, blur: float) -> None:
        columns, rows = round(length * _BELT_DENSITY), round(2 * EDGE * _BELT_DENSITY)
        picture = _belt_picture(rng, rows, columns)
        extra = round(2 * REACH * _BELT_DENSITY) + 2
        picture = np.concatenate((picture, picture[:, :extra]), 1)
        smear = max(1, round(blur * _BELT_DENSITY)) | 1
        self._picture = cv2.blur(picture, (smear, 1))
        self._columns, self._extra = columns, extra
        self._length = length

    def draw(self, camera: Camera, moved: float) -> np.ndarray:
        """A new canvas, uint8 BGR, with the belt ``moved`` metres on."""
        first = (-REACH - moved) % self._length * _BELT_DENSITY
        start = int(first)
        part = self._picture[:, start : start + self._extra]
        step = 1 / _BELT_DENSITY
        left = -REACH - (first - start) * step
        flat = np.array([[step, 0, left], [0, -step, EDGE], [0, 0, 0], [0, 0, 1.0]])
        matrix = camera.matrix @ flat
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        return cv2.warpPerspective(
            part, np.linalg.inv(half) @ matrix @ half, camera.size, borderMode=cv2.BORDER_REPLICATE
        )


def _belt_picture(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Woven plastic with scuffs along the run, stains, and one splice."""
    tone = np.ones((rows, columns), np.float32)
    for cells, strength in ((5, 0.02), (23, 0.02), (90, 0.018), (420, 0.014)):
        tall = max(3, cells * rows // columns * 4)
        layer = rng.standard_normal((tall, cells), np.float32)
        layer = np.concatenate((layer, layer[:, :4]), 1)
        wide = cv2.resize(layer, (columns * (cells + 4) // cells, rows), interpolation=cv2.INTER_CUBIC)
        tone += strength * wide[:, columns * 2 // cells : columns * 2 // cells + columns]
    streaks = cv2.blur(rng.standard_normal((rows, 1), np.float32), (1, 15))
    tone += 0.09 * streaks
    grain = rng.standard_normal((rows // 2, columns // 2), np.float32)
    tone += 0.045 * cv2.resize(grain, (columns, rows))
    for _ in range(170):
        _scuff(rng, tone)
    for _ in range(260):
        _scratch(rng, tone)
    y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows
    tone *= 1 - 0.22 * np.exp(-np.minimum(y, 1 - y) * rows / (0.02 * _BELT_DENSITY))
    splice = columns // 3 + (np.abs(((np.arange(rows) / 34) % 2) - 1) * 40).astype(int)
    for offset in range(-2, 3):
        tone[np.arange(rows), splice + offset] *= 0.86 if abs(offset) < 2 else 1.06
    turn = 2 * np.pi * round(columns / 7) / columns  # a thread every seven pixels, and no half one at the end
    tone += 0.012 * np.sin(turn * np.add.outer(np.arange(rows), np.arange(columns)))
    colour = np.array(_BELT, np.float32)
    return np.clip(tone[..., None] * colour, 0, 255).astype(np.uint8)


def _scuff(rng: np.random.Generator, tone: np.ndarray) -> None:
    """A rub mark, mostly along the run, lighter or darker."""
    rows, columns = tone.shape
    length, width = int(rng.uniform(40, 420)), int(rng.uniform(4, 40))
    top, left = int(rng.integers(0, rows - width)), int(rng.integers(0, columns - length))
    mark = cv2.resize(
        rng.standard_normal((max(2, width // 3), max(2, length // 60)), np.float32), (length, width)
    )
    window = np.hanning(length)[None] * np.hanning(width + 2)[1:-1, None]
    tone[top : top + width, left : left + length] += (0.07 * rng.normal() + 0.04 * mark) * window


def _scratch(rng: np.random.Generator, tone: np.ndarray) -> None:
    """A thin line, a crumb if it is short; nearly all along the run."""
    rows, columns = tone.shape
    length, lean = float(np.exp(rng.uniform(0.5, 5))), rng.normal(0, 0.12) if rng.random() < 0.85 else 1.5
    start = np.array([rng.uniform(160, columns - 160), rng.uniform(10, rows - 10)])
    end = start + length * np.array([np.cos(lean), np.sin(lean)])
    low = np.floor(np.minimum(start, end)).astype(int) - 3
    high = np.ceil(np.maximum(start, end)).astype(int) + 4
    low, high = np.maximum(low, 0), np.minimum(high, (columns, rows))
    mark = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    ends = [np.round((point - low) * 16).astype(int).tolist() for point in (start, end)]
    cv2.line(mark, ends[0], ends[1], (255,), int(rng.integers(1, 4)), cv2.LINE_AA, 4)
    tone[low[1] : high[1], low[0] : high[0]] += mark / np.float32(255) * rng.choice((-0.14, 0.10, 0.18))


class Surroundings:
    """All that stands still, drawn once: behind the parcels, and in front of them.

    Attributes:
        plate: The plate's sheet with its marker.
        plane: Where the plate is.
    """

    def __init__(self, rng: np.random.Generator, camera: Camera) -> None:
        self.plate, self.plane = _plate()
        fine = camera.scaled(_SOFT)
        behind = np.zeros((fine.size[1], fine.size[0], 3), np.uint8)
        self._floor(behind, fine, rng)
        belt = self._mask(fine)
        self._far_side(behind, fine, rng)
        front = behind.copy()
        near = self._near_side(front, fine, rng)
        behind, front, belt, near = (
            cv2.resize(picture, camera.size, interpolation=cv2.INTER_AREA)
            for picture in (behind, front, belt, near)
        )
        self._behind, self._front = behind, front
        self._belt, self.near = belt.astype(np.float32) / 255, near.astype(np.float32) / 255

    def behind(self, belt: np.ndarray) -> np.ndarray:
        """The belt between what is beyond it."""
        return cv2.blendLinear(belt, self._behind, self._belt, 1 - self._belt)

    def in_front(self, canvas: np.ndarray) -> np.ndarray:
        """The near rail over everything."""
        return cv2.blendLinear(canvas, self._front, 1 - self.near, self.near)

    def _mask(self, camera: Camera) -> np.ndarray:
        """Where the belt is seen: 255, uint8."""
        corners = np.array([[-3, EDGE, 0], [3, EDGE, 0], [3, -EDGE, 0], [-3, -EDGE, 0.0]])
        mask = np.zeros(camera.size[::-1], np.uint8)
        cv2.fillConvexPoly(
            mask, np.round(camera.project(corners) * 16).astype(np.int32), (255,), cv2.LINE_AA, 4
        )
        return mask

    def _floor(self, canvas: np.ndarray, camera: Camera, rng: np.random.Generator) -> None:
        sheet = paper(500, 250, (118, 122, 124), corner=0)
        sheet.shade(1 + 0.06 * textures.clouds(rng, *sheet.picture.shape[:2]))
        sheet.fill((0, 62, 500, 70), (78, 150, 172))
        sheet.shade(0.84)
        plane = Plane(np.array([-2.5, 2.2, -FLOOR]), X, -FAR)
        Face(plane, sheet.picture, ART * 100, camera).draw(canvas, camera)
        for corner, size, colour in _STORED:
            _solid(canvas, camera, corner, size, colour)
        canvas[:] = cv2.GaussianBlur(canvas, (0, 0), 8)

    def _far_side(self, canvas: np.ndarray, camera: Camera, rng: np.random.Generator) -> None:
        inner, outer, top = EDGE, EDGE + 0.045, 0.05
        _bar(canvas, camera, rng, (inner, top), (outer, top), 1.0)
        _bar(canvas, camera, rng, (inner, top), (inner, 0.0), 0.62, slot=True)
        for x in (-0.62, -0.06, 0.50):
            _bolt(canvas, camera, (x, inner + 0.022, top))
        self._post(canvas, camera)
        _barrier(canvas, camera)

    def _post(self, canvas: np.ndarray, camera: Camera) -> None:
        """The plate with the marker, on two stays behind the far rail."""
        width, height = (value / 1000 for value in self.plate.size)
        for at in (0.22, 0.78):
            foot = self.plane.points(np.array([[at * width - 0.006, height * 0.9]]))[0]
            stay = paper(12, 1000 * height * 0.6, (110, 112, 112), corner=0)
            Face(Plane(foot + (0, 0.004, 0.01), X, DOWN), stay.picture, ART * 1000, camera).draw(
                canvas, camera
            )
        lit = Sheet(self.plate.picture.copy()).shade(0.93)
        Face(self.plane, lit.picture, ART * 1000, camera, near=self.plane.corner[0]).draw(canvas, camera)

    def _near_side(self, canvas: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
        inner, outer, top = -EDGE, -EDGE - 0.045, 0.03
        _bar(canvas, camera, rng, (inner, top), (outer, top), 1.04)
        _bar(canvas, camera, rng, (outer, top), (outer, -0.12), 0.72, slot=True)
        for x in (-0.40, 0.10, 0.60):
            _bolt(canvas, camera, (x, inner - 0.022, top))
        edge = camera.project(np.array([[-3, inner, top], [3, inner, top]]))
        below = np.concatenate(
            (edge, [[camera.size[0] * 4, camera.size[1] * 4], [-camera.size[0] * 4, camera.size[1] * 4]])
        )
        mask = np.zeros(camera.size[::-1], np.uint8)
        cv2.fillConvexPoly(mask, np.round(below * 16).astype(np.int32), (255,), cv2.LINE_AA, 4)
        return mask


def _solid(
    canvas: np.ndarray,
    camera: Camera,
    corner: tuple[float, float, float],
    size: tuple[float, float, float],
    colour: tuple[int, int, int],
) -> None:
    """A plain box with its sides along the axes; its front, its top, and the side towards the camera."""
    (x, y, z), (w, d, h) = corner, size
    side = Plane(np.array([x, y + d, z + h]), -FAR, DOWN)
    if not side.faces(camera):
        side = Plane(np.array([x + w, y, z + h]), FAR, DOWN)
    parts = (
        (side, (d, h), 0.62),
        (Plane(np.array([x, y, z + h]), X, DOWN), (w, h), 0.72),
        (Plane(np.array([x, y + d, z + h]), X, -FAR), (w, d), 1.0),
    )
    for plane, (width, height), light in parts:
        sheet = paper(width * 100, height * 100, colour, corner=0).shade(light)
        Face(plane, sheet.picture, ART * 100, camera, bleed=1).draw(canvas, camera)


def _plate() -> tuple[Sheet, Plane]:
    """The plate leans back so that the camera sees it nearly upright."""
    sheet = marker_sticker("AprilTag 36h11", 7, 84, (232, 236, 236))
    height = sheet.size[1] / 1000
    lean = np.deg2rad(PLATE_TILT)
    down = np.array([0, -np.sin(lean), -np.cos(lean)])
    corner = np.array([-0.60, EDGE + 0.075, 0.055]) - down * height
    return sheet, Plane(corner, X, down)


def _bar(
    canvas: np.ndarray,
    camera: Camera,
    rng: np.random.Generator,
    first: tuple[float, float],
    second: tuple[float, float],
    light: float,
    *,
    slot: bool = False,
) -> None:
    """A side of an aluminium profile along x, from (y, z) ``first``, its upper edge, to ``second``."""
    upper, lower = np.array([-1.6, *first]), np.array([-1.6, *second])
    if first[0] > second[0]:
        down = (lower - upper) / np.linalg.norm(lower - upper)
    elif first[0] < second[0]:
        upper, lower = lower, upper
        down = (lower - upper) / np.linalg.norm(lower - upper)
    else:
        down = DOWN
    height = float(np.linalg.norm(lower - upper)) * 1000
    sheet = paper(3200 / 4, height, (186, 184, 180), corner=0)
    rows, columns = sheet.picture.shape[:2]
    across = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows
    brushed = rng.standard_normal((rows, 1), np.float32) * 0.02 + 0.015 * textures.clouds(
        rng, rows, columns, stretch=24.0
    )
    factor = light * (1.04 - 0.16 * across + brushed)
    edge = np.minimum(across, 1 - across) * height
    factor = factor * (1 + 0.16 * np.exp(-((edge / 1.6) ** 2)))
    if slot:
        factor = factor * (1 - 0.55 * np.exp(-(((across - 0.5) * height / 3.5) ** 8)))
    sheet.shade(factor.astype(np.float32))
    wide = cv2.resize(sheet.picture, (columns * 4, rows))
    Face(Plane(upper, X, down), wide, ART * 1000, camera).draw(canvas, camera)


def _bolt(canvas: np.ndarray, camera: Camera, at: tuple[float, float, float]) -> None:
    sheet = paper(14, 14, (150, 150, 148), corner=7)
    middle = (7 * ART, 7 * ART)
    page = np.ascontiguousarray(sheet.picture[..., :3])
    cv2.circle(page, middle, round(6.2 * ART), (204, 204, 200), -1, cv2.LINE_AA)
    angles = np.arange(6) * np.pi / 3
    corners = np.stack((np.cos(angles), np.sin(angles)), 1) * 3.2 * ART + middle
    cv2.fillPoly(page, [np.round(corners).astype(np.int32)], (58, 58, 58), cv2.LINE_AA)
    sheet.picture[..., :3] = page
    corner = np.array(at) + (-0.007, 0.007, 0)
    Face(Plane(corner, X, -FAR), sheet.picture, ART * 1000, camera, near=at[0]).draw(canvas, camera)


def _barrier(canvas: np.ndarray, camera: Camera) -> None:
    """A light barrier on the far rail: a small dark case with a lens and a lamp that is on."""
    x, y, z = 0.34, EDGE + 0.012, 0.05
    width, depth, height = 0.034, 0.024, 0.052
    front = paper(width * 1000, height * 1000, (46, 44, 42), corner=0.6)
    page = np.ascontiguousarray(front.picture[..., :3])
    cv2.circle(page, (17 * ART, 32 * ART), 9 * ART, (30, 28, 26), -1, cv2.LINE_AA)
    cv2.circle(page, (17 * ART, 32 * ART), 7 * ART, (58, 40, 64), -1, cv2.LINE_AA)
    cv2.circle(page, (15 * ART, 29 * ART), 2 * ART, (150, 130, 140), -1, cv2.LINE_AA)
    cv2.circle(page, (27 * ART, 8 * ART), 3 * ART, (60, 210, 96), -1, cv2.LINE_AA)
    front.picture[..., :3] = page
    front.write("LB-3", (5, 12), 4, 600, (190, 190, 190))
    side = paper(depth * 1000, height * 1000, (30, 29, 28), corner=0)
    lid = paper(width * 1000, depth * 1000, (74, 72, 70), corner=0)
    back = paper(46, 40, (170, 168, 164), corner=1)
    planes = (
        (back, Plane(np.array([x - 0.006, y + 0.03, z + 0.001]), X, -FAR)),
        (side, Plane(np.array([x, y + depth, z + height]), -FAR, DOWN)),
        (front, Plane(np.array([x, y, z + height]), X, DOWN)),
        (lid, Plane(np.array([x, y + depth, z + height]), X, -FAR)),
    )
    for sheet, plane in planes:
        if plane.faces(camera):
            Face(plane, sheet.picture, ART * 1000, camera, near=x, bleed=1).draw(canvas, camera)
