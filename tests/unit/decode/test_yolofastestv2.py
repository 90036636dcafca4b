"""YOLO-FastestV2: anchors that no file holds are asked about."""

import numpy as np
import pytest
from toy_heads import yolo_fastestv2, yolo_fastestv2_applied
from toy_outputs import evidence_of

from edged.decode.detect import recognise
from edged.decode.yolofastestv2 import YoloFastestV2
from edged.errors import ModelRejected


def made(write=yolo_fastestv2, size: int = 352, classes: int = 80) -> list[np.ndarray]:  # type: ignore[no-untyped-def]
    return [one.astype(np.float32) for one in write([], size, size, classes, np.random.default_rng(0))]


@pytest.mark.parametrize("write", [yolo_fastestv2, yolo_fastestv2_applied])
@pytest.mark.parametrize(("size", "classes"), [(416, 80), (352, 3)])
def test_another_size_or_other_classes_may_have_other_anchors(write, size: int, classes: int) -> None:  # type: ignore[no-untyped-def]
    evidence = evidence_of(*made(write, size, classes), height=size, width=size)
    with pytest.raises(ModelRejected, match=r'anchors .* say family = "yolo-fastestv2"'):
        recognise(evidence)
    settled = recognise(evidence, "yolo-fastestv2")
    assert settled.class_count == classes
    assert "352" in settled.notes[0]


def test_three_classes_are_told_from_three_anchors_by_their_place() -> None:
    recognition = recognise(evidence_of(*made(classes=3), height=352, width=352), "yolo-fastestv2")
    assert recognition.class_count == 3


@pytest.mark.parametrize("order", [(1, 0, 2, 4, 3, 5), (3, 4, 5, 0, 1, 2), (2, 1, 0, 5, 4, 3)])
def test_another_order_is_not_taken(order: tuple[int, ...]) -> None:
    maps = made()
    evidence = evidence_of(*(maps[n] for n in order), height=352, width=352)
    assert YoloFastestV2().recognise(evidence) is None


def test_six_maps_with_the_sigmoid_applied_are_not_taken() -> None:
    maps = [1 / (1 + np.exp(-one)) for one in made()]
    assert YoloFastestV2().recognise(evidence_of(*maps, height=352, width=352)) is None


def test_two_maps_with_nothing_applied_are_not_taken() -> None:
    maps = [one * 3 for one in made(yolo_fastestv2_applied)]
    assert YoloFastestV2().recognise(evidence_of(*maps, height=352, width=352)) is None
