"""Models with a wrong place in their structure: read, or rejected in one line, and never more than is told."""

import random

import pytest
from fuzz.examples import examples
from fuzz.models import handmade
from fuzz.surgery import SURGERIES, operated
from fuzz.targets import opened

from edged.errors import ModelRejected

OUTSIDE = ("../canary.bin", "/etc/passwd", "a/../../canary.bin")


def test_models_after_surgery_are_read_or_rejected_in_one_line(tmp_path):
    outcomes = {"read": 0, "odd labels": 0, "rejected": 0}
    models = handmade()
    with opened("onnx", tmp_path) as target:
        for number in range(examples(300)):
            chance = random.Random(number)
            content = operated(chance, models[chance.choice(list(models))], OUTSIDE)
            try:
                outcomes[target.run(content)] += 1
            except ModelRejected as error:
                outcomes["rejected"] += 1
                assert "\n" not in str(error)  # noqa: PT017
    assert min(outcomes["read"], outcomes["rejected"]) > 20


@pytest.mark.parametrize("name", handmade())
def test_whole_models_are_read(name, tmp_path):
    with opened("onnx", tmp_path) as target:
        assert target.run(handmade()[name]) == "read"


def test_every_surgery_changes_some_model():
    import onnx

    idle = []
    for surgery in dict.fromkeys(SURGERIES):
        changed = 0
        for content in handmade().values():
            for seed in range(6):
                model = onnx.load_from_string(content)
                try:
                    surgery(random.Random(seed), model)
                    changed += model.SerializeToString() != content
                except (ValueError, TypeError, IndexError):
                    continue
        if not changed:
            idle.append(surgery.__name__)
    assert idle == []
