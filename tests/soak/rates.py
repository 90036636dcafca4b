"""What a fault costs the others: frames a second that are inferred before it and during it, side by side.

    PYTHONPATH=tests:tests/e2e python -m soak.rates [--seconds 60] [--only FAULT ...]

The box of `soak.program`. For each fault: so many seconds of calm, then as many of the fault, its beginning included.
The two cameras of files are looked at; `front` is the one that faults of a camera are of, and its clip ends now and
then. Ends with 1 where less goes on than was promised.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mosquitto_broker import until

from soak.box import Box
from soak.faults import lasting
from soak.program import SERVES_WITHIN_S

LOOKED_AT = ("left", "right")
PROMISED = {
    "broker_away": 0.98,
    "broker_frozen": 0.98,
    "disk_full": 0.98,
    "camera_stalled": 0.95,
    "camera_corrupted": 0.95,
    "camera_server_restarted": 0.95,
}
"""The share of its rate that each of them keeps."""
Rates = Mapping[str, float]


def kept(calm: Rates, during: Rates) -> dict[str, float]:
    """The share of its rate that each camera kept; 0 of one that did nothing before."""
    return {name: during[name] / rate if rate else 0.0 for name, rate in calm.items()}


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="soak.rates", description="What a fault costs the others.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of calm, and of each fault (60)")
    parser.add_argument("--only", nargs="+", default=list(PROMISED), choices=list(PROMISED), metavar="FAULT")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        Box(Path(folder), random.Random(1)) as box,
    ):
        for line in box.missing:
            print(f"left out: {line}")
        faults = lasting(box)
        assert until(lambda: box.serves(dict.fromkeys(box.cameras, 0.0)), SERVES_WITHIN_S), box.daemon.log
        box.settles(SERVES_WITHIN_S)
        short = [name for name in options.only if name in faults and not _holds(box, name, options.seconds)]
    print(f"less than promised: {', '.join(short)}" if short else "as promised", flush=True)
    return 1 if short else 0


def _holds(box: Box, name: str, seconds: float) -> bool:
    calm = _rates(box, seconds)
    begin_s, before = time.monotonic(), box.inferred()
    with lasting(box)[name](box):
        time.sleep(seconds)
        during = _between(before, box.inferred(), time.monotonic() - begin_s)
    over_s, before = time.monotonic(), box.inferred()
    again = until(lambda: box.serves(before), SERVES_WITHIN_S)
    shares = kept(calm, during)
    said = ", ".join(
        f"{camera} {calm[camera]:.2f} -> {during[camera]:.2f} ({shares[camera]:.1%})" for camera in shares
    )
    print(
        f"{name}, {seconds:.0f} s: {said}; all serves {time.monotonic() - over_s:.1f} s after it", flush=True
    )
    return again and min(shares.values()) >= PROMISED[name]


def _rates(box: Box, seconds: float) -> Rates:
    begin_s, before = time.monotonic(), box.inferred()
    time.sleep(seconds)
    return _between(before, box.inferred(), time.monotonic() - begin_s)


def _between(before: Rates, after: Rates, seconds: float) -> Rates:
    return {name: (after[name] - before[name]) / seconds for name in LOOKED_AT}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
