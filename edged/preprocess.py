"""From the planes of a frame to the tensor of a model.

Each plane is resized to the size of the model first and colours are converted afterwards, so that the work
is that of the small picture; the full frame is never converted. The order, and the memory it goes through:

    Y, U, V --resize--> small planes --merge, 3x4 matrix--> BGR or RGB, 8 bits --split, scale--> the tensor
    BGR ------------------resize-------------------------> BGR, 8 bits ---------split, scale--> the tensor

Rules: pixels are sampled bilinearly, pixel centres lie at halves (as ``cv2.INTER_LINEAR`` has it); chroma is
taken to lie in the middle of the luma pixels it covers; the picture is rounded to 8 bits once, then scaled.
"""

import weakref
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.errors import BadInput, EdgedError
from edged.frame import ColorMatrix, Frame, PixelLayout, Plane
from edged.geometry import Placement, Region, Transform, place
from edged.manifest import InputRecipe

MAX_KNOWN_PLACEMENTS = 256
"""Frame sizes, and regions in them, whose placement one preparer remembers; beyond that some are computed again."""

MAX_KNOWN_TENSORS = 16
"""Whose padding one preparer remembers; a ring of them has fewer."""

_WARP_LIMIT_PX = 32766  # cv2.warpAffine counts pixels in 16 bits
_ROWS = {"BGR": [2, 1, 0], "RGB": [0, 1, 2]}

# Kr and Kb: ITU-R BT.601-7 §2.5.1, BT.709-6 §3, BT.2020-2 table 4 (non-constant luminance).
_LUMA = {
    ColorMatrix.BT601: (0.299, 0.114),
    ColorMatrix.BT709: (0.2126, 0.0722),
    ColorMatrix.BT2020: (0.2627, 0.0593),
}


def yuv_to_rgb(matrix: ColorMatrix, full_range: bool) -> NDArray[np.float64]:
    """The rows R, G, B of ``[Y, U, V, 1]`` for 8-bit samples: float64 (3, 4).

    BT.601, full range: R = Y + 1.402 V - 179.456. Limited range is 16-235 for Y, 16-240 for U and V.
    """
    kr, kb = _LUMA[matrix]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    rows = np.array(
        [
            [luma, 0, 2 * (1 - kr) * chroma],
            [luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma],
            [luma, 2 * (1 - kb) * chroma, 0],
        ]
    )
    return np.column_stack([rows, -rows @ [black, 128, 128]])


_MATRICES = {
    (matrix, full, order): yuv_to_rgb(matrix, full)[rows]
    for matrix in ColorMatrix
    for full in (True, False)
    for order, rows in _ROWS.items()
}

_Shapes = tuple[PixelLayout, int, int, tuple[tuple[int, ...], ...], tuple[np.dtype[Any], ...]]


