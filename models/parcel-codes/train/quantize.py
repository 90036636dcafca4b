"""The int8 twin: weights and activations of all convolutions in eight bits (QDQ), calibrated with rendered pictures.

    python models/parcel-codes/train/quantize.py models/parcel-codes/1 models/parcel-codes-int8/1

What turns the heads into boxes stays in float32: eight bits over 416 pixels would round box corners by two. Weights
use seven bits, because processors without VNNI saturate sums of products of eight (ONNX Runtime's ``reduce_range``).
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import numpy as np
import onnx
import scenes
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

SEED = 10_000_000  # neither training's nor the evaluation's
PICTURES = 300
OPERATORS = ["Conv", "MaxPool", "Concat", "Resize", "Add"]


class Calibration(CalibrationDataReader):
    """Rendered pictures, one tensor at a time."""

    def __init__(self, name: str, size: int) -> None:
        self._tensors: Iterator[dict[str, np.ndarray]] = (
            {name: tensor(scenes.render((SEED, number), size).picture)} for number in range(PICTURES)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next feed; None at the end."""
        return next(self._tensors, None)


def tensor(picture: np.ndarray) -> np.ndarray:
    """Picture uint8 BGR (H, W, 3) as the model's float32 (1, 3, H, W) RGB, 0 to 1."""
    return np.ascontiguousarray(picture[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32) / 255


def behind_the_heads(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that only the output needs after the last convolutions."""
    convolutions = {node.name for node in model.graph.node if node.op_type == "Conv"}
    made_by = {output: node for node in model.graph.node for output in node.output}
    found: list[str] = []
    open_ = [made_by[model.graph.output[0].name]]
    while open_:
        node = open_.pop()
        if node.name in convolutions or node.name in found:
            continue
        found.append(node.name)
        open_ += [made_by[name] for name in node.input if name in made_by]
    return found


def quantize(source: Path, to: Path) -> None:
    """Write ``to/model.onnx`` with the metadata of ``source/model.onnx``."""
    to.mkdir(parents=True, exist_ok=True)
    source, to = source / "model.onnx", to / "model.onnx"
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(source, plain, skip_symbolic_shape=True)
        model = onnx.load(plain)
        picture = model.graph.input[0]
        quantize_static(
            plain,
            to,
            Calibration(picture.name, picture.type.tensor_type.shape.dim[2].dim_value),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=behind_the_heads(model),
            calibrate_method=CalibrationMethod.MinMax,
        )
    written, original = onnx.load(to), onnx.load(source)
    del written.metadata_props[:]
    kept = {entry.key: entry.value for entry in original.metadata_props}
    onnx.helper.set_model_props(written, {**kept, "description": f"{kept['description']}; int8 (QDQ)"})
    written.producer_name, written.producer_version = original.producer_name, original.producer_version
    used = {node.domain for node in written.graph.node}
    kept_opsets = [opset for opset in written.opset_import if opset.domain in used]
    del written.opset_import[:]
    written.opset_import.extend(kept_opsets)
    onnx.checker.check_model(written, full_check=True)
    onnx.save(written, to)
    print(f"{to}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("to", type=Path)
    options = parser.parse_args()
    quantize(options.source, options.to)
