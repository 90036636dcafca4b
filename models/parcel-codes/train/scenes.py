"""Pictures of codes as a camera sees them, with the box of every code: what the detector is trained and measured on.

A picture is a function of its seed. Codes are printed (with the printer's faults), bent, tilted, put into a scene,
lit, covered a little, and photographed (with the camera's faults). A box is the smallest upright rectangle around the
modules, without the quiet zone and the digits printed below.

Every code can be seen: its modules are at least SMALLEST_MODULE_PX wide, and a photograph that leaves one of the codes
with less contrast than FAINTEST, or than its noise, is taken again. A box around nothing would teach guessing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import symbols
import textures

MOST_CODES = 12
SMALLEST_PX = 14.0  # square root of a code's area, in a picture of any size
SMALLEST_MODULE_PX = 0.35  # mean width of a module; below it a code is an even grey
SMALLEST_CELL_PX = 1.8  # of a decoy; below it nobody can tell it from a code
FAINTEST = 10.0  # grey levels, as Rendered.contrast
TRIES = 4  # photographs of a scene, labels for a place
PAD = 114
_EDGE = np.linspace(0, 1, 9)
_OUTLINE = np.concatenate(  # a walk around the unit square
    [
        np.stack((_EDGE, 0 * _EDGE), 1),
        np.stack((_EDGE, 0 * _EDGE + 1), 1),
        np.stack((0 * _EDGE, _EDGE), 1),
        np.stack((0 * _EDGE + 1, _EDGE), 1),
    ]
)


@dataclass
class Scene:
    """A picture under construction: uint8 BGR; of each code the box xyxy in its pixels, class, size and outline."""

    picture: np.ndarray
    boxes: list[np.ndarray]
    classes: list[int]
    sizes: list[float]
    outlines: list[np.ndarray]


@dataclass(frozen=True)
class Print:
    """A flat thing to put into a scene: uint8 BGRA, and where in it the codes stand (xyxy), with their classes.

    ``modules_px`` is the width of a module of each code, in pixels of the print; of a decoy, of its one pattern.
    """

    picture: np.ndarray
    boxes: np.ndarray
    classes: tuple[int, ...]
    modules_px: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """A finished picture, uint8 BGR (size, size, 3), and its N ≤ 12 codes.

    ``boxes`` is float32 (N, 4) xyxy in pixels, ``classes`` int64 (N,), and ``contrast`` float32 (N,): the deviation of
    the grey levels inside the code, noise aside.
    """

    picture: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    contrast: np.ndarray


def render(seed: int | tuple[int, ...], size: int) -> Rendered:
    """Picture number ``seed``."""
    rng = np.random.default_rng(seed)
    height, width = _extent(rng, size)
    scene = Scene(textures.background(rng, height, width), [], [], [], [])
    for _ in range(int(rng.choice((0, 1, 2, 5), p=(0.3, 0.3, 0.25, 0.15)))):
        decoy, cell_px = textures.decoy(rng)
        flat = Print(_opaque(decoy).picture, np.zeros((0, 4)), (), (cell_px,))
        _place(scene, rng, flat, _target(rng, scene, close=False))
    _add_codes(scene, rng)
    _light(scene, rng)
    picture, contrast = _photographed(scene, rng)
    top, left = (size - height) // 2, (size - width) // 2
    whole = np.full((size, size, 3), PAD, np.uint8)
    whole[top : top + height, left : left + width] = picture
    boxes = np.array(scene.boxes, np.float32).reshape(-1, 4) + np.float32([left, top, left, top])
    return Rendered(whole, boxes, np.array(scene.classes, np.int64), contrast)


def _photographed(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The first photograph in which every code can be seen, the last one with the camera's milder faults only."""
    for attempt in range(TRIES):
        picture, clear, noise = _photograph(scene, rng, mild=attempt == TRIES - 1)
        contrast = _contrasts(clear, scene.outlines)
        if contrast.min(initial=255) >= max(FAINTEST, noise):
            break
    return picture, contrast