class Preparer:
    """Fills the tensors of one model. Owned by one thread: its scratch memory serves every frame."""

    def __init__(self, recipe: InputRecipe) -> None:
        self._recipe = recipe
        self._grey = recipe.channels == 1 or recipe.color == "GRAY"
        self._order = "BGR" if recipe.color == "BGR" else "RGB"
        self._scratch = _Scratch(recipe.height, recipe.width)
        self._placements: dict[tuple[int, int, Region | None], Placement] = {}
        self._padding = _Padding()
        self._fitting: _Shapes | None = None  # of the last frame, which fitted
        channels = recipe.channels
        levels = np.append(np.arange(256), recipe.pad)[:, None]
        values = (levels * recipe.scale - np.array(recipe.mean[:channels])) / np.array(recipe.std[:channels])
        if recipe.dtype == "uint8":
            values = np.clip(np.rint(values), 0, 255)
        values = values.astype(recipe.dtype)
        self._table: NDArray[Any] = values[:256]
        # One number where all channels share it: NumPy fills with it ten times faster than with three.
        self._pad: Any = values[256] if len(set(values[256])) > 1 else values[256, 0]
        self._factor = (recipe.scale / np.array(recipe.std)).astype(np.float32)
        self._shift = (-np.array(recipe.mean) / np.array(recipe.std)).astype(np.float32)
        self._plain = bool((self._factor == 1).all() and not self._shift.any()) and recipe.dtype != "float16"
        self._uniform = len(set(self._factor[:channels])) == 1 and not self._shift[:channels].any()

    def prepare(self, frame: Frame, out: NDArray[Any], region: Region | None = None) -> Transform:
        """Lay a frame, or a region of it, into a tensor.

        Args:
            frame: Any layout and size.
            out: The tensor, of the recipe's shape and dtype, C-contiguous; all of it is written. The very same array
                passed again is taken to be untouched in between: its padding is not written a second time.
            region: Inside the frame; None = all of it. Only its pixels are read. One that begins or ends between two
                samples of chroma (odd pixels, 4:2:0) costs a little more.

        Returns:
            Where the frame lies in the tensor; boxes come back by its inverse, in pixels of the frame.

        Raises:
            BadInput: The planes do not fit what the frame says of itself; drop the frame and count it.
        """
        recipe = self._recipe
        if out.shape != recipe.shape or out.dtype != recipe.dtype or not out.flags.c_contiguous:
            raise EdgedError(
                "tensor", f"is {out.dtype} {out.shape}, the recipe says {recipe.dtype} {recipe.shape}"
            )
        shapes = _shapes(frame)
        if shapes != self._fitting:
            check(frame)
            self._fitting = shapes
        placement = self._placement(frame.width, frame.height, region)
        inside = _inside(placement)
        if not self._padding.holds(out, inside):
            pixels = out[0].transpose(1, 2, 0) if recipe.layout == "NCHW" else out[0]
            self._fill_padding(inside, pixels)
            self._padding.remember(out, inside)
        try:
            if recipe.layout == "NCHW":
                self._write_planes(self._channels(frame, placement), out[0][:, inside[0], inside[1]])
            else:
                self._write_picture(self._picture(frame, placement), out[0][inside])
        except cv2.error as error:
            raise BadInput(frame.source, f"frame {frame.sequence} cannot be resized ({error.err})") from error
        return placement.transform

    def _placement(self, width: int, height: int, region: Region | None) -> Placement:
        known = self._placements.get((width, height, region))
        if known is None:
            if region is not None and not _lies_in(region, width, height):
                raise EdgedError("region", f"{region.xyxy} is not inside the frame of {width} x {height}")
            if len(self._placements) >= MAX_KNOWN_PLACEMENTS:
                self._placements.clear()
            recipe = self._recipe
            known = place(width, height, recipe.width, recipe.height, recipe.fit, region=region)
            self._placements[width, height, region] = known
        return known

    def _channels(self, frame: Frame, placement: Placement) -> list[Plane]:
        """The resized picture as planes in the model's order; for grey the same plane each time."""
        if self._grey or frame.layout is PixelLayout.GRAY:
            return [_grey(frame, placement, self._scratch)] * self._recipe.channels
        picture, order = _colour(frame, placement, self._order, self._scratch)
        planes = self._scratch.views(*picture.shape[:2]).planes
        cv2.split(picture, planes)
        return planes if order == self._order else planes[::-1]

    def _picture(self, frame: Frame, placement: Placement) -> Plane:
        """The resized picture, pixel by pixel, in the model's order: (h, w, channels)."""
        if self._grey or frame.layout is PixelLayout.GRAY:
            plane = _grey(frame, placement, self._scratch)
            if self._recipe.channels == 1:
                return plane[..., None]
            return _merge([plane] * 3, self._scratch.views(*plane.shape).merged)
        picture, order = _colour(frame, placement, self._order, self._scratch)
        if order != self._order:
            height, width = picture.shape[:2]
            return _u8(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, self._scratch.views(height, width).merged))
        return picture

    def _write_planes(self, planes: list[Plane], targets: NDArray[Any]) -> None:
        for channel, (plane, target) in enumerate(zip(planes, targets, strict=True)):
            if self._plain:
                np.copyto(target, plane)
            elif self._recipe.dtype == "float32":
                np.multiply(plane, self._factor[channel], out=target)
                if self._shift[channel]:
                    np.add(target, self._shift[channel], out=target)
            else:
                _look_up(plane, np.ascontiguousarray(self._table[:, channel]), target)

    def _write_picture(self, picture: Plane, target: NDArray[Any]) -> None:
        if self._plain:
            np.copyto(target, picture)
        elif self._recipe.dtype == "float32" and self._uniform:
            np.multiply(picture, self._factor[0], out=target)
        else:
            _look_up(picture, self._table[None], target)

    def _fill_padding(self, inside: tuple[slice, slice], pixels: NDArray[Any]) -> None:
        """Write what the frame leaves free; ``pixels`` is the tensor seen as (height, width, channels)."""
        rows, columns = inside
        for part in (
            pixels[: rows.start],
            pixels[rows.stop :],
            pixels[rows, : columns.start],
            pixels[rows, columns.stop :],
        ):
            part[...] = self._pad


