from pathlib import Path

import pytest

from edged.doctor.probes.service import shown, state_looked_at
from edged.doctor.service import Presence, daemon_findings, state_of_instance, unit_findings, unit_of
from edged.settings import check_settings

LOADED = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "2"}


def units(unit: dict[str, str], *, user: str = "root", needs_devices: bool = False) -> dict[str, str]:
    found = unit_findings([unit], user=user, needs_devices=needs_devices)
    return {one.kind: f"{one.seen} | {one.remedy}" for one in found}


GATE = LOADED | {"Id": "edged@gate.service", "User": "edged", "PrivateDevices": "yes"}
YARD = LOADED | {"Id": "edged@yard.service", "User": "root", "ActiveState": "failed"}


def instances(own: str) -> dict[tuple[str, str], str]:
    usual = {"Id": "edged.service", "LoadState": "not-found"}
    found = unit_findings([usual, GATE, YARD], user="root", own=own, needs_devices=True)
    return {(one.subject, one.kind): one.remedy for one in found}


def test_each_instance_is_told_and_the_one_that_is_not_looked_at_says_how_to() -> None:
    assert instances("edged.service") == {
        ("edged@gate.service", "service"): "",
        ("edged@gate.service", "other-instance"): "edged doctor -c /etc/edged/gate.toml",
        ("edged@yard.service", "service-failed"): "journalctl -u edged@yard.service -n 50",
        ("edged@yard.service", "other-instance"): "edged doctor -c /etc/edged/yard.toml",
    }


def test_what_concerns_a_configuration_is_said_of_the_instance_that_runs_it() -> None:
    found = instances("edged@gate.service")
    assert "systemctl edit edged@gate.service" in found["edged@gate.service", "device-hidden"]
    assert found["edged@gate.service", "other-user"] == "sudo -u edged edged doctor -c /etc/edged/gate.toml"
    assert ("edged@gate.service", "other-instance") not in found
    assert ("edged@yard.service", "other-instance") in found


@pytest.mark.parametrize(
    ("configuration", "unit", "state"),
    [
        ("/etc/edged/gate.toml", "edged@gate.service", "/var/lib/edged@gate"),
        ("/etc/edged/edged.toml", "edged.service", None),
        ("/etc/edged/old/gate.toml", "edged.service", None),
        ("/etc/edged/gate.txt", "edged.service", None),
        ("/home/joe/gate.toml", "edged.service", None),
        (None, "edged.service", None),
    ],
)
def test_a_configuration_beside_the_usual_one_is_of_an_instance(
    configuration: str | None, unit: str, state: str | None
) -> None:
    path = Path(configuration) if configuration else None
    assert unit_of(path) == unit
    assert state_of_instance(path) == (Path(state) if state else None)


def test_of_an_instance_the_state_that_systemd_made_for_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edged.doctor.service.SYSTEM", tmp_path / "edged")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    loaded = check_settings({}, name="gate", path=Path("/etc/edged/gate.toml"))
    assert state_looked_at(loaded) != tmp_path / "edged@gate", "it was never started"
    (tmp_path / "edged@gate").mkdir()
    assert state_looked_at(loaded) == tmp_path / "edged@gate"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert state_looked_at(loaded) == tmp_path
    moved = check_settings({"state": {"path": str(tmp_path / "s")}}, name="gate", path=loaded.path)
    assert state_looked_at(moved) == tmp_path / "s"


def test_what_systemctl_shows_of_several_units_is_told_apart() -> None:
    text = "Id=edged.service\nLoadState=loaded\nUser=\n\nId=edged@a=b.service\nLoadState=loaded\n"
    assert shown(text) == [
        {"Id": "edged.service", "LoadState": "loaded", "User": ""},
        {"Id": "edged@a=b.service", "LoadState": "loaded"},
    ]
    assert shown("") == []


def daemons(presence: Presence) -> dict[str, str]:
    return {one.kind: f"{one.seen} | {one.remedy}" for one in daemon_findings(presence)}


def test_without_a_unit_nothing_is_said_of_one() -> None:
    assert units({}) == {}
    assert units({"LoadState": "not-found"}) == {}


def test_a_unit_is_told_as_systemd_sees_it() -> None:
    assert units(LOADED) == {"service": "active, enabled, 2 restarts | "}


def test_a_unit_that_failed_leads_to_its_journal() -> None:
    failed = LOADED | {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}
    told = units(failed)["service-failed"]
    assert "exit-code, status 78" in told
    assert "journalctl -u edged.service" in told


def test_a_unit_that_hides_devices_which_are_needed_is_an_error() -> None:
    hides = LOADED | {"PrivateDevices": "yes"}
    assert "device-hidden" not in units(hides)
    assert "PrivateDevices=no" in units(hides, needs_devices=True)["device-hidden"]


def test_permissions_were_tested_for_who_asks_and_not_for_the_service() -> None:
    assert "sudo -u edged edged doctor" in units(LOADED | {"User": "edged"})["other-user"]
    assert "other-user" not in units(LOADED | {"User": "edged"}, user="edged")
    assert "DynamicUser=yes" in units(LOADED | {"DynamicUser": "yes"})["other-user"]


def test_a_daemon_that_answers_and_one_that_only_holds_the_outbox_both_run() -> None:
    answering = Presence("127.0.0.1:9110", answers="edged")
    assert answering.runs
    assert list(daemons(answering)) == ["daemon"]
    silent = Presence("", holds_state=True)
    assert silent.runs
    assert list(daemons(silent)) == ["daemon"]
    assert not Presence("127.0.0.1:9110", answers="other").runs


def test_the_edged_of_another_device_is_not_ours_and_has_our_port() -> None:
    theirs = Presence("127.0.0.1:9110", answers="neighbour", device="yard", free_port=40123)
    assert not theirs.runs
    told = daemons(theirs)
    assert set(told) == {"endpoint-taken", "no-daemon"}
    assert "edged of the device yard answers on 127.0.0.1:9110" in told["endpoint-taken"]


def test_what_a_daemon_complains_of_is_passed_on() -> None:
    unwell = Presence("127.0.0.1:9110", answers="edged", unwell=("the broker was not reached yet",))
    assert "the broker was not reached yet" in daemons(unwell)["daemon-unready"]
    (told,) = daemon_findings(unwell, own="edged@gate.service")
    assert told.remedy == "journalctl -u edged@gate.service -n 50"


def test_a_port_that_another_program_has_counts_more_where_it_was_named() -> None:
    taken = Presence("127.0.0.1:9110", answers="other", free_port=40123)
    assert 'listen = "127.0.0.1:40123"' in daemons(taken)["endpoint-taken"]
    named = Presence("127.0.0.1:9110", named=True, answers="other", free_port=40123)
    assert set(daemons(named)) == {"endpoint-stolen", "no-daemon"}