def _contrasts(picture: np.ndarray, outlines: list[np.ndarray]) -> np.ndarray:
    """Standard deviation of the grey levels in the inner four fifths of each code, 0 to 127; float32 (N,)."""
    found = np.zeros(len(outlines), np.float32)
    for number, outline in enumerate(outlines):
        middle = outline.mean(0)
        inner = cv2.convexHull((middle + (outline - middle) * 0.8).round().astype(np.int32))
        left, top, width, height = cv2.boundingRect(inner)
        left, right, top, bottom = max(0, left - 3), left + width + 3, max(0, top - 3), top + height + 3
        grey = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
        mask = cv2.fillConvexPoly(np.zeros_like(grey), inner - (left, top), 255)
        found[number] = cv2.meanStdDev(cv2.GaussianBlur(grey, (0, 0), 0.7), mask=mask)[1].item()
    return found


def _extent(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """Height and width: the whole square, or a frame of a usual shape, which letterboxing leaves bars beside."""
    shape = float(rng.choice((1.0, 4 / 3, 3 / 4, 16 / 9, 9 / 16), p=(0.5, 0.2, 0.1, 0.15, 0.05)))
    return (round(size / shape), size) if shape >= 1 else (size, round(size * shape))


def _target(rng: np.random.Generator, scene: Scene, *, close: bool) -> float:
    """The size of a code, in pixels: evenly over the octaves, up to the whole frame."""
    largest = 0.95 * min(scene.picture.shape[:2])
    low, high = (0.4 * largest, largest) if close else (SMALLEST_PX, 0.55 * largest)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _add_codes(scene: Scene, rng: np.random.Generator) -> None:
    mode = rng.choice(
        ("none", "close", "few", "many", "sheet", "board"), p=(0.06, 0.24, 0.36, 0.14, 0.10, 0.10)
    )
    if mode == "none":
        return
    if mode == "close":
        _place_label(scene, rng, _target(rng, scene, close=True))
        return
    if mode == "board":
        _place(scene, rng, _board(rng), _target(rng, scene, close=False) / 1.5)
        return
    if mode == "sheet":
        _place(scene, rng, _sheet(rng), _target(rng, scene, close=False) / 1.5)
    count = int(rng.integers(1, 4)) if mode in ("few", "sheet") else int(rng.integers(4, MOST_CODES + 1))
    crowd = 1.0 if count < 4 else 0.5
    for _ in range(min(count, MOST_CODES - len(scene.boxes))):
        _place_label(scene, rng, max(SMALLEST_PX, crowd * _target(rng, scene, close=False)))


def _place_label(scene: Scene, rng: np.random.Generator, target: float) -> None:
    """One code; another one of its kind where it would be too dense or too faint, or no room was found."""
    kind = _kind(rng)
    for _ in range(TRIES):
        if _place(scene, rng, _label(rng, kind, target), target):
            return


def _kind(rng: np.random.Generator) -> int:
    return int(rng.choice((symbols.QR, symbols.BARCODE, symbols.MARKER), p=(0.36, 0.37, 0.27)))


# --- printing ---------------------------------------------------------------------------------------------------------


def _label(rng: np.random.Generator, kind: int, target: float) -> Print:
    """One code on its label: paper, quiet zone, print around it. ``target`` is the size it will have in the scene."""
    symbol = symbols.draw(rng, kind)
    ink, box = _ink(rng, symbol, target)
    module_px = (box[2] - box[0]) / symbol.modules.shape[1]
    quiet = rng.uniform(1, 6) if rng.random() < 0.85 else rng.uniform(0, 1)
    quiet_px = int(quiet * (box[3] - box[1]) / (12 if kind == symbols.BARCODE else 25))
    margins = [
        quiet_px + int(rng.exponential(0.25) * ink.shape[0]) * int(rng.random() < 0.55) for _ in range(4)
    ]
    page = np.pad(ink, ((margins[0], margins[1]), (margins[2], margins[3])))
    box = box + np.array([margins[2], margins[0]] * 2)
    paper, dark = _inks(rng, kind)
    picture = _printed(page, paper, dark)
    _print_around(picture, rng, dark, box, quiet_px)
    if rng.random() < 0.3:
        grain = textures.clouds(rng, *page.shape)[..., None] * rng.uniform(2, 14)
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:  # a frame of the label, the bezel of a phone
        edge = int(rng.integers(1, 3 + page.shape[0] // 25))
        cv2.rectangle(
            picture, (0, 0), (page.shape[1] - 1, page.shape[0] - 1), textures.colour(rng).tolist(), edge
        )
    return Print(_opaque(picture).picture, box[None], (kind,), (module_px,))


def _printed(ink: np.ndarray, paper: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Ink, 0 to 1, on paper: uint8 BGR."""
    level = np.linspace(0, 1, 256)[:, None]
    table = (paper + (dark - paper) * level).astype(np.uint8)
    page = (ink * 255).astype(np.uint8)
    return cv2.merge([cv2.LUT(page, np.ascontiguousarray(table[:, channel])) for channel in range(3)])


def _inks(rng: np.random.Generator, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours of paper and ink: mostly black on white, sometimes coloured, faint, or reversed (never a barcode)."""
    choice = rng.random()
    if choice < 0.65:
        paper = np.clip(rng.uniform(190, 256) + rng.normal(0, 5, 3), 0, 255)
        dark = np.clip(rng.uniform(0, 55) + rng.normal(0, 4, 3), 0, 255)
    elif choice < 0.85:
        paper, dark = textures.colour(rng, 140, 256), textures.colour(rng, 0, 90)
    else:  # faint
        paper = textures.colour(rng, 110, 240)
        dark = np.clip(paper - rng.uniform(45, 90), 0, 255)
    if kind == symbols.QR and rng.random() < 0.08:
        paper, dark = dark, paper
    return paper.astype(np.float32), dark.astype(np.float32)


def _ink(rng: np.random.Generator, symbol: symbols.Symbol, target: float) -> tuple[np.ndarray, np.ndarray]:
    """What the printer leaves: float32 (height, width), 1 is ink; and the box of the modules in it.

    Drawn a third larger than ``target``, the size in the scene, so that wear has somewhere to be.
    """
    modules = (symbol.modules == 0).astype(np.float32)
    rows, columns = modules.shape
    if symbol.kind == symbols.BARCODE:
        cell = int(np.clip(np.ceil(2.2 * target / columns), 1, 5))
        height = max(8, int(columns * cell * np.exp(rng.uniform(np.log(0.11), np.log(0.8)))))
        ink = np.repeat(np.repeat(modules, cell, 1), height, 0)
    else:
        cell = int(np.clip(np.ceil(1.4 * target / rows), 2, 40))
        ink = cv2.resize(modules, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)
        if symbol.kind == symbols.QR and rng.random() < 0.12:
            ink = _styled(rng, ink, modules, cell)
    box = np.array([0, 0, ink.shape[1], ink.shape[0]], np.float64)
    _wear(rng, ink, cell)
    if symbol.kind == symbols.BARCODE and rng.random() < 0.65:
        ink = _with_digits(rng, ink, symbol.text)
    return ink, box


def _styled(rng: np.random.Generator, ink: np.ndarray, modules: np.ndarray, cell: int) -> np.ndarray:
    """Dots or rounded modules instead of squares, and perhaps a picture in the middle."""
    if rng.random() < 0.5:
        dot = np.zeros((cell, cell), np.float32)
        cv2.circle(dot, (cell // 2, cell // 2), max(1, cell // 2 - int(rng.integers(0, 2))), 1.0, -1)
        dots = np.tile(dot, modules.shape) * ink
        for top, left in ((0, 0), (0, -7), (-7, 0)):  # finder patterns stay whole
            rows = slice(top * cell, (top + 7) * cell or None)
            columns = slice(left * cell, (left + 7) * cell or None)
            dots[rows, columns] = ink[rows, columns]
        ink = dots
    elif cell >= 4:
        ink = (cv2.GaussianBlur(ink, (0, 0), cell / 3) > 0.5).astype(np.float32)
    if rng.random() < 0.6:
        side = ink.shape[0]
        reach = int(side * rng.uniform(0.09, 0.16))
        middle = side // 2
        ink[middle - reach : middle + reach, middle - reach : middle + reach] = 0
        cv2.circle(
            ink, (middle, middle), int(reach * 0.8), float(rng.uniform(0.3, 1)), int(rng.choice((-1, 4)))
        )
    return ink


def _wear(rng: np.random.Generator, ink: np.ndarray, cell: int) -> None:
    """The printer's faults and what happened to the print afterwards, in place."""
    height, width = ink.shape
    if rng.random() < 0.12 and cell >= 3:  # ink spreads, or is short
        kernel = np.ones((2, 2), np.uint8)
        ink[:] = cv2.dilate(ink, kernel) if rng.random() < 0.6 else cv2.erode(ink, kernel)
    if rng.random() < 0.10:  # dead dots of a thermal head: lines along the feed
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(width))
            ink[:, at : at + int(rng.integers(1, 3))] = 0
    if rng.random() < 0.12:  # scratches and stains
        for _ in range(int(rng.integers(1, 8))):
            start, end = (tuple(int(v) for v in rng.uniform(0, 1, 2) * (width, height)) for _ in range(2))
            cv2.line(ink, start, end, float(rng.random() < 0.3), int(rng.integers(1, 2 + cell)))
    if rng.random() < 0.10:  # worn off in patches
        worn = textures.clouds(rng, height, width) > rng.uniform(1.0, 2.2)
        ink[worn] *= float(rng.uniform(0, 0.6))
    if rng.random() < 0.08:
        ink *= 1 - 0.8 * (rng.random((height, width)) < rng.uniform(0.02, 0.25))


def _with_digits(rng: np.random.Generator, ink: np.ndarray, text: str) -> np.ndarray:
    """The digits that stand below a barcode; now and then above."""
    height = max(8.0, ink.shape[1] / max(8, len(text)) * rng.uniform(0.7, 1.3))
    strip = np.zeros((int(height * 1.5), ink.shape[1]), np.uint8)
    face = int(rng.choice((cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)))
    scale = cv2.getFontScaleFromHeight(face, int(height), 1)
    spaced = text if rng.random() < 0.5 else " ".join(text)
    across = cv2.getTextSize(spaced, face, scale, 1)[0][0]
    scale *= min(1.0, 0.98 * ink.shape[1] / max(1, across))
    cv2.putText(strip, spaced, (2, int(height * 1.2)), face, scale, 255, 1, cv2.LINE_AA)
    return np.concatenate((ink, strip.astype(np.float32) / 255), 0)


def _print_around(
    picture: np.ndarray, rng: np.random.Generator, dark: np.ndarray, box: np.ndarray, quiet_px: int
) -> None:
    """Text and blocks in the margins of a label, never over the code and its quiet zone."""
    if rng.random() < 0.45:
        return
    left, top, right, bottom = (int(v) for v in box)
    height, width = picture.shape[:2]
    room = max(quiet_px, 3)
    below = bottom + room + int(0.25 * (bottom - top))  # digits may stand below a barcode
    for area in (
        picture[: max(0, top - room)],
        picture[min(height, below) :],
        picture[:, : max(0, left - room)],
        picture[:, min(width, right + room) :],
    ):
        if min(area.shape[:2]) < 12 or rng.random() < 0.3:
            continue
        ink = dark if rng.random() < 0.7 else textures.colour(rng)
        if rng.random() < 0.2:
            area[:] = textures.colour(rng)
        part = np.ascontiguousarray(area)
        size = float(rng.uniform(0.12, 0.7) * min(part.shape[:2]))
        textures.write(part, rng, ink, lines=int(rng.integers(1, 7)), height=max(6.0, size))
        area[:] = part


def _sheet(rng: np.random.Generator) -> Print:
    """A shipping label: two to five codes on one paper, every second one close beside the one before."""
    paper, dark = _inks(rng, symbols.BARCODE)
    width, height = int(rng.integers(420, 760)), int(rng.integers(420, 760))
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = paper
    textures.write(picture, rng, dark, lines=int(rng.integers(2, 12)), height=rng.uniform(8, 40))
    boxes: list[np.ndarray] = []
    classes: list[int] = []
    modules_px: list[float] = []
    for _ in range(int(rng.integers(2, 6))):
        kind = int(rng.choice((symbols.QR, symbols.BARCODE, symbols.MARKER), p=(0.4, 0.52, 0.08)))
        symbol = symbols.draw(rng, kind)
        ink, box = _ink(rng, symbol, 180.0)
        module_px = (box[2] - box[0]) / symbol.modules.shape[1]
        shrink = min(1.0, 0.9 * width / ink.shape[1], 0.6 * height / ink.shape[0]) * rng.uniform(0.45, 1.0)
        if kind == symbols.BARCODE and rng.random() < 0.2:
            ink = np.ascontiguousarray(np.rot90(ink))
            shrink = min(shrink, 0.85 * height / ink.shape[0])
            box = np.array([0, ink.shape[0] - box[2], box[3], ink.shape[0]])
        ink = cv2.resize(ink, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        rows, columns = ink.shape
        if rows + 24 >= height or columns + 24 >= width:
            continue
        top, left = int(rng.integers(12, height - rows - 11)), int(rng.integers(12, width - columns - 11))
        if boxes and rng.random() < 0.5:
            beside = boxes[-1][2:] if rng.random() < 0.5 else boxes[-1][[2, 1]]
            gap = rng.integers(17, 60, 2)
            left = int(min(beside[0] + gap[0], width - columns - 12))
            top = int(min(beside[1] + gap[1] * (beside[1] == boxes[-1][3]), height - rows - 12))
        area = np.array([left - 8, top - 8, left + columns + 8, top + rows + 8])
        if any(_overlap(area, other) > 0 for other in boxes):
            continue
        picture[top - 8 : top + rows + 8, left - 8 : left + columns + 8] = paper
        picture[top : top + rows, left : left + columns] = paper + (dark - paper) * ink[..., None]
        boxes.append(np.clip(box * shrink, 0, None) + np.array([left, top] * 2))
        classes.append(kind)
        modules_px.append(module_px * shrink)
    if not boxes:
        return _label(rng, symbols.BARCODE, 100.0)
    return Print(_opaque(picture).picture, np.array(boxes), tuple(classes), tuple(modules_px))


def _board(rng: np.random.Generator) -> Print:
    """A calibration board: markers in a grid, or in the white squares of a chessboard."""
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    cell = int(rng.integers(48, 96))
    chess = rng.random() < 0.4
    side = int(cell * (rng.uniform(0.5, 0.75) if chess else rng.uniform(0.65, 0.92)))
    edge = (cell - side) // 2
    margin = int(rng.integers(0, cell))
    if chess:
        rows, columns = min(rows + 1, 5), min(columns + 1, 5)
    paper, dark = _inks(rng, symbols.MARKER)
    page = np.zeros((rows * cell, columns * cell), np.float32)
    boxes: list[list[int]] = []
    modules_px: list[float] = []
    for row in range(rows):
        for column in range(columns):
            top, left = row * cell, column * cell
            if chess and (row + column) % 2 == 0:
                page[top : top + cell, left : left + cell] = 1
                continue
            drawn = (symbols.marker(rng).modules == 0).astype(np.float32)
            modules_px.append(side / len(drawn))
            drawn = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_NEAREST)
            page[top + edge : top + edge + side, left + edge : left + edge + side] = drawn
            boxes.append([left + edge, top + edge, left + edge + side, top + edge + side])
    page = np.pad(page, margin)
    picture = _printed(page, paper, dark)
    found = np.array(boxes[:MOST_CODES], np.float64) + margin
    for left, top, right, bottom in (np.array(boxes[MOST_CODES:], np.int64) + margin).tolist():
        picture[top:bottom, left:right] = paper
    return Print(
        _opaque(picture).picture, found, (symbols.MARKER,) * len(found), tuple(modules_px[:MOST_CODES])
    )


def _opaque(picture: np.ndarray) -> Print:
    whole = picture if picture.shape[2] == 4 else cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    return Print(whole, np.zeros((0, 4)), ())


# --- placing ----------------------------------------------------------------------------------------------------------


def _place(scene: Scene, rng: np.random.Generator, flat: Print, target: float) -> bool:
    """Put ``flat`` somewhere into the scene so that its codes (or itself) are about ``target`` pixels in size.

    Three tries to find room beside what is there already; codes that would come out smaller than SMALLEST_PX, with
    modules under SMALLEST_MODULE_PX, too faint, or less than six tenths inside the frame are not put there at all.
    Whether it was put there.
    """
    flat = _bend(rng, flat) if rng.random() < 0.22 else flat
    height, width = scene.picture.shape[:2]
    for attempt in range(3):
        forward = _view(rng, flat, target * 0.8**attempt, (height, width))
        outlines = [_project(forward, _outline(box)) for box in flat.boxes]
        boxes = [np.concatenate((points.min(0), points.max(0))) for points in outlines]
        inside = [np.clip(box, 0, (width, height, width, height)) for box in boxes]
        if any(_area(part) < 0.6 * _area(box) for part, box in zip(inside, boxes, strict=True)):
            continue
        sizes = [float(np.sqrt(_hull(points))) for points in outlines]
        if sizes and min(sizes) < 0.93 * SMALLEST_PX:
            continue
        shrunk = [size / np.sqrt(_area(box)) for size, box in zip(sizes, flat.boxes, strict=True)]
        if sizes and any(m * s < SMALLEST_MODULE_PX for m, s in zip(flat.modules_px, shrunk, strict=True)):
            continue
        corners = _project(forward, _outline(np.array([0, 0, flat.picture.shape[1], flat.picture.shape[0]])))
        around = np.concatenate((corners.min(0), corners.max(0)))
        if (
            not sizes
            and flat.modules_px[0] * np.sqrt(_hull(corners) / flat.picture[..., 0].size) < SMALLEST_CELL_PX
        ):
            continue
        if any(_overlap(around, box) > 0 for box in scene.boxes):
            continue
        if not flat.classes and _area(np.clip(around, 0, (width, height, width, height))) < 25:
            return False
        before = scene.picture.copy()
        _paste(scene, rng, flat.picture, forward, around)
        if _contrasts(scene.picture, outlines).min(initial=255) < 1.5 * FAINTEST:
            scene.picture = before
            continue
        scene.boxes += inside
        scene.classes += flat.classes
        scene.sizes += sizes
        scene.outlines += outlines
        for points, size in zip(outlines, sizes, strict=True):
            if rng.random() < 0.13 and size > 20:
                _cover(scene, rng, points)
        return True
    return False


def _bend(rng: np.random.Generator, flat: Print) -> Print:
    """As if stuck on a bottle or a bag: x along a cylinder, y with a sag or a wave. Boxes grow with the bent edges."""
    picture = flat.picture if rng.random() < 0.5 else np.ascontiguousarray(flat.picture.transpose(1, 0, 2))
    boxes = flat.boxes if picture is flat.picture else flat.boxes[:, [1, 0, 3, 2]]
    height, width = picture.shape[:2]
    half = rng.uniform(0.3, 1.25)  # half of the angle that the label covers
    sag = rng.normal(0, 0.12) * width
    new_width = max(8, round(width * np.sin(half) / half))
    extra = int(abs(sag)) + 1
    x = (np.arange(new_width, dtype=np.float32) + 0.5) / new_width * 2 - 1
    angle = np.arcsin(np.clip(x * np.sin(half), -1, 1))
    source_x = ((angle / half + 1) / 2 * width - 0.5).astype(np.float32)
    lift = (sag * (1 - x * x)).astype(np.float32)
    rows = np.arange(height + 2 * extra, dtype=np.float32) - extra
    map_x = np.broadcast_to(source_x, (len(rows), new_width)).astype(np.float32)
    map_y = (rows[:, None] - lift[None]).astype(np.float32)
    bent = cv2.remap(
        picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0)
    )
    shade = np.cos(angle) ** rng.uniform(0, 0.9)
    bent[..., :3] = (bent[..., :3] * shade[None, :, None]).astype(np.uint8)
    moved = []
    for box in boxes:
        points = _outline(box)
        theta = (points[:, 0] / width * 2 - 1) * half
        across = np.sin(theta) / np.sin(half)
        points = np.stack(((across + 1) / 2 * new_width, points[:, 1] + sag * (1 - across**2) + extra), 1)
        moved.append(np.concatenate((points.min(0), points.max(0))))
    found = np.array(moved).reshape(-1, 4)
    if picture is not flat.picture:
        bent, found = np.ascontiguousarray(bent.transpose(1, 0, 2)), found[:, [1, 0, 3, 2]]
    return Print(bent, found, flat.classes, flat.modules_px)


def _view(rng: np.random.Generator, flat: Print, target: float, extent: tuple[int, int]) -> np.ndarray:
    """A pinhole camera's view of the plane: homography from the print's pixels to the scene's."""
    height, width = flat.picture.shape[:2]
    turn = rng.normal(0, 9) if rng.random() < 0.55 else rng.uniform(-180, 180)
    if rng.random() < 0.15:
        turn += rng.choice((90, -90, 180))
    lean = 14 if rng.random() < 0.65 else 32
    tilt_x, tilt_y = np.clip(rng.normal(0, lean, 2), -62, 62)
    rotation = _about(0, tilt_x) @ _about(1, tilt_y) @ _about(2, turn)
    distance = rng.uniform(1.1, 5.0) * max(height, width)
    centre = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1.0]])
    plane = np.column_stack((rotation[:, 0], rotation[:, 1], (0, 0, distance))) @ centre
    lens = np.diag((distance, distance, 1.0))
    forward = lens @ plane
    reference = flat.boxes if len(flat.boxes) else np.array([[0, 0, width, height]])
    areas = [_hull(_project(forward, _outline(box))) for box in reference]
    scale = target / np.sqrt(max(1e-3, float(np.median(areas))))
    forward = np.diag((scale, scale, 1.0)) @ forward
    points = np.concatenate([_project(forward, _outline(box)) for box in reference])
    low, high = points.min(0), points.max(0)
    room = np.array([extent[1], extent[0]]) - (high - low)
    slack = 0.12 * np.minimum(high - low, (extent[1], extent[0]))  # a code may be cut by the frame's edge
    at = rng.uniform(np.minimum(0, room) - slack, np.maximum(0, room) + slack)
    shift = at - low
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]]) @ forward


