"""Sensors of the configuration: which of them can be read as they are asked for, and who takes what is posted."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from edged.errors import ConfigurationError
from edged.mqtt.topics import Topics
from edged.sections import SensorSettings
from edged.service.sensors import Sensors, require_source
from edged.settings import check_settings

TOPICS, LISTEN = Topics("edged", "box"), "127.0.0.1:9110"


def section(url: str, **given: Any) -> SensorSettings:
    sensors = {"s": {"url": url, "models": ["m"], **given}}
    return check_settings({"sensors": sensors}, name="test").settings.sensors["s"]


@pytest.fixture
def sensors():
    """Made with a configuration that tests change."""
    configured: dict[str, SensorSettings] = {}
    made = Sensors(
        once=False,
        configured=lambda: configured,
        models=dict,
        publisher=SimpleNamespace,
        state=None,
        broker=lambda: None,
        on_state=lambda _: None,
    )
    yield made, configured
    for thread in made.stop(5.0):
        thread.join()


@pytest.mark.parametrize(
    "url", ["mqtt:#", "serial:/dev/ttyUSB0?baud=fast", "serial:/dev/ttyUSB0?parity=x", "iio:accel?rate=often"]
)
def test_a_source_that_cannot_be_made_is_found_before_anything_is_touched(url):
    with pytest.raises(ConfigurationError, match=r"^sensors\.s\.url"):
        require_source("s", section(url), topics=TOPICS, listen=LISTEN, once=False)


@pytest.mark.parametrize("url", ["mqtt:a", "serial:/dev/ttyUSB0", "iio:accel", "http:"])
def test_what_never_ends_is_refused_where_all_is_to_be_read_to_its_end(url):
    require_source("s", section(url), topics=TOPICS, listen=LISTEN, once=False)
    with pytest.raises(ConfigurationError, match="never ends") as refused:
        require_source("s", section(url), topics=TOPICS, listen=LISTEN, once=True)
    assert "leave out --once" in refused.value.remedy


def test_rows_cannot_be_posted_where_nothing_listens():
    with pytest.raises(ConfigurationError, match="nobody can post rows"):
        require_source("s", section("http:"), topics=TOPICS, listen="", once=False)


@pytest.mark.parametrize("url", ["rows.csv", "-"])
def test_what_ends_is_read_once(url):
    require_source("s", section(url), topics=TOPICS, listen=LISTEN, once=True)


def test_who_posts_before_a_sensor_is_at_work_or_while_it_is_replaced_is_told_to_post_again(sensors):
    """What is not found is given up by a client, and its rows are lost."""
    made, configured = sensors
    configured["s"] = section("http:")
    assert made.post("s", "", b"1")[0] == 503
    made.start("s", configured["s"])
    made.end(["s"])
    assert made.post("s", "", b"1")[0] == 503


@pytest.mark.parametrize("configured", [{}, {"s": section("-")}])
def test_nothing_is_taken_for_what_is_no_sensor_that_is_posted_to(sensors, configured):
    made, there = sensors
    there |= configured
    assert made.post("s", "", b"1")[0] == 404


@pytest.mark.parametrize(
    ("counts", "status", "body"),
    [
        ((20, 0, ""), 200, {"ok": True, "rows": 20, "rejected": 0}),
        ((2, 1, "line 2: x"), 200, {"ok": True, "rows": 2, "rejected": 1, "error": "line 2: x"}),
        ((1, 1, "line 1: x"), 422, {"ok": False, "rows": 1, "rejected": 1, "error": "line 1: x"}),
    ],
)
def test_who_posts_is_told_how_many_rows_could_be_read(sensors, counts, status, body):
    made, configured = sensors
    configured["s"] = section("http:")
    posted = made._http("s", SimpleNamespace())
    posted.open()

    def settle() -> None:
        while not (deliveries := posted.read(5.0)):
            pass
        deliveries[0].read(*counts)
        deliveries[0].receipt.let_go()

    reader = threading.Thread(target=settle)
    reader.start()
    assert made.post("s", "", b"rows") == (status, body)
    reader.join()
