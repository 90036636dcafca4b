"""Scenes with known truth, and what a detector would make of them.

Objects move on a ground plane before one camera; what stands nearer hides what is behind. A simulated detector sees
the visible parts with errors that last (as a real one's do), scores that fall with what is hidden, misses, the greedy
suppression of boxes that overlap, and false boxes, some of which stay where they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1280, 720
SECONDS = 20.0
STEP_S = 1 / 60
"""Of the simulation."""
COUNTED_SHARE = 0.25
"""An object counts as there while so much of it can be seen."""
SUPPRESSED_IOU = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """One frame.

    Attributes:
        at_s: Seconds from the first.
        truth: Numbers (K,) of the objects that can be seen.
        truth_xyxy: (K, 4), pixels.
        xyxy: (N, 4) of the detections, best score first.
        score: (N,).
        label: (N,), numbers.
    """

    at_s: float
    truth: NDArray[np.int64]
    truth_xyxy: Array
    xyxy: Array
    score: Array
    label: NDArray[np.int64]


@dataclass(slots=True)
class Thing:
    """An object's box over time: centre of the bottom edge, height and shape; ``depth`` orders who hides whom."""

    x: Array
    y: Array
    height: Array
    shape: float
    label: int = 0
    vague: float = 0.0

    @property
    def xyxy(self) -> Array:
        """(T, 4)."""
        half = self.height * self.shape / 2
        return np.stack((self.x - half, self.y - self.height, self.x + half, self.y), axis=1)


Scene = tuple[list[Thing], Array]
"""Objects, and boxes (P, 4) of what stands in front of everything."""


def _times() -> Array:
    return np.arange(0, SECONDS, STEP_S)


def _wander(rng: np.random.Generator, strength: float, fade_s: float = 1.0) -> Array:
    """A smooth deviation with a standard deviation of about ``strength``."""
    count = len(_times())
    noise = rng.normal(size=count)
    kernel = np.exp(-0.5 * np.square(np.arange(-3 * fade_s, 3 * fade_s, STEP_S) / fade_s))
    smooth = np.convolve(noise, kernel / np.sqrt(np.square(kernel).sum()), mode="same")
    return np.asarray(strength * smooth)


def _perspective(y: Array, near: float, far: float) -> Array:
    """Heights of an object by where it stands."""
    return np.asarray(far + (near - far) * np.clip((y - 300) / (HEIGHT - 300), -0.2, 1.2))


def walker(
    rng: np.random.Generator,
    *,
    y: float | None = None,
    speed: float | None = None,
    starts_s: float | None = None,
) -> Thing:
    """A person who crosses the picture, faster and slower, and may stand for a while."""
    times = _times()
    base = float(rng.uniform(420, 690)) if y is None else y
    tall = float(_perspective(np.array([base]), 260, 90)[0])
    pace = float(rng.uniform(0.6, 1.1) if speed is None else speed) * tall * (1 if rng.random() < 0.5 else -1)
    rate = np.maximum(1 + _wander(rng, 0.25), 0)
    if rng.random() < 0.3:
        stop = rng.uniform(4, SECONDS - 6)
        rate *= 1 - ((times > stop) & (times < stop + rng.uniform(1.5, 4)))
    start = float(rng.uniform(-8, SECONDS - 6)) if starts_s is None else starts_s
    gone = np.cumsum(rate) * STEP_S
    gone += max(0.0, -start) - gone[max(0, int(start / STEP_S))]
    edge = -tall * 0.3 if pace > 0 else WIDTH + tall * 0.3
    x = edge + pace * gone + _wander(rng, tall * 0.03, 0.5)
    path_y = base + _wander(rng, tall * 0.1, 3)
    height = _perspective(path_y, 260, 90) * (1 + _wander(rng, 0.015, 0.3))
    return Thing(x, path_y, height, float(rng.uniform(0.36, 0.44)), vague=float(rng.uniform(0, 0.15)))


