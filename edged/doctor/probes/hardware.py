"""Which hardware decoders open; answered in a process of its own, because drivers crash."""

from collections.abc import Mapping
from pathlib import Path

from edged.sources.hardware import ACCELERATORS, NAMED_DECODERS, FFmpegHardware, NoDecoder

PROBED_CODEC = "h264"
GRAPHICS = Path("/dev/dri")


def answer(_question: object, _early: bool) -> Mapping[str, str]:
    """For `edged.doctor.probes.child`: why each is not there; empty where it is."""
    hardware = FFmpegHardware()
    refused = {}
    for name in (*ACCELERATORS, *NAMED_DECODERS):
        refused[name] = ""
        try:
            _open(hardware, name)
        except NoDecoder as error:
            refused[name] = str(error)
    return refused


def _open(hardware: FFmpegHardware, name: str) -> None:
    if name in ACCELERATORS:
        hardware.accelerator(name)
    elif name == "qsv" and not GRAPHICS.exists():
        raise NoDecoder(f"no device {GRAPHICS}")  # it opens all the same, and fails at the first frame
    else:
        hardware.decoder(f"{PROBED_CODEC}_{name}", None)
