"""YOLOv5 and YOLOv7 that leave the decoding to the caller: what the table of families does not show."""

import numpy as np
import pytest
from toy_anchors import raw_heads, yolov5_lite
from toy_outputs import Thing, evidence_of, yolov5

from edged.decode.detect import recognise
from edged.decode.family import Array
from edged.errors import ModelRejected


def made(write, classes: int, things: tuple[Thing, ...] = ()) -> list[Array]:  # type: ignore[no-untyped-def]
    outputs = write(things, 416, 416, classes, np.random.default_rng(0))
    return [output.astype(np.float32) for output in outputs]


def test_raw_heads_are_asked_about_with_the_lines_that_settle_it() -> None:
    with pytest.raises(
        ModelRejected, match=r'yolov5raw or yolov7raw .*family = "yolov5raw" or family = "yolov7raw"'
    ):
        recognise(evidence_of(*made(raw_heads, 80)))


def test_the_anchors_of_the_named_family_size_the_boxes() -> None:
    outputs = made(raw_heads, 80, (Thing((100, 100, 200, 300), 0, 0.9),))
    sizes = []
    for name in ("yolov5raw", "yolov7raw"):
        recognition = recognise(evidence_of(*made(raw_heads, 80)), name)
        assert "anchors are not in the file" in recognition.notes[0]
        x1, _, x2, _ = recognition.decoder(outputs, 0.5).xyxy[0]
        sizes.append(x2 - x1)
    assert sizes[0] == pytest.approx(100, abs=0.01)
    assert sizes[1] == pytest.approx(100 * 192 / 156, abs=0.01)


def test_a_table_is_known_only_from_the_published_yolov5_lite() -> None:
    trial = made(yolov5_lite, 3)
    with pytest.raises(ModelRejected, match=r'cells and anchors; export it .*say family = "yolov5raw"'):
        recognise(evidence_of(*trial))
    assert recognise(evidence_of(*trial), "yolov5raw").class_count == 3
    assert recognise(evidence_of(*trial), "YOLOv5-Lite").family == "yolov5raw"


def test_a_table_of_logits_is_refused_even_when_named() -> None:
    trial = [np.log(table / (1 - table)) for table in made(yolov5_lite, 80)]
    for name in (None, "yolov5raw"):
        with pytest.raises(ModelRejected, match="relative to cells and anchors; export it with the decoding"):
            recognise(evidence_of(*trial), name)


def test_a_decoded_table_is_yolov5s_and_a_wrong_name_is_told() -> None:
    trial = made(yolov5, 80)
    assert recognise(evidence_of(*trial)).family == "yolov5"
    with pytest.raises(ModelRejected, match='decoded in the graph; say family = "yolov5"'):
        recognise(evidence_of(*trial), "yolov5raw")


def test_maps_that_are_neither_logits_nor_probabilities_are_refused() -> None:
    trial = [10 * abs(head) for head in made(raw_heads, 80)]
    with pytest.raises(ModelRejected, match="neither logits nor probabilities"):
        recognise(evidence_of(*trial))


def test_heads_of_other_strides_or_columns_are_another_models() -> None:
    heads = made(raw_heads, 80)
    for trial in (heads[:2], [heads[0], heads[0], heads[2]], [*heads[:2], heads[2][..., :10]]):
        with pytest.raises(ModelRejected, match="no detector of a known family"):
            recognise(evidence_of(*trial))
