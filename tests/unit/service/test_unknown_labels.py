"""Labels of the configuration that no model finds are told of once."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from edged.service.unknown_labels import LabelWatch
from edged.settings import Settings

AREA = {"points": [[0, 0], [1, 0], [1, 1]]}
WAY = {"points": [[0, 0], [1, 1]]}


def settings(*, models: Any = ("m",), kept: Any = (), **camera: Any) -> Settings:
    section = {"url": "rtsp://cam/1", "models": models, **camera}
    held = {name: {"labels": kept} for name in models}
    return Settings.model_validate({"cameras": {"front": section}, "models": held})


def model(*labels: str, task: str = "detect", digest: str = "sha256:1") -> Any:
    return SimpleNamespace(description=SimpleNamespace(labels=labels, task=task, digest=digest))


def told(watch: LabelWatch, given: Settings, **models: Any) -> list[tuple[str, str, str]]:
    with capture_logs() as lines:
        watch.look(given, models)
    assert all(line["log_level"] == "warning" for line in lines)
    return [(line["key"], line["label"], line["hint"]) for line in lines]


@pytest.mark.parametrize(
    ("camera", "key"),
    [
        ({"zones": {"z": AREA | {"labels": ["persn", "car"]}}}, "zones.z.labels"),
        ({"lines": {"l": WAY | {"labels": ["persn"]}}}, "lines.l.labels"),
        ({"masks": {"x": AREA | {"labels": ["persn"]}}}, "masks.x.labels"),
        ({"snapshots": {"labels": ["persn"]}}, "snapshots.labels"),
        ({"privacy": {"blur": ["persn"]}}, "privacy.blur"),
    ],
)
def test_a_misspelt_label_is_told_with_its_key_and_the_nearest_one(camera: Any, key: str) -> None:
    found = told(LabelWatch(), settings(**camera), m=model("person", "car"))
    assert found == [(f"cameras.front.{key}", "persn", "did you mean 'person'?")]


def test_it_is_told_once_for_each_version_and_again_where_another_is_misspelt() -> None:
    watch, first = LabelWatch(), settings(zones={"z": AREA | {"labels": ["persn"]}})
    assert told(watch, first) == []  # nothing is known before a model serves
    assert len(told(watch, first, m=model("person"))) == 1
    assert told(watch, first, m=model("person")) == []
    again = settings(zones={"z": AREA | {"labels": ["persn", "cra"]}})
    assert [label for _, label, _ in told(watch, again, m=model("person"))] == ["cra"]
    assert len(told(watch, again, m=model("person", digest="sha256:2"))) == 2
    assert told(watch, again, m=model("persn", "cra", digest="sha256:3")) == []


def test_a_label_that_one_of_several_models_finds_is_known_and_all_are_waited_for() -> None:
    given = settings(models=("a", "b"), zones={"z": AREA | {"labels": ["face"]}})
    assert told(LabelWatch(), given, a=model("person")) == []
    assert told(LabelWatch(), given, a=model("person"), b=model("face")) == []
    assert len(told(LabelWatch(), given, a=model("person"), b=model("car"))) == 1


def test_a_label_that_the_configuration_does_not_keep_is_not_found() -> None:
    given = settings(kept=("car",), zones={"z": AREA | {"labels": ["person"]}})
    assert told(LabelWatch(), given, m=model("person", "car")) == [
        ("cameras.front.zones.z.labels", "person", "found are car")
    ]


def test_classes_without_names_are_numbers_and_of_a_classifier_nothing_is_said() -> None:
    given = settings(zones={"z": AREA | {"labels": ["7", "car"]}})
    assert [label for _, label, _ in told(LabelWatch(), given, m=model())] == ["car"]
    assert told(LabelWatch(), given, m=model("cat", task="classify")) == []


@pytest.mark.parametrize(("said", "count"), [({}, 0), ({"normal": ["normal"]}, 1), ({"normal": ["ok"]}, 0)])
def test_what_a_sensor_calls_normal_is_looked_at_where_it_was_said(said: Any, count: int) -> None:
    given = Settings.model_validate(
        {"sensors": {"pump": {"url": "-", "models": ["m"], **said}}, "models": {"m": {}}}
    )
    assert len(told(LabelWatch(), given, m=model("ok", "faulty", task="tabular"))) == count
