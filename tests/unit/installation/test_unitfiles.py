"""The bundled files with another program in them, and the configuration to fill in."""

import tomllib

import pytest

from edged import bundle
from edged.errors import UsageError
from edged.installation.unitfiles import (
    DROP_INS,
    UNITS,
    WRITTEN_FOR,
    check_names,
    commented,
    drop_in_path,
    for_program,
)
from edged.settings import check_settings


@pytest.mark.parametrize("unit", UNITS)
def test_every_command_of_a_unit_starts_the_program_that_was_installed(unit):
    text = bundle.service_file(unit)
    changed = for_program(text, "/srv/box/bin/edged")
    assert text.count(WRITTEN_FOR) == changed.count("/srv/box/bin/edged") == 2
    assert WRITTEN_FOR not in changed
    assert for_program(text, WRITTEN_FOR) == text


@pytest.mark.parametrize(
    ("program", "word"),
    [("/a b/edged", '"/a b/edged"'), ("/100%/edged", "/100%%/edged"), ("/ü/edged", '"/ü/edged"')],
)
def test_a_program_in_an_odd_place_is_one_word_to_systemd(program, word):
    assert for_program(f"ExecStart={WRITTEN_FOR} run\n", program) == f"ExecStart={word} run\n"


def test_the_configuration_to_fill_in_sets_nothing_and_shows_what_the_sample_shows():
    sample = bundle.sample_configuration()
    text = commented(sample)
    assert tomllib.loads(text) == {}
    assert text.endswith("\n")
    lines = text.splitlines()
    shown = [
        line.removeprefix("#") for line in lines if line.startswith("#") and line[1:2] not in {"", " ", "#"}
    ]
    assert check_settings(tomllib.loads("\n".join(shown)), name="shown").settings.cameras
    kept = [line for line in sample.partition("\n\n")[2].splitlines() if line and not line.startswith("#")]
    assert [f"#{line}" for line in kept] == [line for line in lines if line[1:] in kept]


def test_drop_ins_are_there_and_stand_beside_their_unit():
    assert drop_in_path("edged@.service", "serial") == "edged@.service.d/10-serial.conf"
    for name in DROP_INS:
        assert bundle.service_file(f"drop-ins/{name}.conf").count("[Service]\n") == 1


def test_every_drop_in_of_the_repository_can_be_asked_for():
    folder = bundle.PACKAGE.parent / "systemd" / "drop-ins"
    assert {path.stem for path in folder.iterdir()} == set(DROP_INS)


def test_what_does_not_exist_or_closes_what_another_opens_is_refused():
    check_names([])
    check_names(["serial", "intel-gpu"])
    with pytest.raises(UsageError, match="'usb'; allowed: network-cameras-only, usb-cameras"):
        check_names(["usb"])
    with pytest.raises(UsageError, match="network-cameras-only hides what serial opens"):
        check_names(["serial", "network-cameras-only"])


def test_both_units_differ_in_names_and_folders_only():
    one, many = (bundle.service_file(name).splitlines() for name in UNITS)
    instance = {line for line in many if not line.startswith("#")} - set(one)
    assert {line.partition("=")[0] for line in instance} == {
        *("Description", "Documentation", "ExecStart", "ExecReload", "StateDirectory"),
        *("ReadWritePaths", "WorkingDirectory", "Environment", "LoadCredential", "NoExecPaths"),
    }
    assert all("%i" in line for line in instance if not line.startswith("ReadWritePaths"))
