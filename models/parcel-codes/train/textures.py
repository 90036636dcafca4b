"""What stands behind codes and beside them: surfaces, clutter, and patterns that are easily taken for a code.

Every function takes a random generator and a size, and gives uint8 BGR (height, width, 3).
"""

from collections.abc import Callable

import cv2
import numpy as np

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_PLAIN,
)
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-/:#&%"))


def colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> np.ndarray:
    """A BGR colour; half of the time nearly grey, as most things are."""
    grey = rng.uniform(low, high)
    spread = rng.choice((6.0, 20.0, 70.0), p=(0.5, 0.33, 0.17))
    return np.clip(grey + rng.normal(0, spread, 3), low, min(255, high)).astype(np.float32)


def words(rng: np.random.Generator, count: int) -> str:
    """A line of ``count`` letters in words."""
    letters = rng.choice(_LETTERS, count)
    letters[rng.random(count) < 0.16] = " "
    return "".join(letters)


def write(
    picture: np.ndarray, rng: np.random.Generator, ink: np.ndarray, *, lines: int, height: float
) -> None:
    """Lines of print on ``picture``, in place; ``height`` in pixels."""
    font = int(rng.choice(_FONTS))
    scale = height / 22
    thickness = max(1, round(height / rng.uniform(6, 14)))
    x = int(rng.uniform(0, 0.2) * picture.shape[1])
    y = rng.uniform(0.02, 0.5) * picture.shape[0] + height
    for _ in range(lines):
        if y > picture.shape[0]:
            break
        text = words(rng, int(rng.integers(3, 28)))
        cv2.putText(picture, text, (x, int(y)), font, scale, ink.tolist(), thickness, cv2.LINE_AA)
        y += height * rng.uniform(1.3, 2.0)


def clouds(rng: np.random.Generator, height: int, width: int, *, stretch: float = 1.0) -> np.ndarray:
    """Noise of many scales, float32 (height, width) with mean 0 and deviation 1; ``stretch`` makes grain along x."""
    total = np.zeros((height, width), np.float32)
    roughness = rng.uniform(0.45, 0.95)
    for octave in range(1, 8):
        rows = min(2**octave + 1, height)
        columns = max(2, min(int(2**octave / stretch) + 1, width))
        layer = rng.standard_normal((rows, columns), np.float32) * roughness**octave
        total += cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
    return (total - total.mean()) / (total.std() + 1e-6)


def paint(rng: np.random.Generator, field: np.ndarray, *, low: int = 0, high: int = 256) -> np.ndarray:
    """A field of numbers in a palette of two or three colours; float32 BGR."""
    palette = np.stack([colour(rng, low, high) for _ in range(3 if rng.random() < 0.4 else 2)])
    mixed = palette[0] + (palette[1] - palette[0]) * np.clip(0.5 + 0.4 * field, 0, 1)[..., None]
    if len(palette) == 3:
        mixed += (palette[2] - mixed) * np.clip(field - 0.6, 0, 1)[..., None]
    return mixed


