"""What rides on the belt: boxes and envelopes with printed faces, their shadows, and where their codes are."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import textures
from camera import Camera, Face, Plane
from sheets import ART, Code, Sheet, rounded

LIGHT = np.array([-0.42, -0.34, 0.84])  # towards the lamp: a wide one above the camera, to its left
LIGHT /= np.linalg.norm(LIGHT)
_LAMP = 0.16  # how far the lamp's edge is from its middle, as an angle's tangent
_SHADOW_DENSITY, _SHADOW_ROOM = 400, 0.22
_DENSITY = ART * 1000
_BULGE, _SLICES = 18.0, 13

Triple = tuple[float, float, float]
Sides = dict[str, Sheet]
Maker = Callable[[np.random.Generator, float, float], Sheet]


@dataclass(frozen=True)
class Mark:
    """A code in the world: corners (4, 3), and the plane it is on."""

    name: str
    code: Code
    corners: np.ndarray
    plane: Plane


@dataclass(frozen=True)
class Parcel:
    """A solid at x 0, ready to be drawn anywhere along the belt.

    ``hull`` (N, 3) are the points whose outline is the solid's. ``faces`` are in drawing order.
    """

    name: str
    middle: np.ndarray
    hull: np.ndarray
    faces: tuple[Face, ...]
    shadow: Face
    marks: tuple[Mark, ...]

    def draw(self, canvas: np.ndarray, camera: Camera, x: float) -> None:
        """The solid without its shadow."""
        for face in self.faces:
            if face.plane.faces(camera, x):
                face.draw(canvas, camera, x)

    def outline(self, camera: Camera, x: float) -> np.ndarray:
        """Its silhouette in the frame, float64 (N, 2)."""
        seen = camera.project(self.hull + (x, 0, 0))
        return cv2.convexHull(seen.astype(np.float32))[:, 0].astype(np.float64)


def brightness(normal: np.ndarray) -> float:
    """Of a face: light from the whole hall, more from above, and the lamp's."""
    return float(0.44 + 0.10 * max(0.0, normal[2]) + 0.54 * max(0.0, normal @ LIGHT))


@dataclass(frozen=True)
class Pose:
    """How a parcel lies: its middle at ``y`` metres across the belt, turned counterclockwise by ``turn`` degrees."""

    y: float
    turn: float

    @property
    def middle(self) -> np.ndarray:
        """On the belt, float64 (3,)."""
        return np.array([0, self.y, 0])

    @property
    def spin(self) -> np.ndarray:
        """From the parcel's own axes to the world's, float64 (3, 3)."""
        return cv2.Rodrigues(np.array([0, 0, np.deg2rad(self.turn)]))[0]

    def points(self, own: np.ndarray) -> np.ndarray:
        """The parcel's own points (N, 3) in the world."""
        return own @ self.spin.T + self.middle

    def plane(self, corner: Triple, along: Triple, down: Triple) -> Plane:
        """A plane of the parcel's own in the world."""
        return Plane(self.spin @ corner + self.middle, self.spin @ along, self.spin @ down)


def box(name: str, size: Triple, pose: Pose, sheets: Sides, *, camera: Camera) -> Parcel:
    """A box of ``size`` (width, depth, height in mm) with five faces."""
    w, d, h = size[0] / 2000, size[1] / 2000, size[2] / 1000
    sides = {
        "back": pose.plane((w, d, h), (-1, 0, 0), (0, 0, -1)),
        "left": pose.plane((-w, d, h), (0, -1, 0), (0, 0, -1)),
        "right": pose.plane((w, -d, h), (0, 1, 0), (0, 0, -1)),
        "front": pose.plane((-w, -d, h), (1, 0, 0), (0, 0, -1)),
        "top": pose.plane((-w, d, h), (1, 0, 0), (0, -1, 0)),
    }
    faces, marks = [], []
    for side, plane in sides.items():
        sheet, upright = sheets[side], side != "top"
        lit = brightness(plane.normal) * (_at_foot(sheet) if upright else 1.0)
        picture = Sheet(sheet.picture.copy()).shade(lit).picture
        faces.append(Face(plane, picture, _DENSITY, camera, bleed=int(upright)))
        marks += _marks(name, sheet, plane)
    return _parcel(name, pose, (w, d, h), faces, marks, camera)


def envelope(
    name: str, height: float, pose: Pose, sheet: Sheet, *, camera: Camera, rng: np.random.Generator
) -> Parcel:
    """A padded envelope lying flat: slices of the same sheet, each higher and smaller, lit as a cushion."""
    w, d, h = sheet.size[0] / 2000, sheet.size[1] / 2000, height / 1000
    picture = Sheet(sheet.picture.copy()).shade(_cushion(rng, sheet, pose.spin)).picture
    faces = []
    for part in np.linspace(0, 1, _SLICES):
        rise, inset = np.sin(part * np.pi / 2), _BULGE * (1 - np.cos(part * np.pi / 2))
        plane = pose.plane((-w, d, h * rise), (1, 0, 0), (0, -1, 0))
        level = Sheet(picture.copy()).shade(0.66 + 0.34 * part**0.7).picture
        outline = rounded(level.shape[1], level.shape[0], 9.0 * ART, inset * ART)
        level[..., 3] = np.round(outline * 255)
        faces.append(Face(plane, level, _DENSITY, camera))
    return _parcel(name, pose, (w, d, h), faces, _marks(name, sheet, faces[-1].plane), camera)


