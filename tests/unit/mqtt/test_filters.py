import pytest

from edged.errors import ConfigurationError
from edged.mqtt.filters import check, meet, stood_for

OURS = "edged/gate-7/sensor/+/result"


@pytest.mark.parametrize(
    ("topic_filter", "topic", "origin"),
    [
        ("factory/pump/vibration", "factory/pump/vibration", ""),
        ("factory/+/vibration", "factory/pump-3/vibration", "pump-3"),
        ("factory/+/vibration", "factory//vibration", ""),
        ("+/+/vibration", "factory/pump-3/vibration", "factory/pump-3"),
        ("factory/#", "factory/pump-3/x", "pump-3/x"),
        ("factory/#", "factory", ""),
        ("factory/+/axis/#", "factory/pump-3/axis/x/y", "pump-3/x/y"),
        ("#", "a/b", "a/b"),
        ("/+", "/a", "a"),
        ("$SYS/broker/+", "$SYS/broker/load", "load"),
    ],
)
def test_the_origin_is_what_the_wildcards_stood_for(topic_filter, topic, origin):
    assert stood_for(topic_filter, topic) == origin


@pytest.mark.parametrize(
    ("topic_filter", "topic"),
    [
        ("factory/+/vibration", "factory/pump-3/temperature"),
        ("factory/+/vibration", "factory/pump-3"),
        ("factory/+", "factory/pump-3/vibration"),
        ("factory/+", "factory"),
        ("factory/#", "factories/x"),
        ("factory", "Factory"),
        ("#", "$SYS/broker"),
        ("+/broker", "$SYS/broker"),
        ("a/+/#", "a"),
        ("a", ""),
    ],
)
def test_a_topic_that_the_filter_does_not_take_in_has_no_origin(topic_filter, topic):
    assert stood_for(topic_filter, topic) is None


@pytest.mark.parametrize(
    ("topic_filter", "taken_in"),
    [
        ("#", True),
        ("edged/#", True),
        ("+/+/sensor/#", True),
        ("edged/gate-7/sensor/pump/result", True),
        ("+/+/+/+/+", True),
        ("edged/+/+/pump/+", True),
        ("edged/gate-7/sensor/pump/result/#", True),
        ("edged/gate-7/sensor/pump/result/+", False),
        ("edged/gate-7/sensor/pump/state", False),
        ("edged/gate-8/#", False),
        ("+/+/+", False),
        ("$SYS/#", False),
        ("factory/+/vibration", False),
    ],
)
def test_filters_meet_where_one_topic_is_taken_in_by_both(topic_filter, taken_in):
    assert meet(topic_filter, OURS) is taken_in
    assert meet(OURS, topic_filter) is taken_in


def test_a_wildcard_does_not_begin_a_topic_of_the_broker():
    assert not meet("#", "$SYS/broker/load")
    assert not meet("$SYS/broker/load", "+/broker/load")
    assert meet("$SYS/#", "$SYS/broker/+")


@pytest.mark.parametrize(
    "topic_filter", ["a", "factory/+/vibration", "factory/#", "+", "/", "$SYS/#", "a b/ü"]
)
def test_a_filter_that_is_right_passes(topic_filter):
    check("sensors.pump.url", topic_filter, own_results=OURS)


@pytest.mark.parametrize(
    ("topic_filter", "problem"),
    [
        ("", "names no topic"),
        ("factory/#/vibration", "nothing can follow #"),
        ("factory/pump+/vibration", "for a part of 'pump\\+'"),
        ("factory/pump#", "for a part of 'pump#'"),
        ("a\x00b", "a character that MQTT does not allow"),
        ("a\ud800b", "a character that MQTT does not allow"),
        ("ä" * 40_000, "longer than 65535 bytes"),
        ("$share/group/factory/#", "shared subscription"),
        ("edged/#", "takes in our own results"),
        ("#", "takes in our own results"),
    ],
)
def test_a_filter_that_is_wrong_is_refused_with_what_is_wrong(topic_filter, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        check("sensors.pump.url", topic_filter, own_results=OURS)
    assert caught.value.subject == "sensors.pump.url"
    assert caught.value.remedy