def surface(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Plaster, cardboard, metal, wood: noise in two colours near one another."""
    stretch = float(rng.choice((1.0, 1.0, 8.0, 24.0)))
    base = colour(rng, 20, 245)
    field = clouds(rng, height, width, stretch=stretch)
    tint = rng.normal(0, 12, 3).astype(np.float32) + rng.uniform(2, 30)
    picture = base + field[..., None] * tint
    ramp = np.linspace(-1, 1, width, dtype=np.float32)[None] * rng.normal(0, 18)
    ramp = ramp + np.linspace(-1, 1, height, dtype=np.float32)[:, None] * rng.normal(0, 18)
    picture += ramp[..., None]
    if stretch > 1 and rng.random() < 0.5:
        picture = cv2.resize(cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE), (width, height))
    return np.clip(picture, 0, 255).astype(np.uint8)


def blotches(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Marble, rust, camouflage: strong noise in a palette."""
    return np.clip(paint(rng, clouds(rng, height, width) * rng.uniform(0.6, 2.5)), 0, 255).astype(np.uint8)


def textile(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Woven cloth, corduroy, checks: two gratings and some noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    period = np.exp(rng.uniform(np.log(3), np.log(40)))
    first = np.sin(along * 2 * np.pi / period)
    second = np.sin(across * 2 * np.pi / (period * rng.uniform(0.6, 1.8)))
    mode = rng.integers(4)
    field = (first, first * second, np.sign(first) + np.sign(second), np.sign(first * second))[mode]
    field = field + 0.3 * clouds(rng, height, width)
    return np.clip(paint(rng, field * rng.uniform(0.4, 1.3)), 0, 255).astype(np.uint8)


def stripes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Fences, blinds, stairs, keyboards' edges: bars of unequal width, straight or slightly bent."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle) + rng.normal(0, 6) * np.sin(y / rng.uniform(40, 200))
    along -= along.min()
    mean = np.exp(rng.uniform(np.log(6), np.log(40)))
    widths = np.maximum(2.0, rng.normal(mean, mean * rng.choice((0.0, 0.0, 0.15, 0.6)), 300))
    edges = np.cumsum(widths)
    number = np.searchsorted(edges, along)
    if rng.random() < 0.5:
        values = (number % 2).astype(np.float32) * 2 - 1
    else:
        values = rng.normal(0, 1, 301).astype(np.float32)[number]
    return np.clip(paint(rng, values + 0.15 * clouds(rng, height, width)), 0, 255).astype(np.uint8)


def tiles(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Bricks, tiles, shelves, windows: a grid of panes with joints."""
    picture = surface(rng, height, width)
    pane_h, pane_w = (max(5, int(np.exp(rng.uniform(np.log(8), np.log(110))))) for _ in range(2))
    joint = int(rng.integers(1, 6))
    joint_colour = colour(rng).tolist()
    shift = int(pane_w * rng.choice((0, 0.5)))
    lively = rng.random() < 0.5
    for row, top in enumerate(range(-pane_h // 2, height, pane_h)):
        for left in range(-pane_w + shift * (row % 2), width, pane_w):
            if lively:
                part = picture[max(0, top) : top + pane_h, max(0, left) : left + pane_w]
                part[:] = np.clip(part + rng.normal(0, 30), 0, 255).astype(np.uint8)
            cv2.rectangle(picture, (left, top), (left + pane_w, top + pane_h), joint_colour, joint)
    return picture


def foliage(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Leaves, gravel, grass: hundreds of small ellipses in kindred colours."""
    picture = surface(rng, height, width)
    hue = colour(rng, 20, 200)
    size = np.exp(rng.uniform(np.log(2), np.log(14)))
    slim = rng.uniform(0.15, 1.0)
    for _ in range(int(rng.integers(150, 700))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (max(1, int(size * rng.uniform(0.5, 2))), max(1, int(size * slim * rng.uniform(0.5, 2))))
        shade = np.clip(hue * rng.uniform(0.3, 1.5) + rng.normal(0, 12, 3), 0, 255).tolist()
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 360)), 0, 360, shade, -1)
    return picture


def clutter(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Things lying about: boxes, discs and polygons, shaded, each with an edge."""
    picture = surface(rng, height, width)
    for _ in range(int(rng.integers(4, 40))):
        shade = colour(rng)
        centre = rng.uniform(0, 1, 2) * (width, height)
        extent = np.exp(rng.uniform(np.log(6), np.log(0.5 * width)))
        kind = rng.integers(3)
        if kind == 0:
            corners = cv2.boxPoints(
                (centre.tolist(), (extent * rng.uniform(0.2, 1), extent), rng.uniform(0, 180))
            )
        elif kind == 1:
            turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
            reach = extent * rng.uniform(0.3, 0.7, len(turns))
            corners = centre + np.stack((np.cos(turns), np.sin(turns)), 1) * reach[:, None]
        else:
            turns = np.linspace(0, 2 * np.pi, 24)
            corners = centre + np.stack((np.cos(turns), rng.uniform(0.3, 1) * np.sin(turns)), 1) * extent / 2
        corners = corners.astype(np.int32)
        cv2.fillPoly(picture, [corners], shade.tolist(), cv2.LINE_AA)
        if rng.random() < 0.5:
            edge = np.clip(shade * rng.uniform(0.2, 1.6), 0, 255).tolist()
            cv2.polylines(picture, [corners], True, edge, int(rng.integers(1, 4)), cv2.LINE_AA)
    return picture


def print_page(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A page, a screen, a poster: columns of text and dark bars on a light ground, or the other way round."""
    light, dark = colour(rng, 170, 256), colour(rng, 0, 110)
    if rng.random() < 0.25:
        light, dark = dark, light
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = light
    for _ in range(int(rng.integers(1, 5))):
        size = np.exp(rng.uniform(np.log(5), np.log(34)))
        write(
            picture,
            rng,
            dark if rng.random() < 0.8 else colour(rng),
            lines=int(rng.integers(1, 24)),
            height=size,
        )
    for _ in range(int(rng.integers(0, 6))):
        left, top = int(rng.integers(width)), int(rng.integers(height))
        end = (left + int(rng.integers(5, width // 2 + 6)), top + int(rng.integers(1, 40)))
        cv2.rectangle(picture, (left, top), end, colour(rng).tolist(), int(rng.choice((-1, 1, 2))))
    return picture


def grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Granite, gravel, carpet, far crowds: fine noise of high contrast, in patches or everywhere."""
    cell = float(np.exp(rng.uniform(0, np.log(7))))
    rows, columns = max(2, int(height / cell)), max(2, int(width / cell))
    field = rng.standard_normal((rows, columns), np.float32)
    if rng.random() < 0.4:
        field = np.sign(field + rng.normal(0, 0.5))
    smooth = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
    field = cv2.resize(field, (width, height), interpolation=smooth) * rng.uniform(0.6, 2.0)
    if rng.random() < 0.5:
        field *= clouds(rng, height, width) > rng.uniform(-0.8, 0.8)
    return np.clip(paint(rng, field + 0.4 * clouds(rng, height, width)), 0, 255).astype(np.uint8)


def thicket(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Twigs and leaves against light, hair, wires, a scrapyard: strokes and flecks from dark to bright."""
    picture = blotches(rng, height, width) if rng.random() < 0.5 else surface(rng, height, width)
    tint = rng.normal(0, 14, 3)
    size = np.exp(rng.uniform(np.log(1.5), np.log(9)))
    reach = np.exp(rng.uniform(np.log(5), np.log(70)))
    middle = rng.uniform(0.1, 0.9, 2) * (width, height)
    spread = rng.uniform(0.15, 0.8) * np.array([width, height])
    for _ in range(int(rng.integers(150, 700))):
        shade = np.clip(rng.choice((25, 70, 130, 215)) + rng.normal(0, 22) + tint, 0, 255).tolist()
        at = middle + rng.normal(0, 1, 2) * spread
        if rng.random() < 0.45:
            bends = (at + np.cumsum(rng.normal(0, reach / 3, (4, 2)), 0)).astype(np.int32)
            cv2.polylines(
                picture, [bends], False, shade, max(1, int(size * rng.uniform(0.2, 0.7))), cv2.LINE_AA
            )
        else:
            axes = (max(1, int(size * rng.uniform(0.4, 2))), max(1, int(size * rng.uniform(0.3, 1))))
            cv2.ellipse(
                picture, tuple(at.astype(int).tolist()), axes, float(rng.uniform(0, 180)), 0, 360, shade, -1
            )
    return picture


_BACKGROUNDS: tuple[tuple[Callable[[np.random.Generator, int, int], np.ndarray], float], ...] = (
    (surface, 0.22),
    (clutter, 0.15),
    (blotches, 0.09),
    (textile, 0.06),
    (stripes, 0.06),
    (tiles, 0.09),
    (foliage, 0.08),
    (grain, 0.06),
    (thicket, 0.10),
    (print_page, 0.09),
)
_CHANCES = [chance for _, chance in _BACKGROUNDS]


def background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A scene without codes: one to three textures, the upper ones cut to a random outline."""
    picture = _BACKGROUNDS[int(rng.choice(len(_BACKGROUNDS), p=_CHANCES))][0](rng, height, width)
    for _ in range(int(rng.choice((0, 1, 2), p=(0.4, 0.4, 0.2)))):
        upper = _BACKGROUNDS[int(rng.choice(len(_BACKGROUNDS), p=_CHANCES))][0](rng, height, width)
        mask = np.zeros((height, width), np.uint8)
        corners = rng.uniform(-0.2, 1.2, (int(rng.integers(3, 6)), 2)) * (width, height)
        cv2.fillPoly(mask, [cv2.convexHull(corners.astype(np.int32))], 255)
        if rng.random() < 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 12))
        picture = _blend(picture, upper, mask)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 5))
    return picture


def _blend(lower: np.ndarray, upper: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weight = mask[..., None].astype(np.float32) / 255
    return (lower + (upper.astype(np.float32) - lower) * weight).astype(np.uint8)


_ROUGH_PX = 8.0  # tufts may be small: they are rough, not regular


def decoy(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A thing that is easily taken for a code and is none: grids, matrices, black squares, text, rough stuff.

    Flat things are BGR; a tuft or a stone has an outline of its own and is BGRA. With it comes the width of its
    smallest parts in pixels.
    """
    if rng.random() < 0.3:
        return _tuft(rng), _ROUGH_PX
    side = int(rng.integers(40, 160))
    light, dark = colour(rng, 160, 256), colour(rng, 0, 100)
    cell = int(rng.integers(3, 14))
    kind = rng.integers(12)
    rows, columns = int(rng.integers(3, 14)), int(rng.integers(3, 14))
    if kind == 0:  # chessboard
        values = np.indices((rows, columns)).sum(0) % 2
    elif kind == 1:  # matrix of random modules without a finder, now and then with the L of a Data Matrix
        values = (rng.random((max(rows, columns),) * 2) < 0.5).astype(int)
        if rng.random() < 0.5:
            values[-1], values[:, 0] = 1, 1
            values[0, ::2], values[::2, -1] = 1, 1
    elif kind == 2:  # ruled lines, a radiator, a comb
        values = np.zeros((1, 2 * columns + 1), int)
        values[:, ::2] = 1
        values = values if rng.random() < 0.5 else values.T
    elif kind == 3:  # key pad, shelf labels
        values = np.zeros((3 * rows + 1, 3 * columns + 1), int)
        values[1::3, 1::3] = values[2::3, 2::3] = values[1::3, 2::3] = values[2::3, 1::3] = 1
    elif kind == 4:  # frames in one another, one finder pattern alone
        values = np.zeros((7, 7), int)
        values[[0, -1]], values[:, [0, -1]], values[2:5, 2:5] = 1, 1, 1
    elif kind == 5:  # bar chart
        values = (np.arange(24)[::-1, None] < rng.integers(1, 24, 2 * columns)[None]).astype(int)
        values[:, ::2] = 0
    elif kind == 6:  # thin grid, crossword
        values = np.zeros((4 * rows + 1, 4 * columns + 1), int)
        values[::4], values[:, ::4] = 1, 1
        for _ in range(int(rng.integers(0, 10))):
            r, c = rng.integers(rows), rng.integers(columns)
            values[4 * r : 4 * r + 5, 4 * c : 4 * c + 5] = 1
    else:
        values = None
    if values is None:
        picture = np.empty((side, int(side * rng.uniform(0.6, 2.2)), 3), np.uint8)
        picture[:] = light
        return picture, _draw_sign(picture, rng, dark, kind)
    margin = int(rng.integers(0, 4))
    ink = cv2.resize(values.astype(np.float32), None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)
    if kind in (2, 5) and ink.shape[0] < ink.shape[1] // 2:
        ink = np.repeat(ink, int(rng.integers(4, 20)), axis=0)[:200]
    ink = np.pad(ink, margin * cell)[:400, :400]
    return (light + (dark - light) * ink[..., None]).astype(np.uint8), float(cell)


def _tuft(rng: np.random.Generator) -> np.ndarray:
    height, width = (int(value) for value in rng.integers(30, 150, 2))
    stuff = (grain, thicket, foliage, textile)[int(rng.choice(4, p=(0.4, 0.35, 0.15, 0.1)))](
        rng, height, width
    )
    mask = np.zeros((height, width), np.uint8)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = rng.uniform(0.25, 0.5, 24) if rng.random() < 0.7 else np.full(24, 0.5)
    outline = np.array([width, height]) * (0.5 + np.stack((np.cos(turns), np.sin(turns)), 1) * reach[:, None])
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255, cv2.LINE_AA)
    return np.dstack((stuff, mask))


def _draw_sign(picture: np.ndarray, rng: np.random.Generator, dark: np.ndarray, kind: int) -> float:
    """One of the signs in place; the width of its smallest parts in pixels."""
    height, width = picture.shape[:2]
    if kind == 7:  # an empty black square: a window, a screen, a marker without bits
        edge = int(rng.integers(2, 12))
        cv2.rectangle(picture, (edge, edge), (width - edge, height - edge), dark.tolist(), -1)
        if rng.random() < 0.5:
            middle = (width // 2, height // 2)
            cv2.circle(picture, middle, int(height * rng.uniform(0.1, 0.3)), (255, 255, 255), -1)
        return height / 6
    if kind == 8:  # a pictogram: arrows, discs
        cv2.circle(
            picture, (width // 2, height // 2), int(height * 0.4), dark.tolist(), int(rng.choice((-1, 3, 6)))
        )
        cv2.line(picture, (width // 4, height // 4), (3 * width // 4, 3 * height // 4), dark.tolist(), 5)
        return height / 6
    if kind == 9:  # a packing list, a form: ruled rows with a box or a number before each
        step = int(rng.integers(5, 22))
        for top in range(2, height - step, step):
            cv2.rectangle(
                picture, (3, top), (3 + step // 2, top + step // 2), dark.tolist(), int(rng.choice((-1, 1)))
            )
            start = (5 + step, top + step // 2)
            if rng.random() < 0.5:
                cv2.line(
                    picture, start, (int(rng.uniform(0.3, 1) * width), start[1]), dark.tolist(), 1 + step // 8
                )
            else:
                text = words(rng, int(rng.integers(3, 20)))
                cv2.putText(
                    picture, text, start, cv2.FONT_HERSHEY_SIMPLEX, step / 34, dark.tolist(), 1, cv2.LINE_AA
                )
        return step / 4
    # large print, a plate, dense small print
    size = rng.uniform(0.08, 0.6) * height
    write(picture, rng, dark, lines=int(rng.integers(1, 9)), height=max(5, size))
    return max(5.0, size) / 5
