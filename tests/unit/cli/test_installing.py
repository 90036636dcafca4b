"""``edged install-service`` and ``uninstall-service``, into a folder that stands for a machine."""

import os
import re
import sys
from pathlib import Path

import pytest
from commands import failed

from edged.installation import checks, host
from edged.installation.stamp import is_as_written, stamped

UNIT = "etc/systemd/system/edged.service"
FILES = {
    UNIT,
    "etc/systemd/system/edged@.service",
    "etc/sysusers.d/edged.conf",
    "etc/tmpfiles.d/edged.conf",
    "etc/edged/edged.toml",
}


@pytest.fixture(autouse=True)
def no_tools(monkeypatch):
    """No tool of systemd, and never this machine: what is done is done by us, in the folder."""
    monkeypatch.setattr(host.shutil, "which", lambda _: None)
    monkeypatch.setattr(checks, "this_program", lambda: Path("/srv/box/bin/edged"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def files(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, mode and time of every file."""
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_it_writes_units_user_folders_and_a_configuration(edged, root):
    done = edged("install-service", "--root", root)
    assert (done.returncode, done.stderr) == (0, "")
    there = files(root)
    assert set(there) == FILES
    assert {name: mode for name, (_, mode, _) in there.items()} == {
        name: 0o640 if name.endswith(".toml") else 0o644 for name in FILES
    }
    text = there[UNIT][0].decode()
    assert "\nExecStart=/srv/box/bin/edged run -c /etc/edged/edged.toml\n" in text
    assert is_as_written(text)
    lines = done.stdout.splitlines()
    assert f"written    /{UNIT}" in lines
    assert lines[0] == f"note: {root} has no /srv/box/bin/edged yet; the service starts it"
    assert any(line.startswith("made at the next boot: the user edged, /etc/edged, ") for line in lines)
    assert lines[-2] == "next: edit /etc/edged/edged.toml"


def test_a_second_run_changes_nothing_and_says_so(edged, root):
    edged("install-service", "--root", root)
    for folder in ("etc/edged/credentials", "var/lib/edged/models", "var/cache/edged"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("edged:x:996:996::/:/usr/sbin/nologin\n")
    before = files(root)
    done = edged("install-service", "--root", root)
    assert done.stdout.endswith("nothing to do: the service is installed as this edged installs it\n")
    assert done.stdout.count("unchanged") == len(FILES)
    assert files(root) == before


def test_a_dry_run_says_the_same_and_writes_nothing(edged, root):
    done = edged("install-service", "--root", root, "--dry-run", "--with", "serial")
    assert done.returncode == 0
    assert done.stdout.count("would be written") == len(FILES) + 2
    assert "would be made: the user edged, /etc/edged," in done.stdout
    assert not list(root.iterdir())
    edged("install-service", "--root", root)
    before = files(root)
    done = edged("uninstall-service", "--root", root, "--dry-run", "--purge")
    assert f"would be removed   /{UNIT}" in done.stdout
    assert files(root) == before


def test_what_a_person_changed_is_kept_and_what_nobody_changed_is_renewed(edged, root):
    edged("install-service", "--root", root, "--with", "usb-cameras")
    (root / UNIT).write_text(stamped("[Service]\n# of an older edged\n"))
    other = root / "etc/systemd/system/edged@.service"
    other.write_text(re.sub(r"WatchdogSec=\d+", "WatchdogSec=60", other.read_text()))
    drop_in = root / "etc/systemd/system/edged.service.d/10-usb-cameras.conf"
    drop_in.write_text(stamped("[Service]\n"))
    configuration = root / "etc/edged/edged.toml"
    configuration.write_text('device = "mine"\n')
    done = edged("install-service", "--root", root)
    assert f"updated    /{UNIT}" in done.stdout
    assert (
        "kept       /etc/systemd/system/edged@.service  (changed by hand; `systemctl edit edged`"
        in done.stdout
    )
    assert "kept       /etc/edged/edged.toml  (it is yours)" in done.stdout
    assert "WatchdogSec=60" in other.read_text()
    assert "DeviceAllow=char-video4linux rw" in drop_in.read_text()
    assert configuration.read_text() == 'device = "mine"\n'


def test_a_drop_in_is_written_for_both_units_once_it_is_asked_for(edged, root):
    edged("install-service", "--root", root)
    done = edged("install-service", "--root", root, "--with", "serial", "--with", "usb-cameras")
    assert done.stdout.count("written ") == 4
    for unit in ("edged.service.d", "edged@.service.d"):
        assert {path.name for path in (root / "etc/systemd/system" / unit).iterdir()} == {
            "10-serial.conf",
            "10-usb-cameras.conf",
        }


def test_where_a_package_brought_the_units_only_drop_ins_are_written(edged, root):
    packaged = root / "usr/lib/systemd/system/edged.service"
    packaged.parent.mkdir(parents=True)
    packaged.write_text("[Service]\n")
    done = edged("install-service", "--root", root, "--with", "intel-gpu")
    assert (
        "kept       /usr/lib/systemd/system/edged.service  (edged.service of the package serves)"
        in done.stdout
    )
    assert set(files(root)) == {
        "usr/lib/systemd/system/edged.service",
        "etc/systemd/system/edged.service.d/10-intel-gpu.conf",
        "etc/systemd/system/edged@.service.d/10-intel-gpu.conf",
    }
    done = edged("uninstall-service", "--root", root, "--purge")
    assert done.stdout.endswith("came with the package: apt-get remove edged, or purge\n")
    assert set(files(root)) == {"usr/lib/systemd/system/edged.service"}


def test_uninstalled_it_leaves_the_configuration_the_models_and_the_state(edged, root):
    edged("install-service", "--root", root, "--with", "serial")
    (root / "var/lib/edged/models").mkdir(parents=True)
    (root / "etc/systemd/system/edged.service.d/mine.conf").write_text("[Service]\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for name in ("edged.service", "edged@gate.service", "other.service"):
        (wants / name).symlink_to(f"/etc/systemd/system/{name}")
    done = edged("uninstall-service", "--root", root)
    assert done.returncode == 0
    assert set(files(root)) == {"etc/edged/edged.toml", "etc/systemd/system/edged.service.d/mine.conf"}
    assert not (root / "etc/systemd/system/edged@.service.d").exists()
    assert [link.name for link in wants.iterdir()] == ["other.service"], (
        "a boot would start what is not there"
    )
    assert (root / "var/lib/edged/models").is_dir()
    assert "left alone: /etc/edged, /var/lib/edged" in done.stdout
    again = edged("uninstall-service", "--root", root)
    assert again.returncode == 0
    assert "kept       /etc/edged/edged.toml" in again.stdout


def test_a_purge_takes_everything_but_what_lies_behind_a_link(edged, root, tmp_path):
    edged("install-service", "--root", root)
    (root / UNIT).write_text("by hand\n")
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "kept").touch()
    (root / "var/lib/edged@gate/outbox").mkdir(parents=True)
    (root / "var/lib/edged").symlink_to(disk)
    done = edged("uninstall-service", "--root", root, "--purge")
    assert done.returncode == 0
    assert files(root) == {}
    assert "removed: /etc/edged, /var/lib/edged@gate" in done.stdout
    assert (disk / "kept").exists()


def test_where_there_was_nothing_that_is_said(edged, root):
    done = edged("uninstall-service", "--root", root)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "nothing to do: the service is not installed",
    )


@pytest.mark.parametrize("command", ["install-service", "uninstall-service"])
def test_only_root_may_change_this_machine(edged, monkeypatch, command):
    monkeypatch.setattr(checks, "check_program", lambda *_: None)
    failed(edged(command), 77, r"the service: only root installs or removes it; sudo .*, or --dry-run")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--root", "nowhere"), 2, "--root: nowhere is not a folder"),
        (("--with", "usb"), 2, "--with: is 'usb'; allowed: network-cameras-only"),
        (("--with", "serial", "--with", "network-cameras-only"), 2, "hides what serial opens"),
    ],
)
def test_what_cannot_be_meant_is_one_line(edged, arguments, code, said):
    failed(edged("install-service", *arguments), code, said)


def test_a_system_without_systemd_is_told_what_else_there_is(edged, root, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    failed(edged("install-service", "--root", root), 69, "systemd: is not on this system; use `edged run`")


def test_an_edged_in_a_home_is_refused_for_an_image_too(edged, root, monkeypatch):
    monkeypatch.setattr(checks, "this_program", lambda: root / "home/me/bin/edged")
    failed(
        edged("install-service", "--root", root),
        2,
        "/home/me/bin/edged: the service runs nothing that is in /home",
    )
    monkeypatch.setattr(checks, "this_program", lambda: root / "opt/edged/bin/edged")
    assert edged("install-service", "--root", root).returncode == 0
    assert "ExecStart=/opt/edged/bin/edged run" in (root / UNIT).read_text()


def test_a_place_that_cannot_be_written_is_named(edged, root):
    (root / "etc").write_text("a file")
    done = edged("install-service", "--root", root)
    assert done.returncode == 74
    assert done.stderr.startswith(f"edged: {root}/{UNIT}: cannot be written (")
