"""The Debian package: installed, upgraded, removed, purged; where nothing runs, and where systemd does."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from nspawn import CONFIGURATION, Machine, until, with_material

NEWER = "99.0"


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package with a higher version and another sample configuration."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "all"], check=True)
    control = folder / "all" / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {NEWER}", control.read_text(), flags=re.MULTILINE))
    with (folder / "all" / "etc" / "edged" / "edged.toml").open("a") as sample:
        sample.write("# one line more\n")
    target = folder / "edged.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "all", target], check=True
    )
    shutil.rmtree(folder / "all")
    return target


def in_root(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """A command below a root folder in which nothing runs, not even /proc."""
    return subprocess.run(["chroot", root, *command], capture_output=True, text=True, timeout=300)


def test_in_a_root_folder_where_nothing_runs_it_is_installed_upgraded_removed_and_purged(
    layer: Callable[[], Path], package: Path, newer: Path
) -> None:
    root = layer()
    for name, file in (("old", package), ("new", newer)):
        shutil.copy(file, root / f"{name}.deb")
    done = in_root(root, "dpkg", "--install", "/old.deb")
    assert done.returncode == 0, done.stderr
    assert in_root(root, "edged", "--version").stdout.startswith("edged ")
    assert {"video", "render", "dialout"} <= set(in_root(root, "id", "-nG", "edged").stdout.split())
    assert in_root(root, "stat", "-c", "%U:%G %a", "/etc/edged", "/etc/edged/edged.toml").stdout == (
        "root:edged 750\nroot:edged 640\n"
    )
    configuration = root / "etc/edged/edged.toml"
    assert not list(root.glob("etc/systemd/system/*.wants/edged*"))
    configuration.write_text(CONFIGURATION)
    done = in_root(root, "dpkg", "--install", "--force-confdef", "--force-confold", "/new.deb")
    assert done.returncode == 0, done.stderr
    assert configuration.read_text() == CONFIGURATION
    assert in_root(root, "dpkg", "--verify", "edged").stdout.replace(" c ", "").split()[1:] in (
        [],
        ["/etc/edged/edged.toml"],
    )
    done = in_root(root, "dpkg", "--remove", "edged")
    assert done.returncode == 0, done.stderr
    assert configuration.read_text() == CONFIGURATION
    assert not (root / "opt/edged").exists()
    done = in_root(root, "dpkg", "--purge", "edged")
    assert done.returncode == 0, done.stderr
    left = in_root(root, "find", "/etc", "/opt", "/usr", "/var", "-name", "*edged*").stdout
    assert left == ""


def test_where_systemd_runs_an_upgrade_brings_back_what_ran(
    layer: Callable[[], Path], package: Path, newer: Path
) -> None:
    root = layer()
    for name, file in (("old", package), ("new", newer)):
        shutil.copy(file, root / f"{name}.deb")
    with_material(root)
    with Machine(root) as machine:
        machine.done("dpkg", "--install", "/old.deb", timeout=300)
        assert machine.of("edged", "ActiveState") == "inactive"
        assert machine.of("edged", "UnitFileState") == "disabled"
        assert "of the package serves" in machine.done("edged", "install-service")
        machine.write("/etc/edged/edged.toml", CONFIGURATION)
        machine.done("systemctl", "enable", "--now", "edged", timeout=90)
        before = machine.of("edged", "MainPID")
        machine.done("dpkg", "--install", "--force-confold", "/new.deb", timeout=300)
        assert until(lambda: machine.of("edged", "ActiveState") == "active", 90)
        assert machine.of("edged", "MainPID") not in {"0", before}
        machine.done("dpkg", "--remove", "edged", timeout=300)
        assert machine.said("pgrep", "-u", "edged") == ""
        assert "models" in machine.done("ls", "/var/lib/edged").split()
        machine.done("dpkg", "--purge", "edged", timeout=300)
        assert machine.said("sh", "-c", "ls -d /etc/edged /var/lib/edged /var/cache/edged 2>/dev/null") == ""
        assert machine.of("edged", "LoadState") == "not-found"
