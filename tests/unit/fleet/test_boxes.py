import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.fleet.boxes import MAX_BOXES, MAX_MODELS, MAX_TEXT, Box, Fleet
from edged.mqtt.records import Received

AT = "2026-11-22T15:00:00.123456Z"
DIGEST = f"sha256:{7:064x}"


def message(
    leaf: str, payload: bytes | dict[str, Any], *, device: str = "gate-7", retained: bool = True
) -> Received:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Received(f"edged/{device}/{leaf}", body, retained)


def info(*models: str) -> dict[str, Any]:
    running = {
        "version": 3,
        "digest": DIGEST,
        "family": "yolox",
        "provider": "cpu",
        "provider_asked": ["auto"],
    }
    machine = {"architecture": "x86_64", "cores": 4, "cpu": "", "memory_bytes": 0}
    return {
        "schema": "edged.info/1",
        "device": "gate-7",
        "version": "0.1.0",
        "machine": machine,
        "providers": ["cpu"],
        "cameras": ["front", "back"],
        "models": dict.fromkeys(models, running),
        "sensors": ["pump"],
        "started_at": AT,
    }


def model_state(**more: Any) -> dict[str, Any]:
    return {
        "schema": "edged.model_state/1",
        "device": "gate-7",
        "model": "vehicles",
        "active": {"version": 3, "digest": DIGEST},
        "provider_asked": ["auto"],
        "provider": "openvino:CPU",
        "since": AT,
        **more,
    }


HEALTH = {
    "schema": "edged.health/1",
    "device": "gate-7",
    "at": AT,
    "uptime_s": 1.0,
    "cpu_percent": 1.0,
    "memory_bytes": 1,
    "sources": [
        {"name": name, "captured_per_s": 25.0, "published_per_s": 5.0, "dropped": {}}
        for name in ("front", "back")
    ],
    "bottleneck": "decode",
    "spool": {"entries": 0, "bytes": 0, "dropped": 0},
}


def fed(*messages: Received, now_s: float = 1.0) -> Fleet:
    fleet = Fleet("edged")
    for one in messages:
        fleet.feed(one, now_s)
    return fleet


def only(fleet: Fleet) -> Box:
    (box,) = fleet
    return box


def test_a_box_is_what_it_said() -> None:
    box = only(
        fed(
            message("status", b"online"),
            message("info", info("vehicles")),
            message("model/vehicles/state", model_state()),
            message("health", HEALTH, retained=False),
            now_s=7.0,
        )
    )
    assert (box.device, box.status, box.version, box.cameras, box.sensors) == (
        "gate-7",
        "online",
        "0.1.0",
        2,
        1,
    )
    assert (box.captured_per_s, box.published_per_s, box.bottleneck, box.heard_s) == (
        50.0,
        10.0,
        "decode",
        7.0,
    )
    assert (box.models["vehicles"].version, box.models["vehicles"].provider) == (3, "openvino:CPU")
    assert (box.missing, box.trouble) == ([], "")


def test_what_the_broker_kept_is_no_sign_of_life() -> None:
    assert only(fed(message("status", b"online"))).heard_s is None


def test_what_is_missing_is_named() -> None:
    assert only(fed(message("status", b"online"))).missing == ["info"]
    assert only(fed(message("info", info("a", "b")))).missing == ["status", "model/a/state", "model/b/state"]


@pytest.mark.parametrize(
    ("more", "trouble"),
    [
        (
            {"update": {"state": "refused", "version": 4, "reason": "signature: too few", "at": AT}},
            "vehicles: 4 refused: signature: too few",
        ),
        (
            {"update": {"state": "unreachable", "reason": "unreachable: no route", "at": AT}},
            "vehicles: update: unreachable: no route",
        ),
        ({"why": "openvino is not installed"}, "vehicles: openvino is not installed"),
        ({"update": {"state": "active", "version": 3, "at": AT}}, ""),
    ],
)
def test_trouble_is_what_a_person_should_look_at(more: dict[str, Any], trouble: str) -> None:
    box = only(fed(message("status", b"online"), message("model/vehicles/state", model_state(**more))))
    assert box.trouble == trouble


def test_who_went_away_without_a_word_is_trouble_and_who_was_stopped_is_not() -> None:
    assert only(fed(message("status", b"offline"))).trouble == "offline"
    assert only(fed(message("status", b"stopped"))).trouble == ""


def test_a_cleared_topic_is_forgotten_and_a_box_without_status_and_info_is_none_any_more() -> None:
    fleet = fed(message("status", b"online"), message("model/vehicles/state", model_state()))
    fleet.feed(message("model/vehicles/state", b"", retained=False), 2.0)
    assert only(fleet).models == {}
    fleet.feed(message("status", b"", retained=False), 2.0)
    assert list(fleet) == []


def test_what_cannot_be_read_is_said_until_it_can() -> None:
    fleet = fed(message("status", b"online"), message("info", b'{"schema": "edged.info/1"}'))
    assert only(fleet).trouble == "info cannot be read"
    assert only(fleet).missing == []
    fleet.feed(message("info", info()), 2.0)
    assert only(fleet).trouble == ""


def test_results_and_other_devices_topics_are_passed_over() -> None:
    assert (
        list(fed(message("camera/front/detections", b"{}"), Received("other/x/status", b"online", True)))
        == []
    )


def test_nobody_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.fleet.boxes.MAX_BOXES", 3)
    assert MAX_BOXES > 10_000
    fleet = fed(*(message("status", b"online", device=f"box-{number}") for number in range(5)))
    assert (len(fleet), fleet.left_out) == (3, 2)
    many = [
        message(f"model/m{number}/state", model_state(why="x" * 5000)) for number in range(MAX_MODELS + 5)
    ]
    box = only(fed(*many))
    assert len(box.models) == MAX_MODELS
    assert all(len(model.why) <= MAX_TEXT for model in box.models.values())
    rejected = [{"version": version, "reason": "r", "at": AT} for version in range(1, 200)]
    box = only(fed(message("model/vehicles/state", model_state(rejected=rejected))))
    assert max(box.models["vehicles"].rejected) == 199
    assert len(box.models["vehicles"].rejected) <= 16


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["status", "info", "health", "model/a/state", "model//state", "x", ""]),
            st.one_of(
                st.binary(max_size=40), st.sampled_from([b"online", b"{}", b"null", b"[]", b'{"schema": 1}'])
            ),
        ),
        max_size=30,
    )
)
def test_any_bytes_are_survived(said: list[tuple[str, bytes]]) -> None:
    fleet = fed(*(message(leaf, payload) for leaf, payload in said))
    assert [box.device for box in fleet] in ([], ["gate-7"])
    assert all(box.version == "" and len(box.models) == 0 for box in fleet)
