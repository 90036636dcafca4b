"""The short form of `make fuzz`, from a fixed seed: nothing is found. And what was found once is not found again."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from fuzz import gate, media, models
from fuzz.guidance import explore, tried
from fuzz.targets import commands, opened
from onnx import TensorProto, helper

SEED = 20261126
INPUTS = {"configuration": 200, "manifest": 60, "rows": 120, "broker": 300, "archive": 200}
USUAL_INPUTS = 400
MUTANTS, MUTANTS_S = 16, 15.0
FILES = 80


@pytest.mark.parametrize(
    "name", ["configuration", "manifest", "commands", "rows", "onnx", "archive", "broker", "http"]
)
def test_a_door_takes_whatever_comes(name, tmp_path):
    with opened(name, tmp_path) as target:
        report = explore(target, seed=SEED, inputs=INPUTS.get(name, USUAL_INPUTS), guided=name != "http")
    assert not report.findings, report.findings
    assert report.inputs == INPUTS.get(name, USUAL_INPUTS)
    assert len(report.outcomes) > 1, "all were taken alike"


def test_models_that_went_wrong_get_a_verdict_and_open_nothing_outside(tmp_path):
    small = {
        name: models.handmade()[name] for name in ("conv and pools", "shapes", "weights outside", "trees")
    }
    report = gate.besiege(small, tmp_path, seed=SEED, count=MUTANTS, seconds=MUTANTS_S)
    assert not report.findings, report.findings
    assert len({verdict.step for verdict in report.verdicts}) > 1, report.line


def test_pictures_and_videos_that_went_wrong_give_frames_or_a_line(tmp_path):
    report = media.decode_many(tmp_path, seed=SEED, count=FILES)
    assert not report.findings, report.findings
    assert report.files == FILES
    assert {"frames", "BadInput"} <= set(report.outcomes)


# What was found.

FOUND: dict[str, tuple[str, bytes]] = {
    "a verb that is a filter": ("commands", commands.TOPICS.command("+").encode()),
    "a verb that is many levels": ("commands", commands.TOPICS.command("a/#").encode()),
    "a verb with a control character": ("commands", commands.TOPICS.command("\x00").encode()),
    "arrays in arrays": ("configuration", b"x = " + b"[" * 3000),
    "tables in tables": ("configuration", b"[" + b"a." * 3000 + b"a]\n"),
    "a number of 5,000 digits": ("configuration", b"device = " + b"9" * 5000),
    "arrays in arrays of a model": ("manifest", b"Tx = " + b"[" * 3000),
    "tables in tables of a model": ("manifest", b"T[" + b"a." * 3000 + b"a]\n"),
    "a number of 5,000 digits of a model": ("manifest", b"Tlabels = " + b"9" * 5000),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_at_a_door_is_mended(what, tmp_path):
    name, content = FOUND[what]
    with opened(name, tmp_path) as target:
        assert tried(target, content) is None


def many_inputs(model: onnx.ModelProto) -> None:
    for number in range(3000):
        model.graph.input.append(
            helper.make_tensor_value_info("\x01" * 1000 + str(number), TensorProto.FLOAT, [1])
        )


def a_long_dimension(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "\x01" * (3 << 20)


def much_to_say(model: onnx.ModelProto) -> None:
    model.producer_name = model.producer_version = "\x01" * (1 << 20)
    for number in range(2):
        model.metadata_props.add(key=str(number), value="\x01" * 1_000_000)


def many_files(model: onnx.ModelProto) -> None:
    for number in range(5000):
        tensor = model.graph.initializer.add(name=f"t{number}", data_type=TensorProto.FLOAT, dims=[1])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"{'w' * 600}{number}")


TALKATIVE = [much_to_say, many_files, many_inputs, a_long_dimension]


@pytest.mark.parametrize("change", TALKATIVE, ids=lambda change: change.__name__)
def test_a_model_that_says_more_of_itself_than_the_daemon_listens_to_gets_a_verdict(
    change: Callable[[onnx.ModelProto], None], tmp_path: Path
):
    model = onnx.load_from_string(models.handmade()["detector"])
    change(model)
    report = gate.besiege({"talkative": model.SerializeToString()}, tmp_path, seed=SEED, count=1, lanes=1)
    assert not report.findings, report.findings


@pytest.mark.parametrize(
    "name", [b"images", b"output0", b"imgsz", b"[64, 64]"], ids=lambda name: name.decode()
)
def test_a_model_whose_names_are_not_utf8_gets_a_verdict(name, tmp_path):
    content = models.handmade()["detector"].replace(name, b"\xff" + name[1:])
    report = gate.besiege({"odd": content}, tmp_path, seed=SEED, count=1, lanes=1)
    assert not report.findings, report.findings


def test_what_a_model_calls_its_operators_does_not_steer_a_terminal(tmp_path):
    model = onnx.load_from_string(models.handmade()["conv and pools"])
    model.graph.node[0].op_type, model.graph.node[0].domain = "\x1b[31mConv", "evil\x1b]0;x\x07.example"
    report = gate.besiege({"steering": model.SerializeToString()}, tmp_path, seed=SEED, count=1, lanes=1)
    assert "no runtime here has" in report.verdicts[0].problem
    assert report.verdicts[0].problem.isprintable()
