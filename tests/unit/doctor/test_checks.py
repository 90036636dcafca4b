"""What is looked at, for which configuration; no probe is asked."""

from pathlib import Path

import pytest

from edged.doctor import checks as module
from edged.doctor.checks import checks, read
from edged.doctor.service import Presence


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edged.settings.CONFIG_LOCATIONS", ())
    monkeypatch.delenv("EDGED_CONFIG", raising=False)
    monkeypatch.setattr(module.service_probe, "presence", lambda *_, **__: Presence())


def test_without_a_configuration_nothing_of_one_is_looked_at() -> None:
    loaded, problem = read(None)
    assert (loaded, problem) == (None, None)
    looked = [check.subject for check in checks(loaded, problem)]
    assert looked == ["configuration", "machine", "ONNX Runtime", "decoders", "devices", "service"]


def test_every_camera_sensor_and_model_that_is_used_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(
        '[cameras.a]\nurl = "a.mp4"\nmodels = ["m"]\n[sensors.s]\nurl = "http:"\nmodels = ["n"]\n[models.unused]\n'
    )
    loaded, problem = read(path)
    assert problem is None
    looked = [check.subject for check in checks(loaded, problem)]
    assert looked[5:] == [
        "service",
        "daemon",
        "broker",
        "cameras.a",
        "sensors.s",
        "store",
        "models.m",
        "models.n",
    ]


def test_a_wrong_configuration_is_told_and_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    path.write_text('[sensors.s]\nurl = "serial:"\nmodels = ["n"]\n')
    loaded, problem = read(path)
    assert loaded is None
    assert problem is not None
    assert [check.subject for check in checks(loaded, problem)][:2] == ["configuration", "machine"]
    missing = read(tmp_path / "none.toml")[1]
    assert missing is not None
    assert "no such file" in missing.problem


@pytest.mark.parametrize(
    ("asked", "runs", "said"),
    [
        (None, False, ""),
        (None, True, "a daemon serves it"),
        (True, True, ""),
        (False, False, "--no-models"),
    ],
)
@pytest.mark.skipif("os.name != 'posix'", reason="models are loaded on POSIX alone")
def test_models_are_loaded_unless_a_daemon_serves_them(asked, runs: bool, said: str) -> None:
    why = module._why_not(asked, Presence(holds_state=runs))
    assert why.startswith(said)
    assert bool(why) == bool(said)
