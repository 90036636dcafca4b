"""The systemd units, the daemon that may be running, and the local endpoint. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.service.state import SYSTEM, USUAL_CONFIG

UNIT, INSTANCES = "edged.service", "edged@*.service"


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a daemon of this configuration runs on this machine.

    Attributes:
        listen: As ``http.listen``; empty = no local endpoint.
        named: Whether the configuration names it, rather than leaving it at its default.
        answers: Who answers there: ``edged``, ``neighbour`` (the edged of another device), ``other``, or empty for
            nobody.
        device: Of the neighbour.
        unwell: Why edged says that it is not healthy or not ready.
        holds_state: Whether a process uses the outbox of this configuration.
        free_port: One that nobody listens on.
    """

    listen: str = ""
    named: bool = False
    answers: str = ""
    device: str = ""
    unwell: tuple[str, ...] = ()
    holds_state: bool = False
    free_port: int = 0

    @property
    def runs(self) -> bool:
        """Whether one does."""
        return self.answers == "edged" or self.holds_state


def unit_of(configuration: Path | None) -> str:
    """The unit that runs a configuration, if any does: ``edged@NAME.service`` for ``/etc/edged/NAME.toml``."""
    name = _instance(configuration)
    return f"edged@{name}.service" if name else UNIT


def state_of_instance(configuration: Path | None) -> Path | None:
    """The folder for the state of an ``edged@``; None for any other configuration."""
    name = _instance(configuration)
    return SYSTEM.with_name(f"{SYSTEM.name}@{name}") if name else None


def _instance(configuration: Path | None) -> str:
    path = (configuration or USUAL_CONFIG).absolute()
    beside = path.with_name(USUAL_CONFIG.name) == USUAL_CONFIG and path.suffix == USUAL_CONFIG.suffix
    return path.stem if beside and path != USUAL_CONFIG else ""


def _file(unit: str) -> Path:
    """The configuration of a unit."""
    name = unit.removeprefix("edged@").removesuffix(".service") if unit != UNIT else USUAL_CONFIG.stem
    return USUAL_CONFIG.with_name(f"{name}{USUAL_CONFIG.suffix}")


def unit_findings(
    units: Iterable[Mapping[str, str]], *, user: str, own: str = UNIT, needs_devices: bool = False
) -> Iterator[Finding]:
    """What systemd says of the units.

    Args:
        units: Properties of ``edged.service`` and of each ``edged@`` in memory; none where there is no systemd.
        user: Who asks.
        own: The unit of the configuration that is looked at.
        needs_devices: Whether that needs any device.
    """
    for unit in units:
        name = unit.get("Id", UNIT)
        if unit.get("LoadState") != "loaded":
            continue
        yield _standing(name, unit)
        if name == own:
            yield from _own_findings(name, unit, user=user, needs_devices=needs_devices)
        elif name != UNIT:
            yield kinds.OTHER_INSTANCE.found(name, f"{_file(name)} was not looked at", file=_file(name))


def _standing(name: str, unit: Mapping[str, str]) -> Finding:
    if unit.get("ActiveState") == "failed":
        seen = f"failed ({unit.get('Result', 'unknown')}, status {unit.get('ExecMainStatus', 'unknown')})"
        return kinds.SERVICE_FAILED.found(name, seen, unit=name)
    state = f"{unit.get('ActiveState', 'unknown')}, {unit.get('UnitFileState') or 'not enabled'}"
    return kinds.SERVICE.found(name, f"{state}, {unit.get('NRestarts', '0')} restarts")


def _own_findings(name: str, unit: Mapping[str, str], *, user: str, needs_devices: bool) -> Iterator[Finding]:
    if needs_devices and unit.get("PrivateDevices") == "yes":
        yield kinds.DEVICE_HIDDEN.found(name, "PrivateDevices=yes", unit=name)
    if unit.get("DynamicUser") == "yes":
        command = "sudo systemd-run --wait --pipe -p DynamicUser=yes -p User=edged -p StateDirectory=edged edged doctor"
        yield kinds.OTHER_USER.found(
            name, f"it runs as a user of its own (DynamicUser), this is {user}", do=command
        )
    elif (owner := unit.get("User") or "root") != user:
        asked = "" if name == UNIT else f" -c {_file(name)}"
        yield kinds.OTHER_USER.found(
            name, f"it runs as {owner}, this is {user}", do=f"sudo -u {owner} edged doctor{asked}"
        )


def daemon_findings(presence: Presence, *, own: str = UNIT) -> Iterator[Finding]:
    """Whether a daemon runs, and whether its port is to be had; `own` is as for `unit_findings`."""
    if presence.answers in {"other", "neighbour"}:
        who = f"edged of the device {presence.device}" if presence.device else "something that is not edged"
        seen = f"{who} answers on {presence.listen}"
        kind = kinds.ENDPOINT_STOLEN if presence.named else kinds.ENDPOINT_TAKEN
        yield kind.found("http.listen", seen, free=presence.free_port)
    if presence.unwell:
        yield kinds.DAEMON_UNREADY.found("daemon", "; ".join(presence.unwell), unit=own)
    elif presence.answers == "edged":
        yield kinds.DAEMON.found("daemon", f"answers on {presence.listen} and is ready")
    elif presence.holds_state:
        yield kinds.DAEMON.found("daemon", "a process uses the outbox of this configuration")
    else:
        where = f"nobody listens on {presence.listen}" if presence.listen and not presence.answers else "none"
        yield kinds.NO_DAEMON.found("daemon", where)