def _about(axis: int, degrees: float) -> np.ndarray:
    angle = np.zeros(3)
    angle[axis] = np.deg2rad(degrees)
    return cv2.Rodrigues(angle)[0]


def _paste(
    scene: Scene, rng: np.random.Generator, flat: np.ndarray, forward: np.ndarray, around: np.ndarray
) -> None:
    height, width = scene.picture.shape[:2]
    left, top = np.maximum(np.floor(around[:2]).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(around[2:]).astype(int) + 2, (width, height))
    if right <= left or bottom <= top:
        return
    shrink = float(np.sqrt(_area(around) / (flat.shape[0] * flat.shape[1]))) * 1.15
    if shrink < 0.8 and rng.random() < 0.85:  # else the coarse sampling of a cheap resize
        small = cv2.resize(flat, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        forward = forward @ np.diag((flat.shape[1] / small.shape[1], flat.shape[0] / small.shape[0], 1.0))
        flat = small
    forward = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]]) @ forward
    drawn = cv2.warpPerspective(flat, forward, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    weight = drawn[..., 3:].astype(np.float32) / 255
    part = scene.picture[top:bottom, left:right]
    upper = drawn[..., :3].astype(np.float32) * rng.uniform(0.75, 1.05)
    if rng.random() < 0.3:  # light falls unevenly on it
        ramp = np.linspace(rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.1), part.shape[1], dtype=np.float32)[
            None, :, None
        ]
        upper *= ramp
    if rng.random() < 0.3:  # it lies above the ground and throws a shadow
        offset = rng.normal(0, 4, 2)
        shadow = cv2.warpAffine(
            weight[..., 0], np.float32([[1, 0, offset[0]], [0, 1, offset[1]]]), weight.shape[1::-1]
        )
        part[:] = (part * (1 - 0.5 * cv2.GaussianBlur(shadow, (0, 0), 2.5)[..., None])).astype(np.uint8)
    part[:] = np.clip(part * (1 - weight) + upper * weight, 0, 255).astype(np.uint8)


