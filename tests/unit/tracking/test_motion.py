import numpy as np
import pytest

from edged.tracking import motion


def test_two_steps_are_one_of_their_sum():
    place, speed, size = np.array([[100.0, 100, 20, 40]]), np.array([[30.0, -10, 1, 2]]), np.array([28.0])
    covariance = motion.first_covariance(size)
    once = motion.predicted(place, speed, covariance, size, 0.5)
    half = motion.predicted(place, speed, covariance, size, 0.2)
    twice = motion.predicted(*half, size, 0.3)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_the_closed_form_is_the_matrix_form():
    rng = np.random.default_rng(3)
    place, speed, size = rng.normal(size=(1, 4)), rng.normal(size=(1, 4)), np.array([5.0])
    _, _, covariance = motion.predicted(place, speed, motion.first_covariance(size), size, 0.1)
    measured, variance = rng.normal(size=(1, 4)), motion.variance_of(size, np.array([0.6]))
    got = motion.corrected(place, speed, covariance, measured, variance)
    for k in range(4):
        matrix = np.array(
            [[covariance[0, 0, k], covariance[0, 1, k]], [covariance[0, 1, k], covariance[0, 2, k]]]
        )
        gain = matrix[:, 0] / (matrix[0, 0] + variance[0, k])
        state = np.array([place[0, k], speed[0, k]]) + gain * (measured[0, k] - place[0, k])
        after = matrix - np.outer(gain, matrix[0])
        assert (got[0][0, k], got[1][0, k]) == pytest.approx(tuple(state))
        assert got[2][0, :, k].tolist() == pytest.approx([after[0, 0], after[0, 1], after[1, 1]])


@pytest.mark.parametrize("rate", [2, 10, 30])
def test_a_steady_speed_is_learned_at_any_rate(rate):
    size = np.array([50.0])
    place, speed, covariance = np.array([[0.0, 0, 50, 50]]), np.zeros((1, 4)), motion.first_covariance(size)
    for number in range(1, 3 * rate + 1):
        place, speed, covariance = motion.predicted(place, speed, covariance, size, 1 / rate)
        measured = np.array([[40.0 * number / rate, 0, 50, 50]])
        place, speed, covariance = motion.corrected(
            place, speed, covariance, measured, motion.variance_of(size, np.ones(1))
        )
    assert speed[0, 0] == pytest.approx(40, rel=0.15)
    assert place[0, 0] == pytest.approx(120, abs=2)


def test_corners_and_places_are_the_same_boxes():
    xyxy = np.array([[1.0, 2, 5, 12], [0, 0, 3, 3]])
    np.testing.assert_allclose(motion.to_xyxy(motion.to_place(xyxy)), xyxy)
