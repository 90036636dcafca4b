"""Each layout as an ONNX file with its names, shapes and types: a known object comes back at a known place."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from toy_layouts import LAYOUTS
from toy_outputs import Layout, Thing

from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel


def write_model(path: Path, layout: Layout, things: list[Thing]) -> Path:
    """A model that says ``things`` to every picture, with the family's inputs and outputs."""
    outputs = layout.outputs(things)
    names = layout.output_names(outputs)
    inputs = layout.declared(*layout.size)
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}.constant"], [name]) for name in names],
        "toy",
        [_value(spec.name, spec.dtype, spec.shape) for spec in inputs],
        [_value(name, str(one.dtype), one.shape) for name, one in zip(names, outputs, strict=True)],
        [numpy_helper.from_array(one, f"{name}.constant") for name, one in zip(names, outputs, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, layout.metadata)
    path.write_bytes(model.SerializeToString())
    text = f'family = "{layout.family}"\n' if layout.said else ""
    text += f"labels = {list(layout.labels)}\n" if layout.labels else ""
    path.with_suffix(".toml").write_text(text)
    return path


def _value(name: str, dtype: str, shape: tuple[int | str | None, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_file_of_this_layout_finds_the_known_thing(layout: Layout, tmp_path: Path) -> None:
    height, width = layout.size
    box = (0.25 * width, 0.25 * height, 0.75 * width, 0.8 * height)
    file = write_model(tmp_path / "toy.onnx", layout, [Thing(box, layout.classes - 1, 0.875)])
    model = LoadedModel(LoadRequest(path=str(file), providers=("cpu",), min_score=0.5))
    assert model.description.family == layout.family
    recipe = model.description.input
    found = model.answer(np.zeros(recipe.shape, recipe.dtype)).detections
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy[0], box, atol=max(0.5, layout.tolerance_px))
    assert found.class_id.tolist() == [layout.classes - 1]
    assert found.score[0] == pytest.approx(0.875, abs=5e-3)
