import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edged.mqtt.homeassistant import Announced, AnnouncedCamera, Component, announced_components
from edged.mqtt.topics import Topics
from edged.service import announcing
from edged.service.announcing import Announcer

TOPICS = Topics("edged", "gate-7")
TOPIC = "homeassistant/device/edged--gate-7/config"
FRONT = AnnouncedCamera("front", ("person", "car"))
BACK = AnnouncedCamera("back")
BOTH = Announced("1", cameras=(FRONT, BACK))
ONE = Announced("1", cameras=(FRONT,))
OF_BACK = set(announced_components(BOTH, TOPICS)) - set(announced_components(ONE, TOPICS))


class Broker:
    """Keeps what it is told, and how often."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes]] = []

    def __call__(self, topic: str, payload: bytes) -> None:
        self.told.append((topic, payload))

    @property
    def topics(self) -> list[tuple[str, bool]]:
        """Where, and whether there was anything in it."""
        return [(topic, bool(payload)) for topic, payload in self.told]

    def removed(self) -> set[Component]:
        """What the last message names as gone."""
        found = json.loads(self.told[-1][1])["components"]
        return {Component(key, one["platform"]) for key, one in found.items() if set(one) == {"platform"}}


@pytest.fixture
def broker() -> Broker:
    return Broker()


def written(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "homeassistant.json").read_text())
    return found


def test_nothing_is_made_before_something_is_announced(tmp_path: Path, broker: Broker) -> None:
    folder = tmp_path / "state" / "box"
    with capture_logs() as lines:
        Announcer(folder, broker).withdraw()
    assert not folder.exists()
    assert (broker.told, lines) == ([], [])


def test_a_device_is_announced_and_what_was_said_is_written_down(tmp_path: Path, broker: Broker) -> None:
    folder = tmp_path / "state" / "box"
    Announcer(folder, broker).announce(BOTH, TOPICS)
    assert broker.topics == [(TOPIC, True)]
    assert broker.removed() == set()
    assert written(folder) == {
        "topic": TOPIC,
        "components": dict(announced_components(BOTH, TOPICS)),
        "labels": {"front": ["person", "car"]},
    }
    assert list(folder.iterdir()) == [folder / "homeassistant.json"]


def test_it_is_written_down_before_it_is_said(tmp_path: Path) -> None:
    seen: list[object] = []
    Announcer(tmp_path, lambda _topic, _payload: seen.append(written(tmp_path)["topic"])).announce(
        ONE, TOPICS
    )
    assert seen == [TOPIC]


def test_what_is_gone_after_a_reload_is_removed(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    announcer.announce(BOTH, TOPICS)
    announcer.announce(ONE, TOPICS)
    assert broker.removed() == OF_BACK


def test_what_is_gone_after_a_restart_is_removed(tmp_path: Path, broker: Broker) -> None:
    Announcer(tmp_path, broker).announce(BOTH, TOPICS)
    Announcer(tmp_path, broker).announce(ONE, TOPICS)
    assert broker.removed() == OF_BACK


def test_what_is_gone_is_named_until_home_assistant_has_started_anew(tmp_path: Path, broker: Broker) -> None:
    Announcer(tmp_path, broker).announce(BOTH, TOPICS)
    Announcer(tmp_path, broker).announce(ONE, TOPICS)
    again = Announcer(tmp_path, broker)
    again.announce(ONE, TOPICS)
    assert broker.removed() == OF_BACK
    again.announce(ONE, TOPICS, born=True)
    assert broker.removed() == set()
    again.announce(ONE, TOPICS)
    assert broker.removed() == set()


def test_what_is_gone_just_when_home_assistant_starts_is_removed(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    announcer.announce(BOTH, TOPICS)
    announcer.announce(ONE, TOPICS, born=True)
    assert broker.removed() == OF_BACK


def test_what_is_back_is_not_removed(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    for announced in (BOTH, ONE, BOTH):
        announcer.announce(announced, TOPICS)
    assert broker.removed() == set()


def test_only_so_many_are_named_as_gone(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "MAX_REMOVED", 3)
    announcer = Announcer(tmp_path, broker)
    announcer.announce(BOTH, TOPICS)
    announcer.announce(ONE, TOPICS)
    assert len(broker.removed()) == 3
    assert broker.removed() < OF_BACK


def test_labels_that_were_announced_are_known_after_a_restart(tmp_path: Path, broker: Broker) -> None:
    Announcer(tmp_path, broker).announce(BOTH, TOPICS)
    again = Announcer(tmp_path, broker)
    assert again.labels("front") == ("person", "car")
    assert again.labels("back") == again.labels("unknown") == ()


def test_the_same_again_is_not_written_again(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    announcer.announce(BOTH, TOPICS)
    before = (tmp_path / "homeassistant.json").stat().st_ino
    with capture_logs() as lines:
        announcer.announce(BOTH, TOPICS)
    assert (tmp_path / "homeassistant.json").stat().st_ino == before
    assert lines == []
    assert broker.told[0] == broker.told[1]


def test_a_device_of_another_name_takes_the_place_of_the_old_one(tmp_path: Path, broker: Broker) -> None:
    Announcer(tmp_path, broker).announce(BOTH, TOPICS)
    Announcer(tmp_path, broker).announce(ONE, Topics("edged", "gate-8"))
    assert broker.topics[1:] == [(TOPIC, False), ("homeassistant/device/edged--gate-8/config", True)]
    assert broker.removed() == set()


def test_a_prefix_of_ones_own(tmp_path: Path, broker: Broker) -> None:
    Announcer(tmp_path, broker, prefix="ha").announce(ONE, TOPICS)
    assert broker.topics == [("ha/device/edged--gate-7/config", True)]


def test_a_device_is_withdrawn_and_at_the_next_start_once_more(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    announcer.announce(BOTH, TOPICS)
    announcer.withdraw()
    announcer.withdraw()
    assert broker.topics[1:] == [(TOPIC, False)]
    assert written(tmp_path) == {"topic": TOPIC, "withdrawn": True}

    Announcer(tmp_path, broker).withdraw()
    assert broker.topics[1:] == [(TOPIC, False)] * 2
    assert list(tmp_path.iterdir()) == []

    Announcer(tmp_path, broker).withdraw()
    assert len(broker.told) == 3


def test_what_was_withdrawn_can_be_announced_again(tmp_path: Path, broker: Broker) -> None:
    announcer = Announcer(tmp_path, broker)
    for _ in range(2):
        announcer.announce(ONE, TOPICS)
        announcer.withdraw()
    assert broker.topics == [(TOPIC, True), (TOPIC, False)] * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"components": []}',
        b'{"topic": 7}',
        b" " * (announcing.MAX_BYTES + 1),
    ],
)
def test_a_damaged_file_is_begun_anew_with_one_warning(
    tmp_path: Path, broker: Broker, content: bytes
) -> None:
    (tmp_path / "homeassistant.json").write_bytes(content)
    with capture_logs() as lines:
        announcer = Announcer(tmp_path, broker)
    assert [line["log_level"] for line in lines] == ["warning"]
    announcer.announce(ONE, TOPICS)
    assert broker.removed() == set()
    assert written(tmp_path)["topic"] == TOPIC


def test_a_folder_in_the_place_of_the_file_is_told_of_and_everything_goes_on(
    tmp_path: Path, broker: Broker
) -> None:
    (tmp_path / "homeassistant.json").mkdir()
    with capture_logs() as lines:
        announcer = Announcer(tmp_path, broker)
        announcer.announce(BOTH, TOPICS)
        announcer.announce(ONE, TOPICS)
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info", "warning", "info"]
    assert broker.removed() == OF_BACK


def test_a_file_that_was_not_written_is_written_with_the_next_announcement(
    tmp_path: Path, broker: Broker
) -> None:
    in_the_way = tmp_path / "state"
    in_the_way.write_text("a file")
    announcer = Announcer(in_the_way, broker)
    announcer.announce(ONE, TOPICS)
    in_the_way.unlink()
    announcer.announce(ONE, TOPICS)
    assert written(in_the_way)["topic"] == TOPIC


def test_what_a_power_cut_left_half_written_is_cleared_away(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / ".homeassistant.json.0a1b2c3d").write_bytes(b"{")
    Announcer(tmp_path, broker)
    assert list(tmp_path.iterdir()) == []
