from edged.service.status_line import status_line
from edged.sources.switch import SourceStatus

ON, OFF, OUT = SourceStatus.ONLINE, SourceStatus.OFFLINE, SourceStatus.DISABLED


def line(**given: object) -> str:
    usual = {"cameras": [ON], "sensors": [], "models": [("m", 1)], "per_s": 0.0, "broker": "connected"}
    return status_line(**{**usual, **given})  # type: ignore[arg-type]


def test_it_says_what_is_there_and_nothing_of_what_is_not():
    assert line() == "1/1 camera, 0.0 inferences/s, m v1, broker connected"
    assert line(cameras=[], sensors=[ON, OFF]).startswith("1/2 sensors, ")


def test_a_camera_that_is_switched_off_or_away_is_not_online():
    assert line(cameras=[ON, OFF, OUT]).startswith("1/3 cameras, ")


def test_rates_are_rounded_and_a_broker_that_is_away_says_why():
    said = line(per_s=14.96, broker="away (nothing listens there)")
    assert said == "1/1 camera, 15.0 inferences/s, m v1, broker away (nothing listens there)"


def test_a_model_that_is_not_served_is_named_and_of_many_only_some_are():
    assert "m not served" in line(models=[("m", None)])
    many = line(models=[(f"m{number}", 1) for number in range(7)])
    assert "m3 v1, 3 more models" in many
    assert "m4" not in many
