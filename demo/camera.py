"""A pinhole camera, and flat faces drawn as it sees them.

World: metres; x along the belt, y across it and away from the camera, z up from the belt's surface. Frame: pixels, the
frame's top left corner is (0, 0), so the middle of its first pixel is (0.5, 0.5). OpenCV counts from that middle, which
is why halves are taken off where its functions are called.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
_UNHALF = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
_PAD = 2
OVERSAMPLING = 1.25  # pixels of a face for one of the frame


class Camera:
    """Where it stands, what it looks at, and its lens (``focal`` in pixels).

    Attributes:
        place: Its position, float64 (3,).
        matrix: World to frame, float64 (3, 4), homogeneous.
        size: Width and height of the frame.
    """

    def __init__(
        self,
        place: tuple[float, float, float],
        target: tuple[float, float, float],
        *,
        focal: float,
        size: tuple[int, int],
    ) -> None:
        self.place, self.size = np.array(place), size
        ahead = np.array(target) - self.place
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        turn = np.stack((right, np.cross(ahead, right), ahead))
        lens = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]])
        self.matrix = lens @ np.column_stack((turn, -turn @ self.place))

    def scaled(self, factor: int) -> "Camera":
        """The same view with ``factor`` times as many pixels a side."""
        larger = object.__new__(Camera)
        larger.place, larger.size = self.place, (self.size[0] * factor, self.size[1] * factor)
        larger.matrix = np.diag((factor, factor, 1.0)) @ self.matrix
        return larger

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) to frame points (N, 2)."""
        seen = np.column_stack((points, np.ones(len(points)))) @ self.matrix.T
        return seen[:, :2] / seen[:, 2:]


@dataclass(frozen=True)
class Plane:
    """A flat patch: its top left ``corner``, unit vectors ``along`` its picture's rows and ``down`` its columns."""

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Towards where the picture is seen the right way round."""
        return np.cross(self.down, self.along)

    def points(self, flat: np.ndarray) -> np.ndarray:
        """Points (N, 2) on the patch, in metres, as world points (N, 3)."""
        return self.corner + flat[:, :1] * self.along + flat[:, 1:] * self.down

    def faces(self, camera: Camera, shift: float = 0) -> bool:
        """Whether the camera sees its front, when it has moved along x by ``shift``."""
        return bool(self.normal @ (camera.place - self.corner - (shift, 0, 0)) > 0)


class Face:
    """A picture on a plane, kept at about the resolution in which it will be seen.

    Args:
        plane: Where it is.
        picture: uint8 BGRA.
        density: Its pixels a metre.
        camera: Who looks.
        near: The x at which it is seen, for the choice of the resolution.
        bleed: How many pixels it grows on each side; faces that meet at an edge leave no gap then.
    """

    def __init__(
        self,
        plane: Plane,
        picture: np.ndarray,
        density: float,
        camera: Camera,
        *,
        near: float = 0,
        bleed: int = 0,
    ) -> None:
        self.plane = plane
        height, width = picture.shape[0] / density, picture.shape[1] / density
        middle = np.array([[width / 2, height / 2]]) + ((0, 0), (0.01, 0), (0, 0.01))
        seen = camera.project(plane.points(middle) + (near - plane.points(middle)[0, 0], 0, 0))
        shrink = np.clip(np.linalg.norm(seen[1:] - seen[0], axis=1) * 100 / density * OVERSAMPLING, 0.02, 1)
        size = np.maximum(2, np.round(shrink * picture.shape[1::-1])).astype(int)
        kept = cv2.resize(picture, size.tolist(), interpolation=cv2.INTER_AREA)
        kept = cv2.copyMakeBorder(kept, *[_PAD] * 4, cv2.BORDER_REPLICATE)
        clear = _PAD - bleed
        kept[:clear, :, 3] = kept[-clear:, :, 3] = 0
        kept[:, :clear, 3] = kept[:, -clear:, 3] = 0
        self.picture = kept
        scale = np.array([width, height]) / size
        self._to_metres = np.array(
            [[scale[0], 0, -_PAD * scale[0]], [0, scale[1], -_PAD * scale[1]], [0, 0, 1.0]]
        )

    def matrix(self, camera: Camera, shift: float = 0) -> np.ndarray:
        """Picture to frame, (3, 3), both counted from corners of pixels."""
        plane = np.column_stack((self.plane.along, self.plane.down, self.plane.corner + (shift, 0, 0)))
        return camera.matrix[:, :3] @ plane @ self._to_metres + np.outer(
            camera.matrix[:, 3], self._to_metres[2]
        )

    def draw(self, canvas: np.ndarray, camera: Camera, shift: float = 0) -> None:
        """Onto ``canvas``, uint8 BGR of the camera's size, in place."""
        matrix = self.matrix(camera, shift)
        height, width = self.picture.shape[:2]
        corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]]) @ matrix.T
        corners = corners[:, :2] / corners[:, 2:]
        left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0).tolist()
        right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int), camera.size).tolist()
        if right <= left or bottom <= top:
            return
        inside = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]])
        drawn = cv2.warpPerspective(
            self.picture, inside @ _UNHALF @ matrix @ _HALF, (right - left, bottom - top)
        )
        blend(canvas[top:bottom, left:right], drawn)


def blend(canvas: np.ndarray, upper: np.ndarray) -> None:
    """``upper`` (BGRA) over ``canvas`` (BGR), in place."""
    weight = cv2.extractChannel(upper, 3).astype(np.float32) * (1 / 255)
    cv2.blendLinear(cv2.cvtColor(upper, cv2.COLOR_BGRA2BGR), canvas.copy(), weight, 1 - weight, canvas)
