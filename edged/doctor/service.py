"""The systemd unit, the daemon that may be running, and the local endpoint. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.findings import Finding

UNIT = "edged.service"


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a daemon of this configuration runs on this machine.

    Attributes:
        listen: As ``http.listen``; empty = no local endpoint.
        named: Whether the configuration names it, rather than leaving it at its default.
        answers: Who answers there: ``edged``, ``other``, or empty for nobody.
        unwell: Why edged says that it is not healthy or not ready.
        holds_state: Whether a process uses the outbox of this configuration.
        free_port: One that nobody listens on.
    """

    listen: str = ""
    named: bool = False
    answers: str = ""
    unwell: tuple[str, ...] = ()
    holds_state: bool = False
    free_port: int = 0

    @property
    def runs(self) -> bool:
        """Whether one does."""
        return self.answers == "edged" or self.holds_state


def unit_findings(unit: Mapping[str, str], *, user: str, needs_devices: bool = False) -> Iterator[Finding]:
    """What systemd says of the unit.

    Args:
        unit: Its properties; empty where there is no systemd, or no such unit.
        user: Who asks.
        needs_devices: Whether the configuration needs any device.
    """
    if unit.get("LoadState") != "loaded":
        return
    state = f"{unit.get('ActiveState', 'unknown')}, {unit.get('UnitFileState') or 'not enabled'}"
    if unit.get("ActiveState") == "failed":
        seen = f"failed ({unit.get('Result', 'unknown')}, status {unit.get('ExecMainStatus', 'unknown')})"
        yield kinds.SERVICE_FAILED.found(UNIT, seen, unit=UNIT)
    else:
        yield kinds.SERVICE.found(UNIT, f"{state}, {unit.get('NRestarts', '0')} restarts")
    if needs_devices and unit.get("PrivateDevices") == "yes":
        yield kinds.DEVICE_HIDDEN.found(UNIT, "PrivateDevices=yes", unit=UNIT)
    if unit.get("DynamicUser") == "yes":
        command = "sudo systemd-run --wait --pipe -p DynamicUser=yes -p User=edged -p StateDirectory=edged edged doctor"
        yield kinds.OTHER_USER.found(
            UNIT, f"it runs as a user of its own (DynamicUser), this is {user}", do=command
        )
    elif (owner := unit.get("User") or "root") != user:
        yield kinds.OTHER_USER.found(
            UNIT, f"it runs as {owner}, this is {user}", do=f"sudo -u {owner} edged doctor"
        )


def daemon_findings(presence: Presence) -> Iterator[Finding]:
    """Whether a daemon runs, and whether its port is to be had."""
    if presence.answers == "other":
        seen = f"something that is not edged answers on {presence.listen}"
        kind = kinds.ENDPOINT_STOLEN if presence.named else kinds.ENDPOINT_TAKEN
        yield kind.found("http.listen", seen, free=presence.free_port)
    if presence.unwell:
        yield kinds.DAEMON_UNREADY.found("daemon", "; ".join(presence.unwell))
    elif presence.answers == "edged":
        yield kinds.DAEMON.found("daemon", f"answers on {presence.listen} and is ready")
    elif presence.holds_state:
        yield kinds.DAEMON.found("daemon", "a process uses the outbox of this configuration")
    else:
        where = f"nobody listens on {presence.listen}" if presence.listen and not presence.answers else "none"
        yield kinds.NO_DAEMON.found("daemon", where)
