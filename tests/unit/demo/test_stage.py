"""The configuration that the demo gives its daemon."""

import tomllib
from pathlib import Path

import pytest

from edged.demo.stage import Paths, _fifo, configuration
from edged.errors import CannotWrite
from edged.settings import Settings


def test_it_is_one_that_anybody_could_write(tmp_path: Path) -> None:
    paths = Paths(Path("/b/codes"), Path('/b/a "film".mp4'), Path("/b/bearings"))
    text = configuration("mqtt://127.0.0.1:1883", tmp_path / "motor.fifo", paths)
    settings = Settings(**tomllib.loads(text))
    assert settings.cameras["conveyor"].url == '/b/a "film".mp4'
    sensor = settings.sensors["motor"]
    assert (sensor.url, sensor.models) == (str(tmp_path / "motor.fifo"), ("bearing-vibration",))
    assert set(settings.models) == {"parcel-codes", "bearing-vibration"}
    assert sensor.raise_after > 1, "one window in eighteen of a sound bearing is called faulty"


def test_a_folder_without_fifos_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"motor\.fifo: cannot be made a FIFO"):
        _fifo(tmp_path / "none" / "motor.fifo")
