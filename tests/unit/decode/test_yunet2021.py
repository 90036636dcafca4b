"""YuNet of 2021: its priors, and what has its shapes only."""

import numpy as np
import pytest
from toy_faces import LAYOUTS
from toy_outputs import Layout

from edged.decode.detect import recognise
from edged.decode.yunet2021 import YuNet2021, yunet2021_priors
from edged.errors import ModelRejected

YUNET: Layout = next(one for one in LAYOUTS if one.name == "yunet2021")


def test_cells_that_the_input_does_not_hold_whole_have_no_priors() -> None:
    priors = yunet2021_priors(120, 160)  # 15, 7, 3 and 1 rows of cells
    assert priors.shape == (1076, 4)
    np.testing.assert_allclose(priors[0], [4, 4, 10, 10])
    np.testing.assert_allclose(priors[-1], [96, 32, 256, 256])
    assert yunet2021_priors(320, 320).shape == (5875, 4)


def test_logits_are_refused() -> None:
    trial = YUNET.outputs([])
    trial[1] = trial[1] * 20 - 10
    with pytest.raises(ModelRejected, match="conf holds no probabilities; export it with softmax"):
        recognise(YUNET.evidence(trial=tuple(trial)))


def test_other_priors_are_not_taken() -> None:
    trial = tuple(YUNET.outputs([], 120, 160))
    assert YuNet2021().recognise(YUNET.evidence(trial=trial, height=240, width=320)) is None