def _cover(scene: Scene, rng: np.random.Generator, outline: np.ndarray) -> None:
    """A finger, a tape or a corner of something over a part of the code: a fifth of it at most, about."""
    low, high = outline.min(0), outline.max(0)
    extent = high - low
    centre = low + extent * np.where(
        rng.random(2) < 0.5, rng.uniform(-0.05, 0.15, 2), rng.uniform(0.85, 1.05, 2)
    )
    reach = extent * rng.uniform(0.12, 0.32, 2)
    shade = textures.colour(rng).tolist()
    if rng.random() < 0.6:
        axes = tuple(int(v) for v in np.maximum(1, reach))
        middle = tuple(int(v) for v in centre)
        cv2.ellipse(scene.picture, middle, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
        return
    box = cv2.boxPoints((tuple(centre), tuple(reach * (rng.uniform(1, 3), 0.8)), float(rng.uniform(0, 180))))
    cv2.fillPoly(scene.picture, [box.astype(np.int32)], shade, cv2.LINE_AA)


# --- light and camera -------------------------------------------------------------------------------------------------


def _light(scene: Scene, rng: np.random.Generator) -> None:
    height, width = scene.picture.shape[:2]
    if rng.random() < 0.25:  # a shadow's edge
        mask = np.zeros((height, width), np.float32)
        corners = rng.uniform(-0.3, 1.3, (int(rng.integers(3, 6)), 2)) * (width, height)
        cv2.fillPoly(mask, [cv2.convexHull(corners.astype(np.int32))], 1.0)
        mask = cv2.GaussianBlur(mask, (0, 0), float(np.exp(rng.uniform(0, 3))))
        scene.picture = (scene.picture * (1 - rng.uniform(0.2, 0.7) * mask[..., None])).astype(np.uint8)
    if rng.random() < 0.15:  # glare; on a code now and then
        centre = rng.uniform(0, 1, 2) * (width, height)
        if scene.boxes and rng.random() < 0.6:
            box = scene.boxes[int(rng.integers(len(scene.boxes)))]
            centre = box[:2] + (box[2:] - box[:2]) * rng.uniform(0.1, 0.9, 2)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        spread = np.exp(rng.uniform(np.log(4), np.log(0.15 * width), 2))
        spot = np.exp(-(((x - centre[0]) / spread[0]) ** 2) - ((y - centre[1]) / spread[1]) ** 2)
        bright = scene.picture + rng.uniform(60, 260) * spot[..., None]
        scene.picture = np.clip(bright, 0, 255).astype(np.uint8)


def _photograph(
    scene: Scene, rng: np.random.Generator, *, mild: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Focus, motion, exposure, colour, noise and compression. Blur never exceeds what the smallest code survives.

    The picture, the picture as it was before noise and compression, and the deviation of the noise in grey levels.
    ``mild``: no blur, no change of exposure.
    """
    picture = scene.picture
    smallest = min(scene.sizes, default=60.0)
    choice = 1.0 if mild else rng.random()
    if choice < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, min(3.5, 0.3 + 0.035 * smallest)))
    elif choice < 0.5:
        picture = _shake(picture, rng, rng.uniform(2, min(22.0, 2 + 0.12 * smallest)))
    elif choice < 0.6 and smallest > 24:
        factor = rng.uniform(max(0.4, 20 / smallest), 0.95)
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    values = picture.astype(np.float32)
    if not mild and rng.random() < 0.7:  # exposure, contrast, colour of the light
        exponent = np.exp(rng.normal(0, 0.3))
        table = 255 * (np.arange(256) / 255) ** exponent
        table = np.clip((table - 128) * rng.uniform(0.45, 1.25) + 128 + rng.normal(0, 22), 0, 255)
        values = table.astype(np.float32)[picture] * rng.normal(1, 0.06, 3).astype(np.float32)
    if rng.random() < 0.2:
        values = np.repeat(values.mean(2, keepdims=True), 3, 2)
    clear = np.clip(values, 0, 255).astype(np.uint8)
    noise = 0.0
    if rng.random() < 0.6:
        noise = float(rng.exponential(2.0 if mild else 5.0) + 1)
        grain = rng.standard_normal((*values.shape[:2], 1 if rng.random() < 0.4 else 3), np.float32)
        values += grain * noise
    picture = np.clip(values, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:  # sharpened by the camera
        soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
        picture = cv2.addWeighted(picture, 1.6, soft, -0.6, 0)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 96))
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], 1)
    return picture, clear, noise


def _shake(picture: np.ndarray, rng: np.random.Generator, length: float) -> np.ndarray:
    side = int(length) | 1
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (side - 1) / 2
    middle = np.array([side // 2, side // 2])
    cv2.line(
        kernel,
        tuple((middle - reach).round().astype(int).tolist()),
        tuple((middle + reach).round().astype(int).tolist()),
        1.0,
    )
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


# --- plane geometry ---------------------------------------------------------------------------------------------------


def _outline(box: np.ndarray) -> np.ndarray:
    """Points (36, 2) along the edges of ``box`` xyxy."""
    return box[:2] + _OUTLINE * (box[2:] - box[:2])


def _project(forward: np.ndarray, points: np.ndarray) -> np.ndarray:
    seen = np.column_stack((points, np.ones(len(points)))) @ forward.T
    return seen[:, :2] / np.maximum(seen[:, 2:], 1e-6)


def _hull(points: np.ndarray) -> float:
    return float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))


def _area(box: np.ndarray) -> float:
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return _area(np.concatenate((np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:]))))