def car(rng: np.random.Generator, *, speed: float, y: float, direction: int, starts_s: float) -> Thing:
    """A car that drives past."""
    tall = float(_perspective(np.array([y]), 170, 60)[0])
    shape = float(rng.uniform(1.7, 2.3))
    travelled = np.cumsum(np.maximum(1 + _wander(rng, 0.15, 2), 0)) * STEP_S
    travelled -= travelled[max(0, int(starts_s / STEP_S))] if starts_s >= 0 else starts_s
    edge = -tall * shape / 2 if direction > 0 else WIDTH + tall * shape / 2
    x = edge + direction * speed * tall * shape * travelled
    return Thing(x, np.full(len(x), y), np.full(len(x), tall), shape, 1, float(rng.uniform(0, 0.1)))


def parked(rng: np.random.Generator, x: float, y: float) -> Thing:
    """A car that stands, seen well or badly."""
    count = len(_times())
    tall = float(_perspective(np.array([y]), 170, 60)[0])
    vague = float(rng.choice([0.05, 0.2, 0.32]))
    return Thing(
        np.full(count, x), np.full(count, y), np.full(count, tall), float(rng.uniform(1.6, 2.2)), 1, vague
    )


def crossings(rng: np.random.Generator) -> Scene:
    """People from both sides, who hide one another."""
    return [walker(rng) for _ in range(12)], np.zeros((0, 4))


def occlusions(rng: np.random.Generator) -> Scene:
    """People who pass behind pillars and a wall."""
    pillars = [(left, 150, left + wide, HEIGHT) for left, wide in ((300, 70), (620, 110), (960, 50))]
    return [walker(rng, y=float(rng.uniform(430, 600))) for _ in range(8)], np.array(pillars, float)


def parking(rng: np.random.Generator) -> Scene:
    """Cars that stand, cars and people who pass before them."""
    things = [
        parked(rng, x, y)
        for x, y in ((150, 430), (380, 430), (620, 440), (860, 440), (1110, 430), (300, 520), (800, 530))
    ]
    things += [walker(rng, y=float(rng.uniform(560, 690))) for _ in range(4)]
    things += [
        car(rng, speed=float(rng.uniform(0.5, 1)), y=600, direction=int(rng.choice([-1, 1])), starts_s=s)
        for s in (2.0, 9.0, 15.0)
    ]
    return things, np.zeros((0, 4))


def groups(rng: np.random.Generator) -> Scene:
    """People who walk together."""
    things = []
    for _ in range(4):
        leader = walker(rng)
        things.append(leader)
        for _ in range(int(rng.integers(1, 4))):
            size = float(leader.height.mean())
            x = leader.x + rng.uniform(-0.9, 0.9) * size + _wander(rng, size * 0.12, 2)
            y = leader.y + rng.uniform(-0.15, 0.15) * size
            height = leader.height * rng.uniform(0.8, 1.1)
            things.append(
                Thing(x, y, height, float(rng.uniform(0.36, 0.44)), vague=float(rng.uniform(0, 0.15)))
            )
    return things, np.zeros((0, 4))


def traffic(rng: np.random.Generator) -> Scene:
    """Cars on two lanes, quick, some close behind another."""
    things, lanes = [], ((470.0, 1), (560.0, -1))
    for y, direction in lanes:
        moment, pace = float(rng.uniform(-2, 1)), float(rng.uniform(0.8, 2.5))
        while moment < SECONDS - 2:
            things.append(car(rng, speed=pace, y=y, direction=direction, starts_s=moment))
            moment += float(rng.uniform(1.6, 4)) / pace
    return [*things, walker(rng, y=680.0), walker(rng, y=690.0)], np.zeros((0, 4))


def crowd(rng: np.random.Generator) -> Scene:
    """Many people everywhere."""
    return [walker(rng, speed=float(rng.uniform(0.3, 0.9))) for _ in range(45)], np.zeros((0, 4))


