import numpy as np
import pytest

from edged.tracking import motion


def begun(place: list[float], speed: list[float], size: float) -> motion.Array:
    """The filter of one track."""
    filtered = np.zeros((4, motion.ROWS, 1))
    motion.begin(filtered, np.array([size]))
    filtered[:, motion.PLACE, 0], filtered[:, motion.SPEED, 0] = place, speed
    return filtered


def test_two_steps_are_one_of_their_sum():
    once, twice = (begun([100, 100, 20, 40], [30, -10, 1, 2], 28) for _ in range(2))
    motion.predict(once, 0.5)
    motion.predict(twice, 0.2)
    motion.predict(twice, 0.3)
    np.testing.assert_allclose(once, twice, rtol=1e-9)


def test_the_closed_form_is_the_matrix_form():
    rng = np.random.default_rng(3)
    filtered = begun(rng.normal(size=4).tolist(), rng.normal(size=4).tolist(), 5)
    motion.predict(filtered, 0.1)
    before, measured, score = filtered.copy(), rng.normal(size=(4, 1)), 0.6
    motion.correct(filtered, measured, np.array([score]))
    for k in range(4):
        place, speed, of_place, of_both, of_speed, square = before[k, :, 0]
        variance = motion.NOISE[k] ** 2 * square * (1 + motion.VAGUE * (1 - score))
        matrix = np.array([[of_place, of_both], [of_both, of_speed]])
        gain = matrix[:, 0] / (matrix[0, 0] + variance)
        state = np.array([place, speed]) + gain * (measured[k, 0] - place)
        after = matrix - np.outer(gain, matrix[0])
        assert filtered[k, :, 0].tolist() == pytest.approx(
            [*state, after[0, 0], after[0, 1], after[1, 1], square]
        )


def test_a_step_in_time_is_that_of_the_matrix_form():
    filtered, passed_s = begun([3, 4, 5, 6], [1, -2, 0.5, 0.1], 7), 0.4
    filtered[:, motion.OF_BOTH] = 0.3
    before = filtered.copy()
    motion.predict(filtered, passed_s)
    for k in range(4):
        _, _, of_place, of_both, of_speed, square = before[k, :, 0]
        fade = np.exp(-passed_s / motion.FADE_S[k])
        step = np.array([[1, motion.FADE_S[k] * (1 - fade)], [0, fade]])
        place, speed, *covariance, _ = filtered[k, :, 0]
        assert (place, speed) == pytest.approx(tuple(step @ before[k, : motion.OF_PLACE, 0]))
        moved = step @ np.array([[of_place, of_both], [of_both, of_speed]]) @ step.T
        # What is more than that is noise, which is what an Ornstein-Uhlenbeck process gathers in the time.
        times = np.linspace(0, passed_s, 20_001)
        reach = motion.FADE_S[k] * (1 - np.exp(-times / motion.FADE_S[k]))
        left = np.exp(-times / motion.FADE_S[k])
        density = motion.ACCELERATION[k] ** 2 * square
        noise = [density * np.trapezoid(of, times) for of in (reach * reach, reach * left, left * left)]
        assert covariance == pytest.approx(
            [moved[0, 0] + noise[0], moved[0, 1] + noise[1], moved[1, 1] + noise[2]], rel=1e-6
        )


@pytest.mark.parametrize("rate", [2, 10, 30])
def test_a_steady_speed_is_learned_at_any_rate(rate):
    filtered = begun([0, 0, 50, 50], [0, 0, 0, 0], 50)
    for number in range(1, 3 * rate + 1):
        motion.predict(filtered, 1 / rate)
        motion.correct(filtered, np.array([[40.0 * number / rate], [0], [50], [50]]), np.ones(1))
    assert filtered[0, motion.SPEED, 0] == pytest.approx(40, rel=0.15)
    assert filtered[0, motion.PLACE, 0] == pytest.approx(120, abs=2)


def test_corners_and_places_are_the_same_boxes():
    xyxy = np.array([[1.0, 2, 5, 12], [0, 0, 3, 3]]).T
    np.testing.assert_allclose(motion.to_xyxy(motion.to_place(xyxy)), xyxy)
