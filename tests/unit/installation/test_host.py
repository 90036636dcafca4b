"""What is asked of systemd's tools, and what becomes of their refusals; with stand-ins for the tools."""

import os
from pathlib import Path

import pytest

from edged.errors import Unreachable
from edged.installation.host import Host

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins that write down how they were called and end as they are told; what was written, and how to tell."""
    folder, told = tmp_path / "bin", tmp_path / "told"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def make(code: int = 0, says: str = "", prints: str = "") -> Path:
        for name in ("systemd-sysusers", "systemd-tmpfiles", "systemctl"):
            script = (
                f"#!/bin/sh\necho {name} \"$@\" >> {told}\necho '{says}' >&2\necho '{prints}'\nexit {code}\n"
            )
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        return told

    return make


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_user_and_folders_are_made_inside_the_image_by_the_files_that_were_put_there(tools, root):
    told = tools()
    assert Host(root).make_user_and_folders("/etc/sysusers.d/edged.conf", "/etc/tmpfiles.d/edged.conf")
    assert told.read_text().splitlines() == [
        f"systemd-sysusers --root={root} {root}/etc/sysusers.d/edged.conf",
        f"systemd-tmpfiles --create --root={root} {root}/etc/tmpfiles.d/edged.conf",
    ]


def test_who_is_not_root_leaves_them_to_the_boot(tools, root, monkeypatch):
    told = tools()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not Host(root).make_user_and_folders("/a", "/b")
    assert not told.exists()


def test_a_tool_that_fails_is_named_with_its_last_word(tools, root):
    tools(code=1, says="Failed to open: Read-only file system")
    with pytest.raises(
        Unreachable, match=r"^systemd-sysusers .*: failed: Failed to open: Read-only file system; "
    ):
        Host(root).make_user_and_folders("/a", "/b")


def test_an_image_has_no_systemd_that_could_be_asked(tools, root):
    told = tools()
    assert Host(root).systemctl("daemon-reload") == ""
    assert Host(root).units() == []
    assert not told.exists()


def test_units_are_those_that_systemd_names(tools, root):
    told = tools(
        prints="edged@b.service loaded active running edged\nedged.service loaded failed failed edged"
    )
    host = Host(root)
    host.runs_systemd = True
    assert host.units() == ["edged.service", "edged@b.service"]
    host.units("active")
    assert told.read_text().splitlines() == [
        "systemctl list-units --all --plain --no-legend edged.service edged@*.service",
        "systemctl list-units --state=active --plain --no-legend edged.service edged@*.service",
    ]


def test_a_unit_whose_file_is_gone_counts_while_it_runs_and_no_longer(tools, root):
    tools(prints="edged.service not-found inactive dead x\nedged@b.service not-found active running x")
    host = Host(root)
    host.runs_systemd = True
    assert host.units() == ["edged@b.service"]
