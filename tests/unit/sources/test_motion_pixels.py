"""Scenes are drawn, 160 by 90 and without downscaling, so that noise is as strong as it is written."""

import cv2
import numpy as np
import pytest

from edged.sections import MotionSettings
from edged.sources.motion.background import STEADY_S
from edged.sources.motion.pixels import FORGET_S, LEARN_S, MAX_BOXES, PixelMotion

WIDTH, HEIGHT = 160, 90
KNOWN_S = LEARN_S + 1
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)


def scene(seed=1):
    random = np.random.default_rng(seed)
    levels = cv2.resize(random.uniform(60, 170, (5, 8)).astype(np.float32), (WIDTH, HEIGHT))
    for _ in range(12):
        left, top = int(random.integers(WIDTH)), int(random.integers(HEIGHT))
        size = (left + int(random.integers(8, 40)), top + int(random.integers(8, 30)))
        cv2.rectangle(levels, (left, top), size, float(random.uniform(50, 180)), -1)
    return levels


SCENE = scene()
FLAT = np.full((HEIGHT, WIDTH), 110, np.float32)


def as_luma(levels):
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def watch(picture, *, seconds, fps=10, sigma=2.0, motion=None, settings=None):
    """Looks at ``picture(time_s)`` with noise; the answers since the background is known, and their times."""
    random = np.random.default_rng(0)
    motion = motion or PixelMotion(settings or MotionSettings())
    answers = []
    for number in range(int(seconds * fps)):
        time_s = number / fps
        noise = random.normal(0, sigma, (HEIGHT, WIDTH))
        answer = motion.look(as_luma(picture(time_s) + noise), time_s)
        if time_s >= KNOWN_S and number > 5:
            answers.append((time_s, answer))
    return answers


def moving(answers):
    return [time_s for time_s, answer in answers if answer.moving]


def between(time_s, before, after, start=6, end=9):
    return after if start <= time_s < end else before


