"""Write the trained weights as ONNX in the layout of YOLOv8: [1, 4 + classes, cells], boxes cx cy w h in pixels.

    python models/parcel-codes/train/export.py --weights models/parcel-codes/train/weights.pt --to models/parcel-codes/1

Batch normalisation is folded into the convolutions, weights are stored in half precision and cast back when the model
is loaded: half the file, the same arithmetic. Scores are probabilities; overlapping boxes are left to the reader's
NMS.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import symbols
import torch
from network import BINS, Convolution, Detector, cells
from torch import Tensor, nn

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnx
import onnxruntime

SIZE = 416
OPSET = 17
METADATA = {
    "task": "detect",
    "names": str(dict(enumerate(symbols.LABELS))),
    "imgsz": str([SIZE, SIZE]),
    "stride": "32",
    "batch": "1",
    "description": "QR codes, linear barcodes, ArUco and AprilTag markers",
    "author": "edged",
    "license": "Apache-2.0",
    "version": "1",
}


class Exported(nn.Module):
    """The detector with its heads decoded."""

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network
        centres, strides = cells(SIZE, SIZE)
        self.register_buffer("centres", centres.T[None].contiguous())
        self.register_buffer("strides", strides.T[None].contiguous())
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32).view(1, 1, BINS, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (1, 3, SIZE, SIZE) RGB, 0 to 1, to (1, 4 + classes, cells)."""
        sides, logits = self.network(images).split((4 * BINS, self.network.classes), 1)
        distances = (sides.view(1, 4, BINS, -1).softmax(2) * self.bins).sum(2)
        low, high = distances.split((2, 2), 1)
        centre = (self.centres + (high - low) / 2) * self.strides
        extent = (low + high) * self.strides
        return torch.cat((centre, extent, logits.sigmoid()), 1)


def fold(network: nn.Module) -> None:
    """Multiply each batch normalisation into the convolution before it, in place."""
    for module in network.modules():
        if isinstance(module, Convolution):
            module[0] = torch.nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()


def halve(model: onnx.ModelProto) -> None:
    """Store every large float32 constant as float16 with a cast behind it, in place; runtimes fold the cast away."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def export(weights: Path, to: Path) -> None:
    """Write ``to/model.onnx`` and compare ONNX Runtime's answer with PyTorch's on noise."""
    network = Detector(len(symbols.LABELS))
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    fold(network)
    whole = Exported(network).eval()
    pictures = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    to.mkdir(parents=True, exist_ok=True)
    to /= "model.onnx"
    torch.onnx.export(
        whole,
        (pictures,),
        to,
        input_names=["images"],
        output_names=["output0"],
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(to)
    halve(model)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, METADATA)
    model.producer_name, model.producer_version, model.doc_string = "edged", "1", METADATA["description"]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, to)
    with torch.no_grad():
        expected = whole(pictures).numpy()
    session = onnxruntime.InferenceSession(to, providers=["CPUExecutionProvider"])
    found = session.run(None, {"images": pictures.numpy()})[0]
    parameters = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    print(
        f"{to}: {to.stat().st_size:,} bytes, {parameters:,} parameters, off by {np.abs(found - expected).max():.2g}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    export(options.weights, options.to)
