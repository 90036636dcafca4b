import numpy as np
import onnx
import pytest
import toy_models

from edged.worker.opening import Opened
from edged.worker.request import LoadRequest


def convolution(path, *, quantised):
    """As ``onnxruntime.quantization.quantize_dynamic`` writes it, or in float."""
    weight = np.ones((4, 3, 1, 1))
    nodes = (
        [
            toy_models.node("DynamicQuantizeLinear", ["images"], ["q", "scale", "zero"]),
            toy_models.node("ConvInteger", ["q", "weight", "zero"], ["sum"]),
            toy_models.node("Cast", ["sum"], ["output0"], to=onnx.TensorProto.FLOAT),
        ]
        if quantised
        else [toy_models.node("Conv", ["images", "weight"], ["output0"])]
    )
    dtype = "uint8" if quantised else "float32"
    return toy_models.save_model(
        path,
        nodes,
        inputs={"images": (1, 3, 8, 8)},
        outputs={"output0": (1, 4, 8, 8)},
        constants=[toy_models.constant("weight", weight, dtype)],
    )


@pytest.mark.parametrize("quantised", [True, False])
def test_who_ships_a_model_hears_that_dynamic_quantisation_made_it_slower(tmp_path, quantised):
    opened = Opened(
        LoadRequest(path=str(convolution(tmp_path / "m.onnx", quantised=quantised)), providers=("cpu",))
    )
    told = [note for note in opened.known.get("notes", ()) if "quantised dynamically (ConvInteger)" in note]
    assert len(told) == quantised
