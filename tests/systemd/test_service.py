"""edged as a service of a real systemd: installed, started, killed, made to hang, reloaded, refused, stopped, removed.

The tests of this file are one story on one machine, told in their order.
"""

import json
import re
import signal
import time

import pytest
from nspawn import CONFIGURATION, Machine, crowd, until

WRONG = CONFIGURATION.replace("fps = 5", "fps = -5")
FILE = "/etc/edged/edged.toml"
STICK = """
import ctypes, sys, time
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):  # one thread of it, the main one; the others go on
    if libc.ptrace(request, pid, 0, 0) == -1:
        sys.exit(f"ptrace: {ctypes.get_errno()}")
time.sleep(600)
"""
START_S, BACK_S = 60, 5
WATCHDOG_S = 45


def serves(machine: Machine, unit: str = "edged") -> bool:
    return machine.of(unit, "ActiveState") == "active"


def main_pid(machine: Machine, unit: str = "edged") -> int:
    return int(machine.of(unit, "MainPID") or 0)


def results(machine: Machine, topic: str = "edged/box/camera/belt/detections", count: int = 2) -> list[str]:
    return machine.done("mosquitto_sub", "-t", topic, "-C", count, "-W", int(20 * crowd())).splitlines()


def test_the_service_is_installed_once_and_not_started(machine: Machine) -> None:
    first = machine.done("edged", "install-service")
    assert first.count("written") == 5
    assert "made: the user edged, /etc/edged," in first
    second = machine.done("edged", "install-service")
    assert second.endswith("nothing to do: the service is installed as this edged installs it\n")
    assert not re.search(r"^(written|updated)", second, re.MULTILINE)
    assert machine.done(
        "stat", "-c", "%U:%G %a", "/etc/edged", FILE, "/etc/edged/credentials", "/var/lib/edged/models"
    ) == ("root:edged 750\nroot:edged 640\nroot:root 700\nedged:edged 750\n")
    assert machine.of("edged", "LoadState") == "loaded"
    assert not serves(machine)
    assert (
        machine.run("systemd-analyze", "verify", "--man=no", "edged.service", "edged@x.service").returncode
        == 0
    )


def test_without_any_camera_it_ends_with_78_and_says_what_to_do(machine: Machine) -> None:
    assert machine.run("systemctl", "start", "edged").returncode != 0
    assert machine.of("edged", "ExecMainStatus") == "78"
    assert "names no camera and no sensor; add a section" in machine.journal()


def test_it_starts_and_publishes(machine: Machine) -> None:
    machine.write(FILE, CONFIGURATION)
    machine.done("systemctl", "start", "edged", timeout=START_S)
    assert serves(machine)
    first, second = (json.loads(line) for line in results(machine))
    assert second["sequence"] > first["sequence"]
    assert first["detections"]
    assert until(lambda: "1/1 camera" in machine.of("edged", "StatusText"), 20), machine.of(
        "edged", "StatusText"
    )


