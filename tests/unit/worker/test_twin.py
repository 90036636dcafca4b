"""The int8 twin of toy models, with every model loaded in this process: no worker is started."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import toy_convolutions

from edged.detection import Detections
from edged.errors import ModelRejected
from edged.preprocess import Preparer
from edged.sources.pixels import of_picture
from edged.sources.stream import framed
from edged.worker.answer import Answer
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.gathering import Gathered
from edged.worker.likeness import detectors_alike
from edged.worker.loading import load_model
from edged.worker.model import LoadedModel
from edged.worker.twin import Judge, Speed, Twin, TwinMaker, answers_to

MIN_SCORE = 0.4


class Here:
    """A loaded model with one lane."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        recipe = model.description.picture
        self._tensor = np.zeros(recipe.shape, recipe.dtype)

    def tensor(self, _lane: int) -> np.ndarray:
        return self._tensor

    def answer(self, _lane: int) -> Answer:
        return self._model.answer(self._tensor)


opened: list[LoadRequest] = []


@contextlib.contextmanager
def open_here(request: LoadRequest) -> Iterator[tuple[Here, ModelDescription]]:
    opened.append(request)
    model = load_model(request)
    assert isinstance(model, LoadedModel)
    yield Here(model), model.description


def tensors(description: ModelDescription, count: int) -> Gathered:
    preparer, made = Preparer(description.picture), []
    for number, picture in enumerate(toy_convolutions.squares(count)):
        tensor = np.zeros(description.picture.shape, np.float32)
        preparer.prepare(framed(of_picture(picture), "toy", number, 0.0), tensor)
        made.append(np.rint(tensor * 255).astype(np.uint8))
    return Gathered(made, description.picture)


def twin_of(path: Path, folder: Path, *, max_loss: float = 0.01, budget_s: float = 60.0, **more) -> Twin:
    with open_here(LoadRequest(path=str(path), providers=("cpu",), min_score=MIN_SCORE)) as (
        model,
        description,
    ):
        held = tensors(description, 24)
        reference = [one.detections for one in answers_to(model, held.at(range(8)))]
    assert all(len(found) == 1 for found in reference)

    def judge(answers: Here, _: ModelDescription) -> float:
        found: list[Detections] = [one.detections for one in answers_to(answers, held.at(range(8)))]
        return detectors_alike(reference, found, min_score=MIN_SCORE)

    maker = TwinMaker(
        description,
        held.at(range(8, 24)),
        folder,
        open_model=open_here,
        judge=judge,
        min_score=MIN_SCORE,
        say=lambda _: None,
    )
    return maker.make(
        providers=["cpu"], pace=held.first(2), form=more.get("form"), max_loss=max_loss, budget_s=budget_s
    )


def content(path: Path, folder: Path, providers: list[str], judge: Judge = lambda *_: 1.0) -> Twin:
    """The twin that is made where any accuracy will do."""
    with open_here(LoadRequest(path=str(path), providers=("cpu",))) as (_, description):
        held = tensors(description, 8)
    opened.clear()
    maker = TwinMaker(
        description, held, folder, open_model=open_here, judge=judge, min_score=None, say=lambda _: None
    )
    return maker.make(providers=providers, pace=held, form=None, max_loss=0.0, budget_s=1.0)


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def int8_convolutions(path: Path) -> set[str]:
    """Names of the convolutions whose weights are dequantised."""
    model = onnx.load(path)
    restored = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in restored}


def test_a_detector_in_int8_finds_what_it_found(tmp_path):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx", opset=11)
    twin = twin_of(path, tmp_path)
    assert (twin.before, twin.after, twin.loss) == (1.0, 1.0, 0.0)
    assert twin.left_out == ()
    assert twin.form == "operators"  # ReLU is fused everywhere: there is but one form
    assert int8_convolutions(twin.path) == {"blur", "sums"}
    assert twin.speed[0].provider == "cpu"
    assert twin.speed[0].ratio > 0


def test_the_head_stays_in_float_and_the_metadata_is_kept(tmp_path):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    twin = twin_of(path, tmp_path)
    model = onnx.load(twin.path)
    last = next(node for node in model.graph.node if node.op_type == "Conv" and node.name == "sums")
    after = {last.output[0]}
    for node in model.graph.node:
        if after & set(node.input):
            after |= set(node.output)
            assert node.op_type not in {"QuantizeLinear"} or node.input[0] == last.output[0]
    assert model.metadata_props == onnx.load(path).metadata_props
    assert model.producer_name == "toys"
    onnx.checker.check_model(model, full_check=True)


