"""YuNet of 2023: what has its shapes and not its meaning is refused."""

import numpy as np
import pytest
from toy_faces import LAYOUTS
from toy_outputs import Layout

from edged.decode.detect import recognise
from edged.decode.yunet import YuNet
from edged.errors import ModelRejected

YUNET: Layout = next(one for one in LAYOUTS if one.name == "yunet")


def test_scores_without_their_sigmoid_are_refused() -> None:
    trial = YUNET.outputs([])
    trial[0] = trial[0] * 20 - 10
    with pytest.raises(ModelRejected, match="no probabilities; export it with its sigmoid"):
        recognise(YUNET.evidence(trial=tuple(trial)))


def test_boxes_in_pixels_are_refused() -> None:
    trial = YUNET.outputs([])
    trial[6] = trial[6] * 100
    with pytest.raises(ModelRejected, match="not relative to their cells"):
        recognise(YUNET.evidence(trial=tuple(trial)))


def test_twelve_outputs_of_another_grid_are_not_taken() -> None:
    assert YuNet().recognise(YUNET.evidence(trial=tuple(YUNET.outputs([], 320, 320)), width=640)) is None


def test_scores_beyond_one_are_clamped_as_opencv_does() -> None:
    outputs = YUNET.outputs([])
    outputs[0][0, 0], outputs[3][0, 0] = 1.05, 1.05
    found = recognise(YUNET.evidence()).decoder(outputs, 0.25)
    assert found.score.tolist() == [1.0]


def test_it_is_known_by_the_year_too() -> None:
    assert recognise(YUNET.evidence(), "yunet2023").family == "yunet"
    assert recognise(YUNET.evidence()).input.color == "BGR"
    assert np.isclose(recognise(YUNET.evidence()).min_score or 0, 0.6)
