from types import SimpleNamespace
from typing import Any

import pytest

from edged.mqtt.homeassistant import Announced, AnnouncedSensor, discovery_topic
from edged.mqtt.topics import Topics
from edged.service import homeassistant
from edged.service.counting import Counts
from edged.service.homeassistant import HomeAssistant
from edged.settings import Settings, check_settings

TOPICS = Topics("edged", "box")


class Announcer:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.said: list[tuple[Announced, bool]] = []
        self.withdrawn = 0

    def labels(self, _camera: str) -> tuple[str, ...]:
        return ()

    def announce(self, announced: Announced, _topics: Topics, *, born: bool = False) -> None:
        self.said.append((announced, born))

    def withdraw(self) -> None:
        self.withdrawn += 1


def settings(*, wanted: bool = True, labels: tuple[str, ...] = ()) -> Settings:
    given: dict[str, Any] = {
        "mqtt": {"homeassistant": wanted},
        "models": {"m": {"labels": labels}},
        "cameras": {"front": {"url": "clip.mp4", "models": ["m"]}},
    }
    return check_settings(given, name="test").settings


def model(*labels: str) -> Any:
    return {"m": SimpleNamespace(name="m", description=SimpleNamespace(labels=labels))}


@pytest.fixture
def announcer() -> Announcer:
    return Announcer()


@pytest.fixture
def repeated() -> list[str]:
    return []


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def household(
    announcer: Any, counts: Counts, repeated: list[str], monkeypatch: pytest.MonkeyPatch
) -> HomeAssistant:
    monkeypatch.setattr(homeassistant, "COLLECT_S", 0.0)
    return HomeAssistant(announcer, counts, repeated.append)


def test_it_is_said_once_and_again_when_a_label_is_found_first(
    household: HomeAssistant, announcer: Announcer, counts: Counts
) -> None:
    many = model(*map(str, range(80)))
    household.tell(settings(), TOPICS, many)
    household.tell(settings(), TOPICS, many)
    assert [said.cameras[0].labels for said, _ in announcer.said] == [()]
    counts.saw("front", "m", {("", "7"): 1})
    counts.news()
    household.tell(settings(), TOPICS, many)
    assert [said.cameras[0].labels for said, _ in announcer.said] == [(), ("7",)]


def test_labels_that_are_announced_have_a_count_from_the_start(
    household: HomeAssistant, counts: Counts
) -> None:
    household.tell(settings(), TOPICS, model("cat", "dog"))
    assert counts.news() == [("front", ("", "cat"), 0), ("front", ("", "dog"), 0)]


def test_labels_of_the_configuration_are_those_that_count(
    household: HomeAssistant, announcer: Announcer
) -> None:
    household.tell(settings(labels=("dog",)), TOPICS, model("cat", "dog"))
    assert announcer.said[-1][0].cameras[0].labels == ("dog",)


def test_its_birth_has_it_said_again(
    household: HomeAssistant, announcer: Announcer, repeated: list[str]
) -> None:
    household.tell(settings(), TOPICS, model("cat"))
    household.hear(b"offline")
    household.tell(settings(), TOPICS, model("cat"))
    assert (len(announcer.said), repeated) == (1, [])
    household.hear(b"online")
    household.tell(settings(), TOPICS, model("cat"))
    household.tell(settings(), TOPICS, model("cat"))
    assert [born for _, born in announcer.said] == [False, True]
    assert repeated == [discovery_topic(TOPICS)]


def test_switched_off_it_is_withdrawn_and_switched_on_it_is_said_anew(
    household: HomeAssistant, announcer: Announcer
) -> None:
    household.tell(settings(wanted=False), TOPICS, model("cat"))
    assert (announcer.said, announcer.withdrawn) == ([], 1)
    household.tell(settings(), TOPICS, model("cat"))
    household.tell(settings(), TOPICS, model("cat"), anew=True)
    assert len(announcer.said) == 2


def sensed(
    household: HomeAssistant, announcer: Announcer, families: dict[str, tuple[str, ...]], **section: Any
) -> AnnouncedSensor:
    """The sensor ``pump`` as announced, with models of these families and labels."""
    given = {
        "mqtt": {"homeassistant": True},
        "sensors": {"pump": {"url": "-", "models": [*families, "not-there"], **section}},
    }
    models: Any = {
        name: SimpleNamespace(name=name, description=SimpleNamespace(family=name, labels=labels))
        for name, labels in families.items()
    }
    household.tell(check_settings(given, name="test").settings, TOPICS, models)
    (found,) = announcer.said[-1][0].sensors
    return found


@pytest.mark.parametrize(
    ("families", "section", "says", "alarms"),
    [
        ({"classifier": ("normal", "worn")}, {}, ("label",), True),
        ({"classifier": ("cat", "dog")}, {}, ("label",), False),
        ({"classifier": ("cat", "dog")}, {"normal": ["cat"]}, ("label",), True),
        ({"classifier": ("cat", "dog")}, {"above": 1.0}, ("label",), False),
        ({"regressor": ()}, {}, ("value",), False),
        ({"regressor": ()}, {"above": 80.0}, ("value",), True),
        ({"regressor": ()}, {"below": 0.0}, ("value",), True),
        ({"anomaly": ()}, {}, ("score",), True),
        ({"autoencoder": ()}, {}, ("score",), True),
        ({"outputs": ()}, {"above": 1.0}, (), False),
        ({"autoencoder": (), "anomaly": (), "regressor": ()}, {}, ("score", "value"), True),
        ({}, {}, (), False),
    ],
)
def test_a_sensor_is_announced_with_what_its_models_say(
    household: HomeAssistant,
    announcer: Announcer,
    families: dict[str, tuple[str, ...]],
    section: dict[str, Any],
    says: tuple[str, ...],
    alarms: bool,
) -> None:
    assert sensed(household, announcer, families, **section) == AnnouncedSensor("pump", says, alarms)


def test_a_sensor_is_announced_anew_once_its_model_is_known(
    household: HomeAssistant, announcer: Announcer
) -> None:
    assert sensed(household, announcer, {}).says == ()
    assert sensed(household, announcer, {"anomaly": ()}).says == ("score",)
    sensed(household, announcer, {"anomaly": ()})
    assert len(announcer.said) == 2


def test_places_and_pictures_are_announced_as_configured(
    household: HomeAssistant, announcer: Announcer
) -> None:
    corner = {"points": [[0, 0], [1, 0], [1, 1]]}
    given: dict[str, Any] = {
        "mqtt": {"homeassistant": True},
        "cameras": {
            "front": {
                "url": "clip.mp4",
                "models": ["m"],
                "zones": {"yard": corner, "drive": corner | {"labels": ["car"]}},
                "lines": {"gate": {"points": [[0, 0], [1, 1]]}},
                "snapshots": {"labels": ["cat"]},
            },
            "back": {
                "url": "clip.mp4",
                "models": ["m"],
                "track": False,
                "lines": {"gate": {"points": [[0, 0], [1, 1]]}},
            },
        },
    }
    household.tell(check_settings(given, name="test").settings, TOPICS, model("cat", "dog"))
    front, back = announcer.said[0][0].cameras
    assert front.zones == (("yard", ("cat", "dog")), ("drive", ("car",)))
    assert front.lines == (("gate", ("cat", "dog")),)
    assert front.pictures == ("cat",)
    assert front.has_motion
    assert (back.has_motion, back.lines, back.pictures) == (False, (), ())
