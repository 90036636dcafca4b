"""What a model's state says: what serves, what is tried, what was rejected, and why something is not as asked for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edged.errors import ModelRejected
from edged.lifecycle.ledger import Version
from edged.lifecycle.telling import MAX_LABELS, MAX_REJECTED, Telling, model_state
from edged.modelstore.records import Rejection
from edged.modelstore.survey import Standing
from edged.sections import ModelSettings

AT = "2026-01-02T03:04:05.000006Z"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def version(number: int, **changes: Any) -> Version:
    return Version(
        **{"standing": Standing(number, Path("m"), ()), "digest": digest(number), "content": ""} | changes
    )


class FakeWorker:
    """With a process, unless it is told otherwise."""

    def __init__(self, number: int = 1, **changes: Any) -> None:
        self.description: Any = SimpleNamespace(
            choice=None,
            **{
                "digest": digest(number),
                "labels": ("cat", "dog"),
                "provider": "openvino:CPU",
                "provider_refused": (),
            }
            | changes,
        )
        self.last_end = ""
        self.process: object = object()

    def current(self, timeout_s: float) -> object:
        assert timeout_s == 0, "telling must not wait"
        return self.process


def tell(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "device": "box",
        "model": "m",
        "section": ModelSettings(providers=("openvino", "cpu")),
        "active": None,
        "previous": None,
        "candidate": None,
        "rejected": [],
        "waiting": {},
        "pinned": None,
        "pin_problem": "",
        "probation": "",
        "agreement": "",
        "error": None,
        "since_s": 0.0,
    }
    return model_state(Telling(**nothing | changes)).model_dump(by_alias=True)


def test_a_model_that_is_being_loaded_says_so():
    state = tell()
    assert state["why"] == "loading"
    assert state["active"] is state["previous"] is state["candidate"] is state["pinned"] is None
    assert (state["labels"], state["provider"], state["provider_asked"]) == ((), "", ("openvino", "cpu"))
    assert (state["device"], state["model"], state["since"]) == ("box", "m", "1970-01-01T00:00:00.000000Z")


def test_a_worker_that_has_not_loaded_yet_does_not_count_as_serving():
    worker = FakeWorker()
    worker.description = None
    state = tell(active=(1, worker))
    assert state["active"] is None
    assert state["why"] == "loading"


def test_a_model_that_is_not_served_says_why():
    error = ModelRejected("models.m", "version 1 was rejected (NaN)", "put another version there")
    assert tell(error=error)["why"] == "models.m: version 1 was rejected (NaN); put another version there"


def test_what_serves_what_served_before_and_what_is_tried_are_told_with_their_digests():
    state = tell(
        active=(3, FakeWorker(3)), previous=version(2), candidate=(version(4), "shapes"), since_s=1.000001
    )
    assert state["active"] == {"version": 3, "digest": digest(3)}
    assert state["previous"] == {"version": 2, "digest": digest(2)}
    assert state["candidate"] == {"version": 4, "digest": digest(4), "step": "shapes"}
    assert (state["labels"], state["provider"], state["why"]) == (("cat", "dog"), "openvino:CPU", "")
    assert state["since"] == "1970-01-01T00:00:01.000001Z"


def test_versions_that_could_not_be_read_are_left_out_and_the_rest_is_told():
    state = tell(
        active=(3, FakeWorker(3)),
        previous=version(2, digest=""),
        candidate=(version(4, digest=""), "complete"),
    )
    assert state["previous"] is state["candidate"] is None
    assert state["active"]["version"] == 3


def test_what_is_waited_for_and_how_far_everything_is_is_passed_on():
    state = tell(waiting={10: "9 bytes are missing"}, pinned=7, probation="1 of 2", agreement="3 live frames")
    assert state["waiting"] == {"10": "9 bytes are missing"}
    assert (state["pinned"], state["probation"], state["shadow"]) == (7, "1 of 2", "3 live frames")


def test_what_was_rejected_is_told_in_the_order_of_versions_with_the_reason():
    rejections = [
        Rejection(version=n, step="shapes", reason=f"reason {n}", at=AT, content="sha256:x")
        for n in (9, 10, 2)
    ]
    assert tell(rejected=rejections)["rejected"] == tuple(
        {"version": n, "step": "shapes", "reason": f"reason {n}", "at": AT} for n in (2, 9, 10)
    )


def test_of_many_rejected_versions_the_newest_are_told():
    rejected = tell(rejected=[Rejection(version=n, at=AT) for n in range(60, 0, -1)])["rejected"]
    assert [one["version"] for one in rejected] == list(range(61 - MAX_REJECTED, 61))


@pytest.mark.parametrize("at", ["", "yesterday", "2026-01-02T03:04:05Z", AT + "\n", "2026-01-02"])
def test_a_record_with_a_time_that_is_none_keeps_nothing_else_from_being_told(at):
    state = tell(rejected=[Rejection(version=1, at=at), Rejection(version=2, at=AT)])
    assert [one["version"] for one in state["rejected"]] == [2]


def test_of_many_labels_the_first_are_told():
    labels = tuple(str(n) for n in range(MAX_LABELS + 5))
    assert tell(active=(1, FakeWorker(labels=labels)))["labels"] == labels[:MAX_LABELS]


def test_providers_that_were_passed_over_are_told():
    refused = ("openvino: no device", "cuda: not installed")
    assert tell(active=(1, FakeWorker(provider_refused=refused)))["why"] == "; ".join(refused)


def test_a_process_that_ended_is_told_until_there_is_another_one():
    worker = FakeWorker(provider_refused=("openvino: no device",))
    worker.last_end, worker.process = "SIGSEGV", None
    state = tell(active=(1, worker))
    assert state["why"] == "its process ended (SIGSEGV), a new one is being started"
    assert state["active"]["version"] == 1
    worker.process = object()
    assert tell(active=(1, worker))["why"] == "openvino: no device"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pinned": None}, ""),
        ({"pinned": 3}, ""),
        ({"pinned": 4, "candidate": (version(4), "shapes")}, ""),
        ({"pinned": 4, "waiting": {4: "it was touched a moment ago"}}, ""),
        ({"pinned": 4}, "version 4 is pinned and is still to be tried"),
        (
            {"pinned": 4, "rejected": [Rejection(version=4, at=AT)]},
            "version 4 is pinned and cannot be served: it was rejected",
        ),
        ({"pinned": 4, "pin_problem": "version 4 is not there"}, "version 4 is not there"),
        ({"pin_problem": "the file pinned says 'abc'"}, "the file pinned says 'abc'"),
    ],
)
def test_why_another_version_serves_than_the_pinned_one_is_told(changes, why):
    active = (3, FakeWorker(3, provider_refused=("cpu was slower",)))
    assert tell(active=active, **changes)["why"] == "; ".join(filter(None, ["cpu was slower", why]))
