from edged.doctor.service import Presence, daemon_findings, unit_findings

LOADED = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "2"}


def units(unit: dict[str, str], *, user: str = "root", needs_devices: bool = False) -> dict[str, str]:
    found = unit_findings(unit, user=user, needs_devices=needs_devices)
    return {one.kind: f"{one.seen} | {one.remedy}" for one in found}


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


def test_what_a_daemon_complains_of_is_passed_on() -> None:
    unwell = Presence("127.0.0.1:9110", answers="edged", unwell=("the broker was not reached yet",))
    assert "the broker was not reached yet" in daemons(unwell)["daemon-unready"]


def test_a_port_that_another_program_has_counts_more_where_it_was_named() -> None:
    taken = Presence("127.0.0.1:9110", answers="other", free_port=40123)
    assert 'listen = "127.0.0.1:40123"' in daemons(taken)["endpoint-taken"]
    named = Presence("127.0.0.1:9110", named=True, answers="other", free_port=40123)
    assert set(daemons(named)) == {"endpoint-stolen", "no-daemon"}
