"""YOLOv3 of the ONNX Model Zoo: what the table of families does not show."""

import numpy as np
import pytest
from toy_anchors import LAYOUTS
from toy_outputs import Layout, Thing

from edged.decode.detect import recognise
from edged.errors import InferenceFailed, ModelRejected
from edged.manifest import TensorSpec

ZOO = {layout.name: layout for layout in LAYOUTS if layout.family == "yolov3"}
THING = Thing((10, 20, 110, 220), 7, 0.9)


@pytest.fixture(params=ZOO.values(), ids=ZOO)
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param


def test_nothing_beside_the_picture_makes_it_another_model(layout: Layout) -> None:
    with pytest.raises(ModelRejected, match="no detector of a known family"):
        recognise(layout.evidence(inputs=(TensorSpec("input_1", (1, 3, 416, 416), "float32"),)))


def test_boxes_that_no_grid_has_so_many_of_are_another_models(layout: Layout) -> None:
    trial = layout.outputs([])
    trial[:2] = trial[0][:, :1000], trial[1][:, :, :1000]
    with pytest.raises(ModelRejected, match="no detector of a known family"):
        recognise(layout.evidence(trial=tuple(trial)))


def test_what_the_indices_do_not_name_is_no_object(layout: Layout) -> None:
    outputs = layout.outputs([THING])
    decode = recognise(layout.evidence()).decoder
    assert len(decode(outputs, 0.25)) == 1
    outputs[2] = outputs[2][..., :0, :]
    assert len(decode(outputs, 0.25)) == 0


def test_rows_that_pad_the_indices_are_left_out(layout: Layout) -> None:
    outputs = layout.outputs([THING])
    outputs[2] = np.concatenate([outputs[2], np.full_like(outputs[2], -1)], axis=-2)
    found = recognise(layout.evidence()).decoder(outputs, 0.25)
    np.testing.assert_allclose(found.xyxy, [THING.box], atol=1e-4)


@pytest.mark.parametrize("index", [(1, 0, 0), (0, 80, 0), (0, 0, 999_999)])
def test_an_index_beyond_the_boxes_is_an_error(layout: Layout, index: tuple[int, int, int]) -> None:
    outputs = layout.outputs([THING])
    outputs[2] = np.array(index, np.int32).reshape(outputs[2].shape)
    with pytest.raises(InferenceFailed, match="not among its outputs"):
        recognise(layout.evidence()).decoder(outputs, 0.25)


def test_its_picture_is_padded_with_grey_and_its_thresholds_are_told(layout: Layout) -> None:
    recognition = recognise(layout.evidence())
    assert (recognition.input.color, recognition.input.scale, recognition.input.pad) == ("RGB", 1 / 255, 128)
    assert "thresholds in the file" in recognition.notes[0]
