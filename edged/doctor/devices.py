"""Devices and groups: whether what is needed is there, and this user may use it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.doctor.needs import DeviceNeed


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What was seen of one that is needed.

    Attributes:
        need: Who needs it.
        path: Of the first that fits and may be used, else of the first that fits; empty where there is none.
        usable: Whether this user may read and write it.
        group: That it belongs to.
        joined: Whether this login is in that group.
        member: Whether the user is in it by the system's list of groups.
    """

    need: DeviceNeed
    path: str = ""
    usable: bool = False
    group: str = ""
    joined: bool = False
    member: bool = False


def findings(facts: Iterable[DeviceFacts], *, user: str) -> Iterator[Finding]:
    """One for each device that is needed.

    Args:
        facts: Of each.
        user: Who asks.
    """
    for one in facts:
        need = one.need
        if not one.path:
            yield kinds.DEVICE_MISSING.found(need.key, f"{need.pattern} is not there", do=need.missing)
        elif one.usable:
            yield kinds.DEVICE.found(need.key, f"{one.path} may be used by {user} (group {one.group})")
        elif one.member and not one.joined:
            seen = f"{one.path}: {user} is in the group {one.group}, but this login is not"
            yield kinds.DEVICE_STALE_LOGIN.found(need.key, seen)
        else:
            yield _refused(one, user)


def _refused(one: DeviceFacts, user: str) -> Finding:
    seen = f"{one.path} may not be used by {user}; it belongs to the group {one.group}"
    if one.joined or one.group == "root":
        name = one.path.rpartition("/")[2]
        rule = f'KERNEL=="{name}", GROUP="{one.need.group}", MODE="0660"'
        edit = f"add {rule} to /etc/udev/rules.d/99-edged.rules, then sudo udevadm trigger"
        return kinds.DEVICE_REFUSED.found(one.need.key, seen, instead=edit)
    return kinds.DEVICE_REFUSED.found(one.need.key, seen, group=one.group, user=user)
