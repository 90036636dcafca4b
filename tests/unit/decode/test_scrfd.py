"""SCRFD: what any detector of one class could be is asked about, what has its shapes only is refused."""

import numpy as np
import pytest
from toy_faces import LAYOUTS, scrfd
from toy_outputs import Layout, Thing, evidence_of

from edged.decode.detect import recognise
from edged.errors import ModelRejected

SCRFD: Layout = next(one for one in LAYOUTS if one.name == "scrfd")


@pytest.mark.parametrize("strides", [(8, 16, 32), (8, 16, 32, 64, 128)])
def test_one_anchor_without_keypoints_is_asked_about_and_a_name_settles_it(strides: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    trial = scrfd([], 320, 320, 1, rng, strides=strides, anchors=1, keypoints=False)
    evidence = evidence_of(*trial, height=320, width=320)
    with pytest.raises(ModelRejected, match=r'if it is SCRFD, say family = "scrfd" in model.toml'):
        recognise(evidence)
    thing = Thing((40, 60, 120, 180), 0, 0.875)
    outputs = scrfd([thing], 320, 320, 1, rng, strides=strides, anchors=1, keypoints=False)
    found = recognise(evidence, "scrfd").decoder(outputs, 0.5)
    np.testing.assert_allclose(found.xyxy, [thing.box], atol=0.01)


def test_scores_without_their_sigmoid_are_refused() -> None:
    trial = SCRFD.outputs([])
    trial[0] = trial[0] * 200 - 10
    with pytest.raises(
        ModelRejected, match=r"no probabilities; export it with its sigmoid \(scrfd2onnx.py\)"
    ):
        recognise(SCRFD.evidence(trial=tuple(trial)))


def test_boxes_that_are_no_distances_are_refused() -> None:
    trial = SCRFD.outputs([])
    trial[3] = trial[3] - 2
    with pytest.raises(ModelRejected, match="no distances from their cells"):
        recognise(SCRFD.evidence(trial=tuple(trial)))


def test_names_of_its_project_lead_to_it() -> None:
    recognition = recognise(SCRFD.evidence(), "InsightFace")
    assert recognition.family == "scrfd"
    assert recognition.notes == ("its keypoints are left out, boxes only",)
    assert recognition.usual_labels == ("face",)