CONTENTS: dict[str, Callable[[np.random.Generator], Scene]] = {
    made.__name__: made for made in (crossings, occlusions, parking, groups, traffic, crowd)
}


def rate(name: str, rng: np.random.Generator) -> Array:
    """Moments of the frames, seconds.

    Args:
        name: Frames a second; or ``changing`` (30, 5, 15, 8 in turn), ``irregular`` (5 to 30 from frame to frame),
            ``drop-outs`` (15 a second with gaps of 0.5 to 1.5 s).
        rng: Of the scene.
    """
    if name == "changing":
        parts = [
            np.arange(k * 3.0, k * 3.0 + 3.0, 1 / (30, 5, 15, 8)[k % 4]) for k in range(int(SECONDS / 3))
        ]
        return np.concatenate(parts)
    if name == "irregular":
        moments = np.cumsum(rng.uniform(1 / 30, 1 / 5, 2000))
        return np.asarray(moments[moments < SECONDS])
    if name == "drop-outs":
        moments = np.arange(0, SECONDS, 1 / 15)
        for begin in np.arange(3, SECONDS, 4.0) + rng.uniform(-1, 1, len(np.arange(3, SECONDS, 4.0))):
            moments = moments[(moments < begin) | (moments > begin + rng.uniform(0.5, 1.5))]
        return np.asarray(moments)
    return np.arange(0, SECONDS, 1 / float(name))


RATES = ("30", "10", "5", "changing", "irregular", "drop-outs")


def looks(content: str, rate_name: str, seed: int) -> list[Look]:
    """A scene as a camera and a detector would tell it."""
    rng = np.random.default_rng([seed, sorted(CONTENTS).index(content)])
    things, fronts = CONTENTS[content](rng)
    boxes = np.stack([thing.xyxy for thing in things])
    depth = np.stack([thing.y for thing in things])
    lasting = _lasting(rng, len(things))
    spots = [
        (rng.uniform(0, WIDTH), rng.uniform(250, HEIGHT), rng.uniform(40, 160), int(rng.integers(2)))
        for _ in range(3)
    ]
    labels = np.array([thing.label for thing in things])
    vague = np.array([thing.vague for thing in things])
    frames = []
    for at_s in rate(rate_name, rng):
        step = min(int(at_s / STEP_S), boxes.shape[1] - 1)
        frames.append(
            _look(
                rng,
                float(at_s),
                boxes[:, step],
                depth[:, step],
                fronts,
                lasting[:, :, step],
                labels,
                vague,
                spots,
            )
        )
    return frames


def _lasting(rng: np.random.Generator, count: int) -> Array:
    """Deviations (things, 5, T) of four coordinates and of the score that last for a third of a second or so."""
    return np.array([[_wander(rng, 1, 0.15) for _ in range(5)] for _ in range(count)])


def _look(
    rng: np.random.Generator,
    at_s: float,
    boxes: Array,
    depth: Array,
    fronts: Array,
    lasting: Array,
    labels: NDArray[np.int64],
    vague: Array,
    spots: list[tuple[float, float, float, int]],
) -> Look:
    frame = np.array([0, 0, WIDTH, HEIGHT], float)
    clipped = np.clip(boxes, frame[[0, 1, 0, 1]], frame[[2, 3, 2, 3]])
    visible, seen_boxes = np.zeros(len(boxes)), clipped.copy()
    for number in range(len(boxes)):
        before = np.concatenate((clipped[depth > depth[number]], fronts))
        visible[number], seen_boxes[number] = _visible(boxes[number], clipped[number], before)
    there = visible > COUNTED_SHARE
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    errors = np.concatenate((size, size), axis=1) * (
        0.02 * lasting[:, :4] + rng.normal(0, 0.02, (len(boxes), 4))
    )
    score = 0.88 - vague - 0.75 * (1 - visible) + 0.06 * lasting[:, 4] + rng.normal(0, 0.04, len(boxes))
    found = (visible > 0.08) & (score > 0.05) & (rng.random(len(boxes)) > 0.03)
    xyxy = np.clip((seen_boxes + errors)[found], frame[[0, 1, 0, 1]], frame[[2, 3, 2, 3]])
    label, value = labels[found], np.clip(score[found], 0, 0.98)
    false_xyxy, false_score, false_label = _false(rng, spots)
    xyxy, value = np.concatenate((xyxy, false_xyxy)), np.concatenate((value, false_score))
    label = np.concatenate((label, false_label))
    keep = _kept(xyxy, value, label)
    return Look(at_s, np.flatnonzero(there), clipped[there], xyxy[keep], value[keep], label[keep])


