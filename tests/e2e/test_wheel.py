"""What is packed: the source archive makes a wheel by itself, and the wheel brings its models and its video."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from demos import Demo
from mosquitto_broker import until
from real_parts import unavailable

from edged import bundle

ROOT = Path(__file__).parents[2]
BUNDLED = "edged/bundled/"


def build(kind: str, source: Path, target: Path) -> Path:
    """One archive, made without touching the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    if find_spec("hatchling") is None:
        unavailable("hatchling is not installed (pip install 'edged[dev]')")
    if not (ROOT / "pyproject.toml").is_file():
        unavailable("edged runs from no checkout")
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", ROOT, folder)) as archive:
        archive.extractall(folder / "all", filter="data")
    return next((folder / "all").iterdir())


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made of the source archive, unpacked into a folder to import from."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build("wheel", unpacked, folder)) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def python(
    wheel: Path, folder: Path, *arguments: str, seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Python in a folder of its own, where edged is what the wheel holds."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_source_archive_has_the_tests_and_all_that_they_look_at(unpacked: Path) -> None:
    for part in ("tests/e2e/test_wheel.py", "docs/start.md", "configs", "systemd", "SECURITY.md", "Makefile"):
        assert (unpacked / part).exists(), part
    assert not list(unpacked.glob("**/__pycache__"))


def test_the_wheel_has_every_bundled_model_the_video_and_nothing_that_only_made_them(wheel: Path) -> None:
    files = [str(path.relative_to(wheel)) for path in wheel.glob(f"{BUNDLED}**/*") if path.is_file()]
    models = {name.split("/")[3] for name in files if name.startswith(f"{BUNDLED}models/")}
    assert models == set(bundle.model_names())
    assert f"{BUNDLED}demo/conveyor.mp4" in files
    strange = [name for name in files if name.endswith((".py", ".pt", ".md")) or "/train/" in name]
    assert strange == []


def test_what_is_installed_finds_its_own_bundle(wheel: Path, tmp_path: Path) -> None:
    program = (
        "import json; from edged import bundle; "
        "print(json.dumps([*(str(bundle.model(name)) for name in bundle.model_names()), str(bundle.demo_video())]))"
    )
    found = json.loads(python(wheel, tmp_path, "-c", program).stdout)
    assert len(found) > 2
    assert [path for path in found if not path.startswith(str(wheel / BUNDLED))] == []


def test_the_demo_of_an_installed_wheel_finds_what_is_in_its_video(wheel: Path, tmp_path: Path) -> None:
    if find_spec("amqtt") is None:
        unavailable("amqtt is not installed (pip install 'edged[demo]')")
    labels = (wheel / BUNDLED / "models/parcel-codes/1/labels.txt").read_text(encoding="utf-8").split()
    with Demo(wheel, tmp_path) as shown:
        assert until(lambda: any(f" {label}" in line for label in labels for line in shown.lines), 60), (
            shown.lines
        )
        shown.process.send_signal(signal.SIGINT)
        assert shown.ended() == 0
        assert shown.complaints == ""