def test_it_runs_as_a_user_of_its_own_without_any_right(machine: Machine) -> None:
    status = machine.done("cat", f"/proc/{main_pid(machine)}/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    uid = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
    assert uid
    assert uid[1] == machine.done("id", "-u", "edged").strip() != "0"


def test_openvino_compiles_in_the_sandbox(machine: Machine) -> None:
    if "openvino:CPU" not in machine.run("edged", "doctor").stdout:
        pytest.skip("the package has no OpenVINO, or it refuses this processor")
    machine.write(FILE, CONFIGURATION.replace('["cpu"]', '["openvino"]\nrequire_provider = true'))
    try:
        machine.done("systemctl", "restart", "edged", timeout=START_S)
        assert until(lambda: serves(machine), START_S), machine.journal()
        told = json.loads(results(machine)[-1])
        assert told["model"]["provider"] == "openvino:CPU"
        assert told["detections"]
    finally:
        machine.write(FILE, CONFIGURATION)
        machine.done("systemctl", "restart", "edged", timeout=START_S)
    assert until(lambda: serves(machine), START_S), machine.journal()


def test_killed_it_is_back_within_seconds(machine: Machine) -> None:
    before = main_pid(machine)
    machine.done("kill", "-9", before)
    began = time.monotonic()
    assert until(lambda: main_pid(machine) not in {0, before}, START_S, 0.05)
    process_s = time.monotonic() - began
    assert until(lambda: serves(machine), START_S, 0.05)
    serving_s = time.monotonic() - began
    print(f"a new process after {process_s:.1f} s, serving after {serving_s:.1f} s")
    assert serving_s < BACK_S * crowd()
    assert results(machine)


def test_a_good_file_is_taken_by_a_reload(machine: Machine) -> None:
    before, since = main_pid(machine), machine.cursor()
    machine.write(FILE, CONFIGURATION.replace("fps = 5", "fps = 2"))
    machine.done("systemctl", "reload", "edged")
    assert until(lambda: "reloaded" in machine.journal(since=since), 20), machine.journal(since=since)
    assert until(lambda: serves(machine), 20)
    assert main_pid(machine) == before


def test_a_wrong_file_fails_the_reload_and_what_ran_still_runs(machine: Machine) -> None:
    before = main_pid(machine)
    machine.write(FILE, WRONG)
    assert machine.run("systemctl", "reload", "edged").returncode != 0
    assert "fps" in machine.journal()
    assert until(lambda: serves(machine), 20)
    assert main_pid(machine) == before
    machine.done("kill", "-HUP", before)
    assert results(machine)
    assert (main_pid(machine), serves(machine)) == (before, True)


def test_started_with_a_wrong_file_it_ends_with_78_and_stays_down(machine: Machine) -> None:
    machine.write(FILE, WRONG)
    assert machine.run("systemctl", "restart", "edged").returncode != 0
    assert machine.of("edged", "ExecMainStatus") == "78"
    assert not until(lambda: machine.of("edged", "ActiveState") != "failed", 5)
    assert (machine.of("edged", "NRestarts"), machine.of("edged", "SubState")) == ("0", "failed")
    machine.write(FILE, CONFIGURATION)
    machine.done("systemctl", "start", "edged", timeout=START_S)


def test_one_that_hangs_is_ended_by_the_watchdog_and_comes_back(machine: Machine) -> None:
    before = main_pid(machine)
    machine.done("kill", f"-{signal.SIGSTOP.value}", before)
    began = time.monotonic()
    assert until(lambda: serves(machine) and main_pid(machine) not in {0, before}, WATCHDOG_S + 30, 0.5)
    took = time.monotonic() - began
    print(f"back after {took:.1f} s")
    assert took < WATCHDOG_S + BACK_S * (crowd() - 1)
    assert "Watchdog timeout" in machine.journal()
    assert results(machine)


def test_one_thread_that_is_stuck_is_named_and_the_watchdog_does_the_rest(machine: Machine) -> None:
    before, since = main_pid(machine), machine.cursor()
    machine.write("/srv/stick.py", STICK)
    machine.done("systemd-run", "--unit=stick", "/usr/bin/python3", "/srv/stick.py", before)
    try:
        assert until(lambda: "Watchdog timeout" in machine.journal(since=since), 120, 1), machine.journal(
            since=since
        )
    finally:
        machine.run("systemctl", "stop", "stick")
    assert re.search(r"hangs.*main", machine.journal(since=since)), machine.journal(since=since)
    assert until(lambda: serves(machine) and main_pid(machine) not in {0, before}, START_S, 0.5)
    assert "the run before did not end as it should" in machine.journal(since=since)
    assert results(machine)


def test_the_kernel_ends_its_workers_with_it(machine: Machine) -> None:
    group = machine.of("edged", "ControlGroup")
    pids = machine.done("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()
    gone = {"0"}  # one that the kernel has not buried yet
    assert len(set(pids) - gone) == 2, "the daemon and the process of its model"


def test_a_password_of_the_credential_store_reaches_it_and_nothing_else(machine: Machine) -> None:
    machine.write("/etc/credstore/edged.mqtt-password", "s3cret-of-the-store\n", 0o600)
    machine.write(
        FILE, CONFIGURATION + '[mqtt]\nurl = "mqtt://edge@localhost"\npassword_file = "mqtt-password"\n'
    )
    machine.done("systemctl", "restart", "edged", timeout=START_S)
    assert results(machine)
    assert "s3cret" not in machine.journal()
    assert "s3cret" not in machine.said("sh", "-c", f"tr '\\0' '\\n' < /proc/{main_pid(machine)}/environ")
    (machine.root / "etc/credstore/edged.mqtt-password").unlink()
    machine.write(FILE, CONFIGURATION)


def test_a_second_instance_has_its_own_configuration_and_state(machine: Machine) -> None:
    text = CONFIGURATION.replace('"box"', '"gate"') + '[http]\nlisten = "127.0.0.1:9111"\n'
    machine.write("/etc/edged/gate.toml", text)
    machine.done("systemctl", "start", "edged@gate", timeout=START_S)
    assert results(machine, "edged/gate/camera/belt/detections")
    assert serves(machine)
    assert (
        machine.done("stat", "-c", "%U %a", "/var/lib/edged@gate", "/var/lib/edged@gate/outbox")
        == "edged 750\nedged 700\n"
    )
    machine.done("systemctl", "stop", "edged@gate")


def test_stopped_it_says_goodbye_and_stays_down(machine: Machine) -> None:
    machine.done("systemctl", "restart", "edged", timeout=START_S)
    machine.done("systemctl", "stop", "edged")
    assert results(machine, "edged/box/status", 1) == ["stopped"]
    assert machine.of("edged", "Result") == "success"
    assert (machine.of("edged", "ActiveState"), machine.of("edged", "ExecMainStatus")) == ("inactive", "0")


def test_a_unit_that_was_changed_by_hand_is_left_alone(machine: Machine) -> None:
    unit = machine.root / "etc/systemd/system/edged.service"
    changed = unit.read_text().replace("WatchdogSec=20", "WatchdogSec=40")
    unit.write_text(changed)
    assert "kept       /etc/systemd/system/edged.service  (changed by hand" in machine.done(
        "edged", "install-service"
    )
    assert unit.read_text() == changed
    unit.write_text(changed.replace("WatchdogSec=40", "WatchdogSec=20"))
    assert "unchanged  /etc/systemd/system/edged.service" in machine.done("edged", "install-service")


def test_uninstalled_it_leaves_what_is_the_operators_until_that_is_purged(machine: Machine) -> None:
    machine.done("systemctl", "enable", "--now", "edged", timeout=START_S)
    said = machine.done("edged", "uninstall-service")
    assert "removed    /etc/systemd/system/edged.service" in said
    assert machine.of("edged", "LoadState") == "not-found"
    assert machine.run("pgrep", "-u", "edged").stdout == ""
    assert machine.done("ls", "/etc/edged").split() == ["credentials", "edged.toml", "gate.toml"]
    assert machine.run("test", "-d", "/var/lib/edged/models").returncode == 0
    machine.done("edged", "uninstall-service", "--purge")
    assert machine.said("sh", "-c", "ls -d /etc/edged /var/lib/edged* /var/cache/edged 2>/dev/null") == ""