def _visible(box: Array, clipped: Array, before: Array) -> tuple[float, Array]:
    """The share of a box that can be seen, and the box of it, by a grid of points."""
    xs = np.linspace(box[0], box[2], 17)[:-1] + (box[2] - box[0]) / 32
    ys = np.linspace(box[1], box[3], 17)[:-1] + (box[3] - box[1]) / 32
    free = ((xs > 0) & (xs < WIDTH))[None, :] & ((ys > 0) & (ys < HEIGHT))[:, None]
    if not free.any():
        return 0.0, clipped
    for left, top, right, bottom in before:
        if left < box[2] and right > box[0] and top < box[3] and bottom > box[1]:
            free &= ~(((xs > left) & (xs < right))[None, :] & ((ys > top) & (ys < bottom))[:, None])
    if not free.any():
        return 0.0, clipped
    columns, rows = np.flatnonzero(free.any(axis=0)), np.flatnonzero(free.any(axis=1))
    half = np.array([box[2] - box[0], box[3] - box[1]]) / 32
    part = np.array(
        [xs[columns[0]] - half[0], ys[rows[0]] - half[1], xs[columns[-1]] + half[0], ys[rows[-1]] + half[1]]
    )
    return float(free.mean()), np.asarray(0.5 * part + 0.5 * clipped)


def _false(
    rng: np.random.Generator, spots: list[tuple[float, float, float, int]]
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Boxes of nothing: anywhere, and again and again at some spots."""
    made = [
        (rng.uniform(0, WIDTH), rng.uniform(200, HEIGHT), rng.uniform(30, 200), int(rng.integers(2)))
        for _ in range(rng.poisson(0.25))
    ]
    scores = [min(0.9, 0.12 + rng.exponential(0.12)) for _ in made]
    for x, y, tall, label in spots:
        if rng.random() < 0.25:
            made.append((x + rng.normal(0, 3), y + rng.normal(0, 3), tall * rng.uniform(0.9, 1.1), label))
            scores.append(float(np.clip(rng.normal(0.28, 0.1), 0.05, 0.6)))
    boxes = [
        (x - tall * (0.2, 1)[label], y - tall, x + tall * (0.2, 1)[label], y) for x, y, tall, label in made
    ]
    xyxy = np.clip(np.array(boxes, float).reshape(-1, 4), 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    keep = ((xyxy[:, 2:] - xyxy[:, :2]) > 4).all(axis=1)
    return xyxy[keep], np.array(scores, float)[keep], np.array([entry[3] for entry in made], np.int64)[keep]


def _kept(xyxy: Array, score: Array, label: NDArray[np.int64]) -> NDArray[np.intp]:
    """Greedy suppression, class by class; best score first."""
    kept: list[int] = []
    for number in np.argsort(-score, kind="stable"):
        box = xyxy[number]
        if (box[2:] - box[:2] < 3).any():
            continue
        others = xyxy[kept][label[kept] == label[number]] if kept else np.zeros((0, 4))
        shared = np.prod(
            np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0), axis=1
        )
        whole = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
        if not (shared > SUPPRESSED_IOU * whole).any():
            kept.append(int(number))
    return np.array(kept, np.intp)
