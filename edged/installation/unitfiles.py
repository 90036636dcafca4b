"""The files of the service, made from the bundled ones. No file is touched here."""

import re

from edged.errors import UsageError

WRITTEN_FOR = "/opt/edged/bin/edged"
"""The program that the bundled units name."""
UNITS = ("edged.service", "edged@.service")
DROP_INS = ("network-cameras-only", "usb-cameras", "intel-gpu", "nvidia-gpu", "serial", "iio")
_HEADING = """\
# The configuration of edged. Nothing is set yet: name a model and a camera or a sensor below, then
#
#   edged config check                    says whether it is right
#   systemctl enable --now edged          starts it, now and at each boot
#   systemctl reload edged                has a running edged read it again
#
# Every key: docs/configuration.md. Relative paths count from this file. Passwords: docs/service.md.

"""
_PLAIN = re.compile(r"[A-Za-z0-9_./+@:=,%-]+")


def for_program(unit: str, program: str) -> str:
    """A bundled unit that starts another edged than ``/opt/edged/bin/edged``.

    Args:
        unit: Its text.
        program: The absolute path of the command `edged`.
    """
    return unit.replace(WRITTEN_FOR, _word(program))


def commented(configuration: str) -> str:
    """A sample configuration of which nothing is in force, to be filled in.

    Args:
        configuration: The sample; what it sets is commented out, what is commented already stays.
    """
    _, _, keys = configuration.partition("\n\n")  # without what it says of itself
    lines = [line if not line or line.startswith("#") else f"#{line}" for line in keys.splitlines()]
    return _HEADING + "\n".join(lines) + "\n"


def drop_in_path(unit: str, name: str) -> str:
    """Where a drop-in of a unit stands, below the folder of units."""
    return f"{unit}.d/10-{name}.conf"


def check_names(wanted: list[str]) -> None:
    """See that drop-ins exist and go together.

    Raises:
        UsageError: There is none of such a name, or one closes what another opens.
    """
    for name in wanted:
        if name not in DROP_INS:
            raise UsageError("--with", f"is {name!r:.60}", f"allowed: {', '.join(DROP_INS)}")
    tight, *opening = DROP_INS
    if tight in wanted and (others := [name for name in wanted if name in opening]):
        raise UsageError("--with", f"{tight} hides what {others[0]} opens", "take one of the two")


def _word(path: str) -> str:
    """A path as one word of a command line in a unit, where ``%`` begins a replacement."""
    word = path.replace("%", "%%")
    return word if _PLAIN.fullmatch(word) else f'"{word}"'
