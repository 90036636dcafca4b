from pathlib import Path

from edged.doctor.configuration import ConfigurationFacts, findings, secret_files
from edged.errors import ConfigurationError
from edged.settings import load_settings


def test_without_a_configuration_it_says_what_the_first_one_needs() -> None:
    (found,) = findings(ConfigurationFacts(""))
    assert (found.kind, found.exit_code) == ("not-configured", 0)
    assert found.remedy.startswith("write /etc/edged/edged.toml with one camera (`url`, `models`)")


def test_a_wrong_configuration_is_one_finding_with_its_edit() -> None:
    error = ConfigurationError("edged.toml", "unknown key 'mqqt'", "did you mean 'mqtt'?")
    (found,) = findings(ConfigurationFacts("", error=error))
    assert (found.kind, found.seen, found.remedy) == ("misconfigured", error.problem, error.remedy)
    assert found.exit_code == 78


def test_keys_without_effect_and_files_that_others_read_are_warnings() -> None:
    facts = ConfigurationFacts(
        "/e/edged.toml",
        counts=("1 camera",),
        warnings=("/e/edged.toml: zones has no effect",),
        exposed=("/e/edged.toml",),
    )
    fine, key, file = findings(facts)
    assert (fine.kind, fine.seen) == ("configured", "1 camera")
    assert (key.kind, key.seen) == ("no-effect", "zones has no effect")
    assert file.kind == "secret-readable"
    assert "${credential:NAME}" in file.remedy
    assert "chmod o-rwx /e/edged.toml" in file.remedy


def test_files_that_hold_passwords_are_known(tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    camera = '[cameras.front]\nmodels = ["m"]\nurl = "rtsp://joe:{}@cam/1"\n'
    path.write_text(camera.format("hidden"))
    assert secret_files(load_settings(path)) == [path]
    path.write_text(camera.format("${credential:front}"))
    assert secret_files(load_settings(path)) == []
    path.write_text('[mqtt]\nurl = "mqtt://u@h"\npassword_file = "pw"\nkey_file = "/k.pem"\n')
    assert secret_files(load_settings(path)) == [tmp_path / "pw", Path("/k.pem")]
    path.write_text('[mqtt]\nurl = "mqtt://u:p@h"\n')
    assert secret_files(load_settings(path)) == [path]
