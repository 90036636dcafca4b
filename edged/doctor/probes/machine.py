"""Looks at the machine, its clock, its decoders, its devices."""

import contextlib
import ctypes
import glob
import os
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import edged
from edged import machine
from edged.doctor.deadline import Deadline
from edged.doctor.devices import DeviceFacts
from edged.doctor.machine import DecoderFacts, MachineFacts
from edged.doctor.needs import DeviceNeed
from edged.doctor.probes.child import NoAnswerError, NotAskedError, ask
from edged.doctor.probes.users import group_name, is_member, joined_groups

TIMEX_BYTES = 512
"""More than ``struct timex`` of any Linux."""
TIME_ERROR = 5
DECODERS_S = 15.0


def facts() -> MachineFacts:
    """Of this machine."""
    return MachineFacts(
        processor=machine.cpu_name(),
        cores=machine.cores(),
        memory_bytes=machine.memory_bytes(),
        free_bytes=machine.available_bytes(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
        now_s=time.time(),
        installed_s=_installed_s(),
        synchronised=_synchronised(),
    )


def decoder_facts(deadline: Deadline) -> DecoderFacts:
    """Of the hardware decoders."""
    try:
        told = ask("edged.doctor.probes.hardware", None, timeout_s=max(0.1, deadline.left_s(DECODERS_S)))
    except NotAskedError as error:
        return DecoderFacts(ended=str(error), late=True)
    except NoAnswerError as error:
        return DecoderFacts(ended=str(error))
    return DecoderFacts(dict(told))


def device_facts(needs: Iterable[DeviceNeed]) -> list[DeviceFacts]:
    """Of each device that is needed."""
    return [_device(need) for need in needs]


def _device(need: DeviceNeed) -> DeviceFacts:
    # The name of an IIO device has no wildcard in it, and a path of a person's may.
    found = sorted(glob.glob(need.pattern)) or [path for path in [need.pattern] if os.path.exists(path)]  # noqa: PTH110, PTH207
    if not found:
        return DeviceFacts(need)
    usable = [path for path in found if os.access(path, os.R_OK | os.W_OK)]
    path = (usable or found)[0]
    group_id = Path(path).stat().st_gid
    group = group_name(group_id)
    return DeviceFacts(
        need, path, bool(usable), group, joined=group_id in joined_groups(), member=is_member(group)
    )


def _installed_s() -> float:
    """When this package was written to this disk."""
    with contextlib.suppress(OSError):
        return Path(edged.__file__).stat().st_mtime
    return 0.0


def _synchronised() -> bool | None:
    """Whether the kernel takes the clock to be right, as NTP clients tell it; None where it does not say."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError, AttributeError):
        asked_for_nothing = ctypes.create_string_buffer(TIMEX_BYTES)
        state = ctypes.CDLL(None).adjtimex(asked_for_nothing)
        return None if state < 0 else bool(state != TIME_ERROR)
    return None