def _parcel(
    name: str, pose: Pose, half: Triple, faces: list[Face], marks: list[Mark], camera: Camera
) -> Parcel:
    w, d, h = half
    base = pose.points(np.array([[-w, -d, 0], [w, -d, 0], [w, d, 0], [-w, d, 0]]))
    hull = np.concatenate((base, base + (0, 0, h)))
    return Parcel(name, pose.middle, hull, tuple(faces), _shadow(base, h, camera), tuple(marks))


def _marks(name: str, sheet: Sheet, plane: Plane) -> list[Mark]:
    return [
        Mark(f"{name}/{code.label}", code, plane.points(code.corners / 1000), plane) for code in sheet.codes
    ]


def _at_foot(sheet: Sheet) -> np.ndarray:
    """Less light reaches the foot of a side, none the crack under it."""
    rows, columns = sheet.picture.shape[:2]
    above = (rows - np.arange(rows, dtype=np.float32)[:, None]) / ART
    dim = 1 - 0.22 * np.exp(-above / 45) - 0.30 * np.exp(-above / 4)
    return np.repeat(dim, columns, 1)


def _cushion(rng: np.random.Generator, sheet: Sheet, spin: np.ndarray) -> np.ndarray:
    """Light on a soft surface: high in the middle, wrinkled, steep at the rim; about 1 where it is level."""
    rows, columns = sheet.picture.shape[:2]
    step = 4
    small = (rows // step, columns // step)
    x = np.linspace(-1, 1, small[1], dtype=np.float32)[None]
    y = np.linspace(-1, 1, small[0], dtype=np.float32)[:, None]
    level = 16 * np.clip(1 - np.abs(x) ** 3.5, 0, 1) ** 0.8 * np.clip(1 - np.abs(y) ** 3.5, 0, 1) ** 0.8
    level = level + 0.9 * textures.clouds(rng, *small) + 0.5 * textures.clouds(rng, *small, stretch=5.0)
    level = cv2.GaussianBlur(level.astype(np.float32), (0, 0), 2.5)
    slope_y, slope_x = np.gradient(level * ART / step)
    light = spin.T @ LIGHT
    normals = np.stack((-slope_x, slope_y, np.ones(small, np.float32)), -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lit = 0.54 + 0.54 * np.clip(normals @ light.astype(np.float32), 0, 1)
    rim = cv2.resize(lit.astype(np.float32), (columns, rows))
    return np.clip(rim, 0.4, 1.12)


def _shadow(base: np.ndarray, height: float, camera: Camera) -> Face:
    """On the belt: that of a wide lamp, so soft away from the foot, and the dark where foot and belt meet."""
    low, high = base[:, :2].min(0) - _SHADOW_ROOM, base[:, :2].max(0) + _SHADOW_ROOM
    columns, rows = np.ceil((high - low) * _SHADOW_DENSITY).astype(int).tolist()
    dark = np.zeros((rows, columns), np.float32)
    spots = [(r * np.cos(a), r * np.sin(a)) for r in (0.35, 0.7, 1.0) for a in np.arange(0, 6.2, 0.7) + r]
    for spot in spots:
        toward = LIGHT[:2] / LIGHT[2] + np.array(spot) * _LAMP * 2
        points = np.concatenate((base[:, :2], base[:, :2] - toward * height))
        dark += _filled(points, low, high, dark.shape) / len(spots)
    foot = _filled(base[:, :2], low, high, dark.shape)
    near = cv2.GaussianBlur(foot, (0, 0), 0.008 * _SHADOW_DENSITY)
    wide = cv2.GaussianBlur(foot, (0, 0), max(0.012, 0.25 * height) * _SHADOW_DENSITY)
    light = (1 - 0.50 * cv2.GaussianBlur(dark, (0, 0), 1.2)) * (1 - 0.30 * near) * (1 - 0.30 * wide)
    picture = np.zeros((rows, columns, 4), np.uint8)
    picture[..., 3] = np.round((1 - light) * 255)
    plane = Plane(np.array([low[0], high[1], 0]), np.array([1.0, 0, 0]), np.array([0, -1.0, 0]))
    return Face(plane, picture, _SHADOW_DENSITY, camera)


def _filled(points: np.ndarray, low: np.ndarray, high: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    flat = np.stack((points[:, 0] - low[0], high[1] - points[:, 1]), 1) * _SHADOW_DENSITY
    hull = cv2.convexHull(flat.astype(np.float32))[:, 0]
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def wrapped(rng: np.random.Generator, size: Triple, make: Maker) -> Sides:
    """All five faces of a box out of the same material."""
    w, d, h = size
    flat = {"top": (w, d), "front": (w, h), "right": (d, h), "back": (w, h), "left": (d, h)}
    return {side: make(rng, *extent) for side, extent in flat.items()}