def to_bgr(frame: Frame) -> NDArray[np.uint8]:
    """The whole frame as an upright picture, uint8 (height, width, 3), blue first; a new array.

    Raises:
        BadInput: As `Preparer.prepare`.
    """
    check(frame)
    whole = (0, 0, frame.width, frame.height)
    transform = Transform(1, 1, 0, 0, frame.width, frame.height)
    placement = Placement(whole, (frame.width, frame.height), (0, 0), transform)
    scratch = _Scratch(frame.height, frame.width)
    if frame.layout is PixelLayout.GRAY:
        return _merge(
            [_grey(frame, placement, scratch)] * 3, np.empty((frame.height, frame.width, 3), np.uint8)
        )
    return _colour(frame, placement, "BGR", scratch)[0].copy()


def check(frame: Frame) -> None:
    """Compare the planes of a frame with what it says of itself.

    Raises:
        BadInput: They disagree.
    """
    height, width = frame.height, frame.width
    luma, half_height, half_width = (height, width), (height, (height + 1) // 2), (width, (width + 1) // 2)
    shapes = [plane.shape for plane in frame.planes]
    fits = min(height, width) > 0 and all(plane.dtype == np.uint8 for plane in frame.planes)
    match frame.layout, shapes:
        case PixelLayout.BGR, [shape]:
            fits = fits and shape == (*luma, 3)
        case PixelLayout.GRAY, [shape]:
            fits = fits and shape == luma
        case PixelLayout.YUV, [shape, first, second] if len(first) == 2:
            fits = fits and shape == luma and first == second
            fits = fits and first[0] in half_height and first[1] in half_width
        case PixelLayout.NV12, [shape, chroma] if len(chroma) == 3:
            fits = fits and shape == luma and chroma[2] == 2
            fits = fits and chroma[0] in half_height and chroma[1] in half_width
        case _:
            fits = False
    if not fits:
        held = ", ".join(str(shape) for shape in shapes) or "nothing"
        raise BadInput(
            frame.source,
            f"frame {frame.sequence} says {frame.layout.value} {width} x {height} and holds {held}",
        )


def _shapes(frame: Frame) -> _Shapes:
    """All that `check` goes by."""
    planes = frame.planes
    return (
        frame.layout,
        frame.height,
        frame.width,
        tuple([plane.shape for plane in planes]),
        tuple([plane.dtype for plane in planes]),
    )


class _Padding:
    """Which tensors have their padding written, and around what. No two of them share memory."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[NDArray[Any]], tuple[slice, slice]]] = {}

    def holds(self, tensor: NDArray[Any], inside: tuple[slice, slice]) -> bool:
        """Whether this very array is padded around ``inside``."""
        known = self._known.get(id(tensor))
        return known is not None and known[0]() is tensor and known[1] == inside

    def remember(self, tensor: NDArray[Any], inside: tuple[slice, slice]) -> None:
        """It was padded; whatever shares its memory no longer is."""
        apart = {}
        for key, (reference, around) in self._known.items():
            other = reference()
            if other is not None and not np.may_share_memory(other, tensor):
                apart[key] = (reference, around)
        self._known = apart if len(apart) < MAX_KNOWN_TENSORS else {}
        self._known[id(tensor)] = (weakref.ref(tensor), inside)


class _Views(NamedTuple):
    """Memory for the stages of one picture: three of (h, w), two of (h, w, 3), one of (h, w, 2)."""

    planes: list[Plane]
    merged: Plane
    coloured: Plane
    pairs: Plane


class _Scratch:
    """Memory for the stages of one picture of at most ``height`` by ``width`` pixels, allocated once."""

    def __init__(self, height: int, width: int) -> None:
        self._planes = [np.empty(height * width, np.uint8) for _ in range(3)]
        self._merged, self._coloured = (np.empty(height * width * 3, np.uint8) for _ in range(2))
        self._pairs = np.empty(height * width * 2, np.uint8)
        self._size = (height, width)
        self._views = self._of_size(height, width)

    def views(self, height: int, width: int) -> _Views:
        """Of a picture of this size; those of the last size are kept."""
        if self._size != (height, width):
            self._size, self._views = (height, width), self._of_size(height, width)
        return self._views

    def _of_size(self, height: int, width: int) -> _Views:
        area = height * width
        return _Views(
            [plane[:area].reshape(height, width) for plane in self._planes],
            self._merged[: area * 3].reshape(height, width, 3),
            self._coloured[: area * 3].reshape(height, width, 3),
            self._pairs[: area * 2].reshape(height, width, 2),
        )


def _lies_in(region: Region, width: int, height: int) -> bool:
    x1, y1, x2, y2 = region.xyxy
    return 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


def _inside(placement: Placement) -> tuple[slice, slice]:
    (x, y), (width, height) = placement.origin, placement.resized
    return slice(y, y + height), slice(x, x + width)


def _grey(frame: Frame, placement: Placement, scratch: _Scratch) -> Plane:
    """The resized frame in grey, full range: luma where the frame has one (h, w)."""
    width, height = placement.resized
    views = scratch.views(height, width)
    first, second, _ = views.planes
    if frame.layout is PixelLayout.BGR:
        coloured = _resize(_cut(frame.planes[0], placement), views.coloured)
        return _u8(cv2.cvtColor(coloured, cv2.COLOR_BGR2GRAY, first))
    plane = _resize(_cut(frame.planes[0], placement), first)
    if frame.full_range:
        return plane
    return _u8(cv2.addWeighted(plane, 255 / 219, plane, 0, -16 * 255 / 219, second))


def _colour(frame: Frame, placement: Placement, order: str, scratch: _Scratch) -> tuple[Plane, str]:
    """The resized frame in colour (h, w, 3), and its order: BGR frames stay BGR, others come out as asked."""
    width, height = placement.resized
    views = scratch.views(height, width)
    if frame.layout is PixelLayout.BGR:
        return _resize(_cut(frame.planes[0], placement), views.coloured), "BGR"
    luma, first, second = views.planes
    luma = _resize(_cut(frame.planes[0], placement), luma)
    if frame.layout is PixelLayout.NV12:
        pairs = _resize_chroma(frame, frame.planes[1], placement, views.pairs)
        cv2.split(pairs, [first, second])
    else:
        first = _resize_chroma(frame, frame.planes[1], placement, first)
        second = _resize_chroma(frame, frame.planes[2], placement, second)
    merged = _merge([luma, first, second], views.merged)
    rows = _MATRICES[frame.matrix, frame.full_range, order]
    return _u8(cv2.transform(merged, rows, views.coloured)), order


def _cut(plane: Plane, placement: Placement) -> Plane:
    x, y, width, height = placement.crop
    return plane[y : y + height, x : x + width]


def _resize(plane: Plane, target: Plane) -> Plane:
    """``plane`` at the size of ``target``: written there, or itself where nothing is to be done."""
    if plane.shape == target.shape:
        return plane
    return _u8(cv2.resize(plane, target.shape[1::-1], dst=target, interpolation=cv2.INTER_LINEAR))


def _resize_chroma(frame: Frame, plane: Plane, placement: Placement, target: Plane) -> Plane:
    """A chroma plane at the size of ``target``, cut where the luma is cut.

    Where the cut falls between two chroma samples (odd sizes, 4:2:0) no slice of the plane is the right one,
    and `cv2.resize` cannot begin at half a sample: then the plane is warped, which costs twice the time.
    """
    x, y, width, height = placement.crop
    across = 1 if plane.shape[1] == frame.width else 2
    down = 1 if plane.shape[0] == frame.height else 2
    first, last = (x // across, y // down), (-(-(x + width) // across), -(-(y + height) // down))
    aligned = x % across == 0 and width % across == 0 and y % down == 0 and height % down == 0
    left, top = max(0, first[0] - 1), max(0, first[1] - 1)  # the samples beside it weigh in
    part = plane[top : last[1] + 1, left : last[0] + 1]
    if aligned or max(part.shape[:2]) > _WARP_LIMIT_PX:
        return _resize(plane[first[1] : last[1], first[0] : last[0]], target)
    rows, columns = target.shape[:2]
    step_x, step_y = width / columns / across, height / rows / down
    inverse = np.array(
        [
            [step_x, 0, x / across - left + (step_x - 1) / 2],
            [0, step_y, y / down - top + (step_y - 1) / 2],
        ],
        np.float64,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return _u8(
        cv2.warpAffine(
            part, inverse, (columns, rows), dst=target, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _merge(planes: list[Plane], target: Plane) -> Plane:
    return _u8(cv2.merge(planes, target))


def _look_up(picture: Plane, table: NDArray[Any], target: NDArray[Any]) -> None:
    """Write ``table[picture]`` into ``target``; OpenCV copies float16 as the 16-bit patterns they are."""
    if target.dtype == np.float16:
        table, target = table.view(np.uint16), target.view(np.uint16)
    cv2.LUT(picture, table, target)


def _u8(picture: Any) -> Plane:
    """What OpenCV gives back, with its type said."""
    return picture  # type: ignore[no-any-return]
