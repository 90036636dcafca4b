"""What goes wrong in a soak: each function does it, undoes what does not heal by itself, and says what it was."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

from operators import Operator

from soak.box import Box, Rtsp

Fault = Callable[[Box, random.Random, float], str]
"""Takes the box, the dice, and how many seconds it may last at most."""

BAD_ROWS = 200
OWN_NETWORK = "EDGED_SOAK_OWN_NETWORK"  # set where the loopback is nobody else's


def worker_killed(box: Box, rolls: random.Random, _longest_s: float) -> str:
    return _signal_worker(box, rolls, signal.SIGKILL)


def worker_crashed(box: Box, rolls: random.Random, _longest_s: float) -> str:
    return _signal_worker(box, rolls, signal.SIGSEGV)


def worker_frozen(box: Box, rolls: random.Random, _longest_s: float) -> str:
    return _signal_worker(box, rolls, signal.SIGSTOP)


def _signal_worker(box: Box, rolls: random.Random, number: signal.Signals) -> str:
    workers = sorted(box.daemon.workers())
    if not workers:
        return "no worker was there"
    pid = rolls.choice(workers)
    with contextlib.suppress(ProcessLookupError):  # it may end just now, after a swap
        os.kill(pid, number)
    return f"process {pid}"


def broker_away(box: Box, rolls: random.Random, longest_s: float) -> str:
    box.broker.stop()
    try:
        return _wait(rolls, longest_s)
    finally:
        box.broker.start()


def broker_frozen(box: Box, rolls: random.Random, longest_s: float) -> str:
    """It answers nothing and then ends, with what it had taken."""
    box.broker.pause()
    try:
        return _wait(rolls, longest_s)
    finally:
        box.broker.stop()
        box.broker.start()


def camera_server_restarted(box: Box, rolls: random.Random, longest_s: float) -> str:
    rtsp = _rtsp(box)
    rtsp.kill()
    try:
        return _wait(rolls, longest_s)
    finally:
        rtsp.start()


def camera_stalled(box: Box, rolls: random.Random, longest_s: float) -> str:
    proxy = _rtsp(box).proxy
    proxy.stall()
    try:
        return _wait(rolls, longest_s)
    finally:
        proxy.heal()


def camera_corrupted(box: Box, rolls: random.Random, longest_s: float) -> str:
    proxy = _rtsp(box).proxy
    proxy.corrupt()
    try:
        return _wait(rolls, longest_s)
    finally:
        proxy.heal()


def camera_cut(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    _rtsp(box).proxy.cut()
    return "connections reset"


def _rtsp(box: Box) -> Rtsp:
    assert box.rtsp is not None
    return box.rtsp


def good_version(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    box.put_good()
    return f"version {box.versions}"


def bad_version(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    what = box.put_bad()
    return f"version {box.versions}, {what}"


def good_reload(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    box.change_rate()
    return _reload(box, ok=True)


def bad_reload(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    box.config.write_text(box.config.read_text() + '\n[cameras.left2]\nurl = ["not an address"\n')
    try:
        return _reload(box, ok=False)
    finally:
        box.write_config()


def _reload(box: Box, *, ok: bool) -> str:
    """By command: a signal is answered in the log only, which says the same thing five times a minute."""
    with Operator(box.broker) as operator:
        answer = operator.ask("reload")
    assert answer["ok"] is ok, answer
    return "taken" if ok else "refused"


def bad_rows(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    for _ in range(BAD_ROWS):
        box.bad_row()
    return f"{BAD_ROWS} rows"


def disk_full(box: Box, rolls: random.Random, longest_s: float) -> str:
    """While the broker is away, so that results have to be kept somewhere."""
    assert box.disk is not None
    box.broker.stop()
    filler = box.disk / "filler"
    try:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(65536))
        return _wait(rolls, longest_s)
    finally:
        filler.unlink(missing_ok=True)
        box.broker.start()


def network_gone(box: Box, rolls: random.Random, longest_s: float) -> str:
    """Packets vanish, connections stay: of the broker, of the RTSP camera, of the subscriber."""
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    try:
        return _wait(rolls, longest_s)
    finally:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def daemon_frozen(box: Box, rolls: random.Random, longest_s: float) -> str:
    box.daemon.send(signal.SIGSTOP)
    try:
        return _wait(rolls, longest_s)
    finally:
        box.daemon.send(signal.SIGCONT)


def _wait(rolls: random.Random, longest_s: float) -> str:
    lasts_s = rolls.uniform(min(1.0, longest_s), longest_s)
    time.sleep(lasts_s)
    return f"{lasts_s:.1f} s"


def possible(box: Box) -> dict[str, Fault]:
    """Those that this machine allows, by name."""
    faults: list[Fault] = [
        worker_killed,
        worker_crashed,
        worker_frozen,
        broker_away,
        broker_frozen,
        good_version,
        bad_version,
        good_reload,
        bad_reload,
        bad_rows,
        daemon_frozen,
    ]
    if os.environ.get(OWN_NETWORK):
        faults.append(network_gone)
    if box.disk is not None:
        faults.append(disk_full)
    if box.rtsp is not None:
        faults += [camera_server_restarted, camera_stalled, camera_corrupted, camera_cut]
    return {fault.__name__: fault for fault in faults}
