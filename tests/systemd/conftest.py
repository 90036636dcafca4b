"""The package, and a machine that the service is installed in. `make systemd-test` runs these, as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nspawn
import pytest

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These boot machines and build packages: only where that is asked for."""
    if os.environ.get("EDGED_SYSTEMD_TESTS"):
        return
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="boots a machine: make systemd-test"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package, built now; ``EDGED_DEB`` names one that is there."""
    nspawn.require()
    if given := os.environ.get("EDGED_DEB"):
        return Path(given)
    target = tmp_path_factory.mktemp("package")
    command = [sys.executable, ROOT / "packaging" / "deb.py", "--target", target, "--compression", "none"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.deb"))


@pytest.fixture(scope="session")
def layer() -> Iterator[Callable[[], Path]]:
    """Makes root folders that may be written to."""
    nspawn.require()
    made: list[nspawn.Layer] = []
    home = Path(f"/var/tmp/edged-systemd-tests-{os.getpid()}")

    def make() -> Path:
        made.append(nspawn.Layer(home / str(len(made))))
        return made[-1].__enter__()

    yield make
    for one in made:
        one.__exit__()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(layer: Callable[[], Path], package: Path) -> Iterator[nspawn.Machine]:
    """A booted machine with edged in /opt/edged but no service of it; with a broker, a model and a video."""
    root = layer()
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files:
        subprocess.run(["tar", "-x", "-C", root, "./opt", "./usr/bin/edged"], stdin=files.stdout, check=True)
    nspawn.with_material(root)
    with nspawn.Machine(root) as booted:
        yield booted
