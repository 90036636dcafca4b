"""A detector with weights, small enough to be quantised in a test: it finds bright squares in dark pictures.

A 3 × 3 convolution blurs, one of 8 × 8 with that stride adds a cell up, and a sigmoid makes a score of it: YOLOv8's
layout, of which only the cells of stride 8 can be anything.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from toy_models import IR_VERSION, constant, node, ultralytics, yolov8_table

SIZE = 64
CHANNELS = 4


def square_detector(path: Path, *, opset: int = 17, silu: bool = False, fragile: bool = False) -> Path:
    """Write it.

    Args:
        path: The file.
        opset: Of the standard domain.
        silu: Its activation function is SiLU instead of ReLU.
        fragile: A convolution adds a constant a thousand times the signal and a later one takes it away again: eight
            bits for both leave nothing of the signal.
    """
    blur = np.full((CHANNELS, 3, 3, 3), 1 / 27, np.float32)
    cell = np.full((2, CHANNELS, 8, 8), 1 / (CHANNELS * 64), np.float32)
    cell[1] *= 0.2  # the second class is never sure
    table = yolov8_table((), size=SIZE)
    nodes = [node("Conv", ["images", "blur"], ["blurred"], pads=[1, 1, 1, 1], name="blur")]
    if silu:
        nodes += [
            node("Sigmoid", ["blurred"], ["gate"], name="gate"),
            node("Mul", ["blurred", "gate"], ["active"], name="active"),
        ]
    else:
        nodes.append(node("Relu", ["blurred"], ["active"], name="active"))
    last = "active"
    if fragile:
        nodes += [
            node("Conv", ["active", "same", "far"], ["moved"], name="moved"),
            node("Relu", ["moved"], ["held"], name="held"),
            node("Conv", ["held", "same", "back"], ["returned"], name="returned"),
        ]
        last = "returned"
    nodes += [
        node("Conv", [last, "cell", "threshold"], ["sums"], strides=[8, 8], name="sums"),
        node("Reshape", ["sums", "flat"], ["logits"], name="flatten"),
        node("Sigmoid", ["logits"], ["scores"], name="scores"),
        node("Concat", ["scores", "never"], ["classes"], axis=2, name="classes"),
        node("Concat", ["boxes", "classes"], ["output0"], axis=1, name="output"),
    ]
    cells = (SIZE // 8) ** 2
    same = np.eye(CHANNELS, dtype=np.float32)[:, :, None, None]
    constants = [
        constant("blur", blur),
        constant("cell", cell * 40),
        constant("threshold", [-20.0, -20.0] if not silu else [-10.0, -10.0]),
        constant("flat", [1, 2, cells], "int64"),
        constant("never", np.full((1, 2, table.shape[2] - cells), 0.01)),
        constant("boxes", table[:, :4]),
        constant("same", same),
        constant("far", np.full(CHANNELS, 1000.0)),
        constant("back", np.full(CHANNELS, -1000.0)),
    ]
    used = {name for one in nodes for name in one.input}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "squares",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, table.shape)],
            [one for one in constants if one.name in used],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=min(IR_VERSION, 8),
        producer_name="toys",
    )
    helper.set_model_props(model, ultralytics(size=SIZE))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def squares(count: int) -> list[NDArray[np.uint8]]:
    """Dark pictures with a bright square each, cell by cell: uint8 (64, 64, 3)."""
    pictures = []
    for number in range(count):
        picture = np.random.default_rng(number).integers(0, 40, (SIZE, SIZE, 3)).astype(np.uint8)
        row, column = divmod((number * 11) % 64, 8)
        picture[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 250
        pictures.append(picture)
    return pictures