def blocks(seed):
    errors = np.random.default_rng(seed).uniform(-4.5, 4.5, (-(-HEIGHT // 8), WIDTH // 8)).astype(np.float32)
    return cv2.resize(errors, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)[:HEIGHT]


LAMP = 1 + 0.9 * np.exp(-((COLUMNS - 60) ** 2 + (ROWS - 30) ** 2) / 2 / 70**2)
NO_MOTION = {
    "half the light": lambda t: SCENE * between(t, 1, 0.6),
    "a fifth less": lambda t: SCENE * between(t, 1, 0.8),
    "a tenth more": lambda t: SCENE * between(t, 1, 1.1),
    "two fifths more": lambda t: SCENE * between(t, 1, 1.4),
    "darker by a ramp of a second": lambda t: SCENE * np.interp(t, [5, 6, 8, 9], [1, 0.7, 0.7, 1]),
    "another tone curve": lambda t: 255 * (SCENE / 255) ** between(t, 1, 0.6),
    "an offset": lambda t: SCENE + between(t, 0, -40),
    "an offset on a bare wall": lambda t: FLAT + between(t, 0, 40),
    "a lamp that lights everything": lambda t: SCENE * 0.6 * between(t, 1, LAMP),
    "dusk": lambda t: SCENE * np.interp(t, [2, 12], [1, 0.5]),
    "the soft edge of a cloud": lambda t: SCENE * (1 - 0.25 / (1 + np.exp((COLUMNS - (t - 6) * 16) / 10))),
    "bands of mains flicker": lambda t: (
        SCENE * (1 + 0.1 * np.sin(2 * np.pi * (ROWS / HEIGHT * 1.7 + t * 3.3)))
    ),
    "new coding errors with each key frame": lambda t: SCENE + blocks(int(t)),
    "a camera that shakes": lambda t: cv2.warpAffine(
        SCENE,
        np.array([[1, 0, 0.4 * np.sin(t * 9)], [0, 1, 0.3 * np.sin(t * 13)]]),
        (WIDTH, HEIGHT),
        borderMode=cv2.BORDER_REFLECT,
    ),
}


@pytest.mark.parametrize("sigma", [2, 5, 10])
@pytest.mark.parametrize("fps", [1, 30])
def test_noise_is_no_motion(sigma, fps):
    assert not moving(watch(lambda _: SCENE, seconds=30 if fps == 1 else 8, fps=fps, sigma=sigma))


@pytest.mark.parametrize("picture", NO_MOTION.values(), ids=NO_MOTION.keys())
def test_light_and_coding_are_no_motion(picture):
    answers = watch(picture, seconds=12)
    assert not moving(answers)
    assert all(len(answer.boxes) == 0 for _, answer in answers)


def with_object(levels, time_s, *, contrast=40, speed=8, side=12, start=4.0, end=1e9):
    if not start <= time_s < end:
        return levels
    levels = levels.copy()
    left = int(10 + (time_s - start) * speed) % (WIDTH - side)
    part = levels[30 : 30 + side, left : left + side]
    part[:] = part.mean() + contrast
    return levels


@pytest.mark.parametrize("fps", [1, 30])
@pytest.mark.parametrize(
    ("contrast", "speed", "sigma"),
    [(15, 3, 2), (15, 20, 2), (-40, 8, 2), (40, 120, 2), (25, 8, 5), (40, 8, 10)],
)
def test_a_hundredth_of_the_picture_is_seen_at_once_and_framed(fps, contrast, speed, sigma):
    start, side = 6 if fps == 1 else 4, 12
    answers = watch(
        lambda t: with_object(FLAT, t, contrast=contrast, speed=speed, start=start),
        seconds=start + (5 if fps == 1 else 2),
        fps=fps,
        sigma=sigma,
    )
    assert moving(answers) == [time_s for time_s, _ in answers if time_s >= start]
    for time_s, answer in answers:
        if time_s < start:
            continue
        left = int(10 + (time_s - start) * speed) % (WIDTH - side)
        x1, y1, x2, y2 = answer.boxes[0]
        assert x1 <= left + 2
        assert x2 >= left + side - 2
        assert y1 <= 32
        assert y2 >= 40
        assert (x2 - x1) * (y2 - y1) < 30 * 30 or speed > side
        assert 0 < answer.share < 0.1


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_who_comes_with_a_change_of_light_is_seen_and_the_light_is_not(gain):
    answers = watch(
        lambda t: with_object(SCENE, t, contrast=-60, side=14) * between(t, 1, gain, 4, 99), seconds=6
    )
    assert moving(answers) == [time_s for time_s, _ in answers if time_s >= 4]
    assert max(answer.share for _, answer in answers) < 0.1


@pytest.mark.parametrize("other", [scene(9), FLAT], ids=["another scene", "a covered lens"])
def test_what_fills_the_picture_is_motion(other):
    answers = watch(lambda t: SCENE if t < 5 else other, seconds=7)
    assert moving(answers) == [time_s for time_s, _ in answers if time_s >= 5]


@pytest.mark.parametrize("fps", [2, 10])
def test_what_stands_still_becomes_background_and_leaves_no_ghost(fps):
    stands, leaves = 5.0, 5.0 + STEADY_S + 5
    answers = watch(
        lambda t: with_object(SCENE, t, speed=0, contrast=60, start=stands, end=leaves),
        seconds=leaves + 4,
        fps=fps,
    )
    seen = moving(answers)
    assert seen[0] == stands
    assert STEADY_S - 1 <= seen[-1] - seen[0] <= STEADY_S + 1


def test_swaying_leaves_are_learned_and_who_walks_before_them_is_seen():
    leaves = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 2)
    leaves = (leaves / leaves.std() * 25).astype(np.float32)[20:60, 40:110]

    def sway(time_s):
        levels = FLAT.copy()
        wind = time_s if time_s > 6 else 0.0
        levels[20:60, 40:110] += np.roll(leaves, round(3 * np.sin(4 * wind) + 2 * np.sin(9 * wind)), 1)
        return with_object(levels, time_s, contrast=120, side=16, start=55)

    seen = moving(watch(sway, seconds=58, fps=5))
    assert len([time_s for time_s in seen if 40 <= time_s < 55]) <= 3  # of 75
    assert [time_s for time_s in seen if time_s >= 55] == [55 + number / 5 for number in range(15)]


def test_a_belt_that_never_rests_is_seen_for_ever():
    random = np.random.default_rng(4)
    belt = np.full((40, 1600), 110, np.float32)
    for left in range(0, 1600, 50):
        belt[5:30, left : left + 30] = 110 + random.choice([-60, -35, 35, 60, 100])
        belt[12:20, left + 8 : left + 20] += random.choice([-40, 40])

    def busy(time_s):
        levels = FLAT.copy()
        levels[30:70] = np.roll(belt, int(time_s * 25), axis=1)[:, :WIDTH]
        return levels

    answers = watch(busy, seconds=40, fps=5)
    assert moving(answers) == [time_s for time_s, _ in answers]


def test_what_moves_in_a_mask_is_no_light_beside_it():
    def beside(time_s):
        levels = SCENE.copy()
        left = int(time_s * 40) % 130
        levels[5:25, left : left + 30] = 255
        return levels

    masked = MotionSettings(masks=(((0, 0), (1, 0), (1, 0.3), (0, 0.3)),))
    assert not moving(watch(beside, seconds=10, settings=masked))


def test_masks_hide_motion_and_share_is_of_the_rest():
    masked = MotionSettings(masks=(((0, 0), (1, 0), (1, 0.6), (0, 0.6)),))
    answers = watch(lambda t: with_object(SCENE, t, side=16), seconds=7, settings=masked)
    assert not moving(answers)
    other_side = MotionSettings(masks=(((0, 0.6), (1, 0.6), (1, 1), (0, 1)),))
    shares = [
        watch(lambda t: with_object(FLAT, t, side=16), seconds=5, settings=one)[-1][1].share
        for one in (MotionSettings(), other_side)
    ]
    assert shares[1] == pytest.approx(shares[0] / 0.6, rel=0.1)


def test_min_area_is_a_share_of_the_picture_in_one_place():
    small = {"side": 10, "contrast": 60}
    area = 100 / (WIDTH * HEIGHT)
    fine, coarse = MotionSettings(min_area=area / 2), MotionSettings(min_area=area * 2.5)
    assert moving(watch(lambda t: with_object(FLAT, t, **small), seconds=5, settings=fine))
    assert not moving(watch(lambda t: with_object(FLAT, t, **small), seconds=5, settings=coarse))


def test_the_start_is_looked_at_until_the_background_is_known():
    motion = PixelMotion(MotionSettings())
    still = [motion.look(as_luma(SCENE), number / 10).moving for number in range(40)]
    assert still == [number / 10 < LEARN_S for number in range(40)]


@pytest.mark.parametrize("gap_s", [0.2, 20.0, FORGET_S - 1])
def test_who_came_during_a_gap_is_not_taken_for_background(gap_s):
    motion = PixelMotion(MotionSettings())
    for number in range(40):
        motion.look(as_luma(SCENE), number / 10)
    came = as_luma(with_object(SCENE, 4, contrast=60))
    assert all(motion.look(came, 4 + gap_s + number / 10).moving for number in range(30))


def test_a_gap_is_no_time_in_which_something_stood_still():
    motion = PixelMotion(MotionSettings())
    for number in range(40):
        motion.look(as_luma(SCENE), number / 10)
    came = as_luma(with_object(SCENE, 4, contrast=60))
    assert all(motion.look(came, time_s).moving for time_s in (4.0, 4.1, 30.0, 30.1, 31.0))


@pytest.mark.parametrize("change", ["size", "long gap"])
def test_another_size_and_a_long_gap_begin_anew(change):
    motion = PixelMotion(MotionSettings())
    for number in range(40):
        motion.look(as_luma(SCENE), number / 10)
    luma, time_s = (as_luma(SCENE)[:60], 4.0) if change == "size" else (as_luma(SCENE), 5 + FORGET_S)
    answers = [motion.look(luma, time_s + number / 10).moving for number in range(30)]
    assert answers[0]
    assert not answers[-1]


def test_a_clock_that_jumps_back_changes_nothing():
    motion = PixelMotion(MotionSettings())
    answers = [motion.look(as_luma(SCENE), (number % 40) / 10) for number in range(120)]
    assert not any(answer.moving for answer in answers[30:])
    assert motion.look(as_luma(with_object(SCENE, 4)), 0.0).moving


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 400), (400, 1), (7, 5), (1080, 1920), (640, 360)])
def test_planes_of_any_size_and_stride_are_read_only(shape):
    padded = np.full((shape[0], shape[1] + 13), 90, np.uint8)
    luma = padded[:, : shape[1]]
    luma.flags.writeable = False
    motion = PixelMotion(MotionSettings())
    assert [motion.look(luma, number / 2).moving for number in range(8)] == [True] * 4 + [False] * 4
    bright = np.full(shape, 200, np.uint8)
    bright[: -(-shape[0] // 2)] = 20
    answer = motion.look(bright, 4.0)
    assert answer.boxes.dtype == np.float32
    assert answer.boxes.shape == (len(answer.boxes), 4)
    assert np.all(answer.boxes >= 0)
    assert np.all(answer.boxes <= np.array([shape[1], shape[0]] * 2))


def test_near_parts_are_one_box_and_the_largest_boxes_are_kept():
    def parts(time_s):
        levels = FLAT.copy()
        if time_s >= 4:
            for number in range(MAX_BOXES + 4):
                left, top = 5 + number % 6 * 25, 10 + number // 6 * 40
                levels[top : top + 5 + number % 4, left : left + 6] += 80
                levels[top : top + 8, left + 8 : left + 11] += 80  # two pixels further
        return levels

    answer = watch(parts, seconds=4.3)[-1][1]
    assert len(answer.boxes) == MAX_BOXES
    assert all(x2 - x1 >= 11 for x1, _, x2, _ in answer.boxes)


def test_the_same_frames_give_the_same_answers():
    first, second = (
        watch(lambda t: with_object(SCENE, t) * between(t, 1, 0.8), seconds=8, sigma=5) for _ in range(2)
    )
    for (_, one), (_, other) in zip(first, second, strict=True):
        assert (one.moving, one.share) == (other.moving, other.share)
        assert np.array_equal(one.boxes, other.boxes)
