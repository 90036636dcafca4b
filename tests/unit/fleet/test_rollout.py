import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.fleet.boxes import Box, ModelOn
from edged.fleet.rollout import STAGES, rollout, stage_of


@pytest.mark.parametrize(
    ("model", "stage", "reason"),
    [
        (ModelOn(version=4), "active", ""),
        (ModelOn(version=4, probation="100 of 200"), "probation", ""),
        (ModelOn(version=3, rejected={4: "golden: bus not found"}), "refused", "golden: bus not found"),
        (ModelOn(version=5), "later", ""),
        (ModelOn(version=3, update="downloading", offered=4), "downloading", ""),
        (ModelOn(version=3, update="offered", offered=4, reason="outside its share"), "offered", ""),
        (ModelOn(version=3, update="refused", offered=4, reason="mismatch"), "refused", "mismatch"),
        (ModelOn(version=3, update="unreachable", reason="too slow"), "unreachable", "too slow"),
        (ModelOn(version=3, update="checked"), "waiting", ""),
        (ModelOn(version=3, update="a word of a later edged", offered=4), "waiting", ""),
        (ModelOn(), "waiting", ""),
    ],
)
def test_where_a_version_is(model: ModelOn, stage: str, reason: str) -> None:
    assert stage_of(model, 4) == (stage, reason)


def test_shares_and_failures() -> None:
    boxes = [
        Box("a", status="online", models={"m": ModelOn(version=4)}),
        Box("b", status="offline", models={"m": ModelOn(version=3, rejected={4: "bad"})}),
        Box("c", status="online", models={"m": ModelOn(version=3, rejected={4: "bad"})}),
        Box("d", status="online", models={"m": ModelOn(version=4, probation="begun")}),
        Box("e", status="online", models={"other": ModelOn(version=4)}),
    ]
    count = rollout(boxes, "m", 4)
    assert (count.boxes, count.offline, count.share) == (4, 1, 0.5)
    assert count.stages == {"active": 1, "probation": 1, "refused": 2}
    assert (count.reasons, count.refused) == ({"bad": 2}, ("b", "c"))


def test_no_box_is_no_share() -> None:
    assert rollout([], "m", 1).share == 0.0


_MODELS = st.builds(
    ModelOn,
    version=st.none() | st.integers(1, 6),
    probation=st.sampled_from(["", "begun"]),
    update=st.sampled_from(["", *STAGES, "checked"]),
    offered=st.none() | st.integers(1, 6),
    rejected=st.dictionaries(st.integers(1, 6), st.just("bad"), max_size=3),
)


@given(st.lists(_MODELS, max_size=20), st.integers(1, 6))
def test_every_box_is_at_one_stage(models: list[ModelOn], version: int) -> None:
    count = rollout([Box(str(at), models={"m": model}) for at, model in enumerate(models)], "m", version)
    assert sum(count.stages.values()) == count.boxes == len(models)
    assert 0.0 <= count.share <= 1.0
