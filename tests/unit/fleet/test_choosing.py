import pytest

from edged.errors import UsageError
from edged.fleet.boxes import Box, ModelOn
from edged.fleet.choosing import ORDERS, condition, ordered

GOOD = Box(
    "gate-1",
    status="online",
    version="0.2.0",
    models={"vehicles": ModelOn(version=3, provider="openvino:CPU", update="active", offered=3)},
    published_per_s=5.0,
    heard_s=10.0,
)
BAD = Box(
    "gate-2", status="offline", version="0.1.0", models={"vehicles": ModelOn(version=10, provider="cpu")}
)
NEW = Box("gate-3", status="online", version="0.2.0", published_per_s=1.0, heard_s=20.0)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("status=offline", "2"),
        ("status!=offline", "13"),
        ("device=gate-[12]", "12"),
        ("model=vehicles", "12"),
        ("model=vehicles:3", "1"),
        ("provider=openvino*", "1"),
        ("provider!=openvino*", "23"),
        ("edged=0.2.*", "13"),
        ("update=active", "1"),
        ("offered=vehicles:3", "1"),
        ("trouble=*offline*", "2"),
        ("trouble=", "13"),
    ],
)
def test_conditions(text: str, devices: str) -> None:
    holds = condition(text)
    assert [box.device[-1] for box in (GOOD, BAD, NEW) if holds(box)] == list(devices)


@pytest.mark.parametrize("text", ["", "status", "colour=red", "=x", "status>=3"])
def test_what_is_no_condition_is_told_with_those_that_are(text: str) -> None:
    with pytest.raises(UsageError, match="one of device, status"):
        condition(text)


@pytest.mark.parametrize(
    ("order", "devices"),
    [
        ("device", "123"),
        ("trouble", "213"),
        ("rate", "231"),
        ("-rate", "132"),
        ("seen", "213"),
        ("-edged", "132"),
        ("model", "312"),
        ("status", "213"),
        ("provider", "321"),
    ],
)
def test_orders(order: str, devices: str) -> None:
    assert [box.device[-1] for box in ordered([NEW, BAD, GOOD], order)] == list(devices)


def test_every_column_that_is_offered_orders() -> None:
    assert all(ordered([GOOD, BAD, NEW], order) for order in ORDERS)


def test_an_unknown_column_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="one of device, status"):
        ordered([], "colour")
