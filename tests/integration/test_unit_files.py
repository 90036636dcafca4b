"""The units as systemd reads them: nothing wrong in them, and as closed as is promised."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from real_parts import unavailable

from edged import bundle
from edged.installation.unitfiles import DROP_INS, UNITS, drop_in_path, for_program

PROMISED, PROMISED_FOR_NETWORK_CAMERAS = 1.5, 1.1
TIGHT, *OPENING = DROP_INS
NEWER_THAN_252 = {"RestartSteps", "RestartMaxDelaySec"}


@pytest.fixture
def units(tmp_path):
    """Writes a unit and drop-ins of it, as an installation does; the unit."""
    if not shutil.which("systemd-analyze"):
        unavailable("systemd-analyze is missing: apt-get install systemd")

    def write(unit: str, *drop_ins: str, program: str = "/bin/true") -> Path:
        name = unit.replace("@", "@x")
        (tmp_path / name).write_text(for_program(bundle.service_file(unit), program))
        for drop_in in drop_ins:
            target = tmp_path / drop_in_path(name, drop_in)
            target.parent.mkdir(exist_ok=True)
            target.write_text(bundle.service_file(f"drop-ins/{drop_in}.conf"))
        return tmp_path / name

    return write


def exposure(unit: Path) -> float:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("drop_ins", [[], [TIGHT], OPENING], ids=["alone", "tight", "open"])
def test_systemd_finds_nothing_wrong_but_what_is_newer_than_itself(units, unit, drop_ins):
    command = ["systemd-analyze", "verify", "--man=no", units(unit, *drop_ins)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "edged" in line]
    unknown = [
        found[1] if (found := re.search(r"Unknown key(?: name)? '(\w+)'", line)) else line for line in ours
    ]
    assert set(unknown) <= NEWER_THAN_252, done.stderr
    assert done.returncode == 0


def test_a_program_in_an_odd_place_is_found_by_systemd(units, tmp_path):
    program = tmp_path / "a b" / "100%" / "edged"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    command = ["systemd-analyze", "verify", "--man=no", units("edged.service", program=str(program))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "not executable" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("drop_ins", "most"),
    [
        ([], PROMISED),
        ([TIGHT], PROMISED_FOR_NETWORK_CAMERAS),
        *(([name], PROMISED) for name in OPENING),
        (OPENING, PROMISED),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_no_more_is_open_than_is_promised(units, unit, drop_ins, most):
    assert exposure(units(unit, *drop_ins)) <= most