def test_weights_have_seven_bits_and_a_scale_a_channel(tmp_path):
    twin = twin_of(toy_convolutions.square_detector(tmp_path / "squares.onnx"), tmp_path)
    model = onnx.load(twin.path)
    known = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = [value for value in known.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(weights) == 2
    assert all(np.abs(value.astype(int)).max() <= 64 for value in weights)
    scales = [known[node.input[1]] for node in model.graph.node if known.get(node.input[0]) is weights[0]]
    assert [scale.shape for scale in scales] == [(len(weights[0]),)]


def test_a_part_that_int8_ruins_stays_in_float(tmp_path):
    twin = twin_of(toy_convolutions.square_detector(tmp_path / "squares.onnx", fragile=True), tmp_path)
    assert twin.loss <= 0.01
    assert {"moved", "returned"} & set(twin.left_out)
    assert "sums" in int8_convolutions(twin.path)


def test_without_time_to_search_the_loss_is_said(tmp_path):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx", fragile=True)
    twin = twin_of(path, tmp_path, budget_s=0.0)
    assert twin.loss > 0.5
    assert twin.left_out == ()


@pytest.mark.parametrize(("form", "converted"), [("operators", True), ("convolutions", False)])
def test_the_forms_differ_in_where_the_activation_function_is(tmp_path, form, converted):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx", silu=True)
    twin = twin_of(path, tmp_path, form=form, max_loss=1.0)
    model = onnx.load(twin.path)
    maker = {name: node.op_type for node in model.graph.node for name in node.output}
    gate = next(node for node in model.graph.node if node.name == "gate")
    assert (maker[gate.input[0]] == "DequantizeLinear") is converted


def test_of_two_forms_the_faster_one_is_taken(tmp_path):
    opened.clear()
    twin = twin_of(
        toy_convolutions.square_detector(tmp_path / "squares.onnx", silu=True), tmp_path, max_loss=1.0
    )
    assert twin.form in {"operators", "convolutions"}
    assert sum(request.require_provider for request in opened) == 2 * 3  # both forms timed, then the result


def test_accuracy_is_that_on_the_provider_on_which_the_twin_is_fastest(tmp_path, monkeypatch):
    """In eight bits providers do not agree to the last digit."""
    speeds = {"cpu": Speed("cpu", 2.0, 1.5), "openvino:CPU": Speed("openvino:CPU", 2.0, 1.0)}
    monkeypatch.setattr(TwinMaker, "_compare", lambda _self, _path, provider, _pace: speeds[provider])
    ran_on: list[str] = []

    def judge(_: Here, description: ModelDescription) -> float:
        ran_on.append(description.provider)
        return 1.0

    path = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    twin = content(path, tmp_path, ["cpu", "openvino:CPU"], judge)
    assert [request.providers for request in opened] == [("cpu",), ("openvino:CPU",)]  # the model, its twin
    assert ran_on[0] == "cpu"
    assert twin.provider == ran_on[1]  # another one where OpenVINO is not here


def test_a_twin_that_is_slower_everywhere_is_told(tmp_path, monkeypatch):
    path = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    monkeypatch.setattr(TwinMaker, "_compare", lambda *_: Speed("cpu", 1.0, 2.0))
    assert twin_of(path, tmp_path).notes == ("the twin is slower than the model on every provider here",)


def test_a_provider_that_is_not_here_is_told_with_its_reason(tmp_path):
    twin = content(toy_convolutions.square_detector(tmp_path / "squares.onnx"), tmp_path, ["cuda:7"])
    assert twin.speed[0].ratio is None
    assert twin.speed[0].why_not
    assert twin.provider == "cpu"


def test_a_model_of_nothing_to_quantise_is_refused(tmp_path):
    import toy_models

    path = toy_models.toy_detector(tmp_path / "toy.onnx")
    with open_here(LoadRequest(path=str(path), providers=("cpu",))) as (_, description):
        pass
    with pytest.raises(ModelRejected, match="no convolution"):
        TwinMaker(
            description,
            Gathered([], description.picture),
            tmp_path,
            open_model=open_here,
            judge=lambda *_: 1.0,
            min_score=None,
            say=lambda _: None,
        )
