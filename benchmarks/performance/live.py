"""The daemon left running for a while: what it uses and what it says in a window of time."""

import json
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.performance import edged_side
from benchmarks.performance.processes import START_S, Broker, SideFailedError, cpu_s, pss_bytes, started

PSS_EVERY_S = 0.5


@dataclass(slots=True)
class Window:
    """What happened in it.

    Attributes:
        seconds: It lasted.
        cpu_s: Processor time of all processes.
        ages_ms: Of each message, capture to publishing.
        messages: By camera.
        arrivals: By camera: seconds since the first message of any camera, and what was found.
        pss_bytes: The median over the window.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    ages_ms: list[float] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    arrivals: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    pss_bytes: int = 0


def watched(
    broker: Broker,
    config: Path,
    *,
    cameras: set[str],
    settle_s: float,
    window_s: float,
    patience_s: float = START_S,
) -> Window:
    """Run the daemon, wait for a message of each of some cameras, let it settle, and look at it for a while.

    Args:
        broker: That it publishes to.
        config: Of it.
        cameras: That must have spoken before the window begins.
        settle_s: Between that and the window.
        window_s: How long the window is.
        patience_s: How long the first messages may take.
    """
    window, inside, lock = Window(), threading.Event(), threading.Lock()
    heard_from: set[str] = set()
    all_spoke, began_s = threading.Event(), 0.0

    def heard(topic: str, payload: bytes) -> None:
        nonlocal began_s
        now_s, camera = time.monotonic(), topic.split("/")[3]
        began_s = began_s or now_s
        heard_from.add(camera)
        if cameras <= heard_from:
            all_spoke.set()
        message = json.loads(payload)
        with lock:
            window.arrivals[camera].append((now_s - began_s, len(message["detections"])))
            if inside.is_set():
                window.messages[camera] += 1
                window.ages_ms.append(message["timing_ms"]["age"])

    command = edged_side.command(config, once=False)
    with broker.hearing(edged_side.topic(), heard), started(command) as process:
        if not all_spoke.wait(patience_s):
            missing = ", ".join(sorted(cameras - heard_from)[:5])
            raise SideFailedError(f"no message of {missing} within {patience_s:.0f} s")
        time.sleep(settle_s)
        sizes, at_s, used_s = [], time.monotonic(), cpu_s(process.pid)
        inside.set()
        while (left_s := at_s + window_s - time.monotonic()) > 0:
            if process.poll() is not None:
                raise SideFailedError(f"the daemon ended with code {process.returncode}")
            time.sleep(min(left_s, PSS_EVERY_S if left_s > PSS_EVERY_S else left_s))
            if len(sizes) < 20:
                sizes.append(pss_bytes(process.pid))
        inside.clear()
        window.seconds, window.cpu_s = time.monotonic() - at_s, cpu_s(process.pid) - used_s
        window.pss_bytes = sorted(sizes)[len(sizes) // 2]
    sys.stdout.flush()
    return window
