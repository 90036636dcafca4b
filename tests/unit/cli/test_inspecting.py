"""What `edged model inspect` shows of a choice."""

import json
from dataclasses import asdict

import pytest

from edged.cli import inspecting
from edged.worker.choice import Choice, Tried


@pytest.fixture
def chosen(monkeypatch) -> Choice:
    """Every model is one for which OpenVINO was chosen."""
    tried = (
        Tried("cpu, 1 thread", "cpu", 1, "f32", integers=True, ms=19.6, cpu_ms=19.5),
        Tried("cuda:0", "cuda:0", 0, "f32", integers=True, problem="is not in this installation"),
        Tried("openvino:CPU f32, 1 thread", "openvino:CPU", 1, "f32", integers=True, ms=12.9, cpu_ms=12.8),
    )
    choice = Choice("openvino:CPU f32, 1 thread", "latency", 1, tried)
    known = {"path": "m.onnx", "choice": asdict(choice)}
    monkeypatch.setattr(inspecting, "_look", lambda _request: (json.loads(json.dumps(known)), None))
    return choice


def test_the_page_says_what_was_chosen_by_how_much_and_what_else_was_tried(edged, chosen):
    page = edged("model", "inspect", "m.onnx").stdout.splitlines()
    assert f"chosen       {chosen.text}" in page
    assert [line.removeprefix("tried").strip() for line in page if line.startswith("tried")] == [
        *chosen.lines
    ]
    assert "1.52 × cpu, 1 thread" in chosen.text


def test_the_json_has_the_choice_with_its_figures(edged, chosen):
    document = json.loads(edged("model", "inspect", "m.onnx", "--json").stdout)
    assert Choice.from_dict(document["choice"]) == chosen
