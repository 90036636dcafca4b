from dataclasses import replace

from edged.doctor.models import ModelFacts, Rejected, findings, label_findings
from edged.errors import ConfigurationError, ModelRejected, WorkerLost
from edged.settings import Settings

FINE = ModelFacts(
    "vehicles",
    versions=(1, 2),
    chosen=2,
    path="/store/vehicles/2",
    provider="cpu",
    latency_ms=12.5,
    load_ms=80,
)
BAD = Rejected(3, "golden", "golden/bus.jpg shows no bus", "/store/vehicles/3")


def seen(facts: ModelFacts) -> dict[str, str]:
    return {one.kind: f"{one.seen} | {one.remedy}" for one in findings(facts)}


def test_a_model_that_loads_says_on_what() -> None:
    assert seen(FINE) == {"model": "version 2 runs on cpu, 12.5 ms an inference, loaded in 80 ms | "}


def test_a_model_that_is_not_in_the_store_is_missing() -> None:
    missing = ConfigurationError("models.vehicles", "is not in the store /store", "add the model there")
    assert seen(ModelFacts("vehicles", missing=missing)) == {
        "model-missing": "is not in the store /store | add the model there"
    }


def test_a_newer_version_that_was_rejected_says_where_and_why() -> None:
    told = seen(replace(FINE, rejected=(BAD,)))
    assert set(told) == {"model-rejected", "model"}
    assert "version 3 was rejected at golden: golden/bus.jpg shows no bus" in told["model-rejected"]
    assert "edged model test /store/vehicles/3" in told["model-rejected"]
    older = replace(BAD, version=1)
    assert "model-rejected" not in seen(replace(FINE, rejected=(older,)))


def test_a_model_of_which_every_version_was_rejected_is_an_error() -> None:
    (found,) = findings(ModelFacts("vehicles", versions=(3,), rejected=(BAD,)))
    assert (found.kind, found.exit_code) == ("model-all-rejected", 78)


def test_a_model_that_does_not_load_is_told_with_its_remedy() -> None:
    error = ModelRejected("/store/vehicles/2", "is cut short", "copy it again")
    assert seen(replace(FINE, error=error))["model-unservable"].endswith("is cut short | copy it again")


def test_a_machine_that_starts_no_process_says_nothing_of_the_model() -> None:
    error = WorkerLost("model vehicles", "its process cannot be started", "out of memory")
    assert list(seen(replace(FINE, error=error))) == ["unexamined"]


def test_a_model_on_another_provider_than_was_asked_for_says_why() -> None:
    told = seen(replace(FINE, passed_over=("openvino:CPU: no CPU device here",)))
    assert "no CPU device here" in told["model-elsewhere"]
    assert 'providers = ["cpu"]' in told["model-elsewhere"]


def test_a_label_that_the_only_model_of_a_camera_does_not_find_is_told() -> None:
    zone = {"points": [[0, 0], [1, 0], [1, 1]], "labels": ["persn", "car"]}
    camera = {"url": "rtsp://cam/1", "models": ["vehicles"], "zones": {"door": zone}}
    given = Settings.model_validate({"cameras": {"front": camera}, "models": {"vehicles": {}}})
    (found,) = label_findings(replace(FINE, labels=("person", "car")), given)
    assert (found.kind, found.subject) == ("label-unknown", "cameras.front.zones.door.labels")
    assert "'persn'" in found.seen
    assert "did you mean 'person'?" in found.remedy
    assert list(label_findings(replace(FINE, labels=None), given)) == []


def test_a_model_that_was_not_loaded_or_not_in_time_says_so() -> None:
    assert list(seen(replace(FINE, untried="a daemon serves it"))) == ["model-skipped"]
    assert list(seen(replace(FINE, late=True, error=ModelRejected("m", "killed", "")))) == [
        "model-unfinished"
    ]
