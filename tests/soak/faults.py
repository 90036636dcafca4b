"""What goes wrong in a soak. What happens at once is a function that says what it was; what lasts is a context."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from operators import Operator

from soak.box import Box, Rtsp
from soak.proxy import Proxy

Fault = Callable[[Box, random.Random, float], str]
"""Takes the box, the dice, and how many seconds it may last at most; says what it was."""
Lasting = Callable[[Box], AbstractContextManager[None]]
"""Goes wrong inside of it; what does not heal by itself is undone at its end."""

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


@contextmanager
def broker_away(box: Box) -> Iterator[None]:
    box.broker.stop()
    try:
        yield
    finally:
        box.broker.start()


@contextmanager
def broker_frozen(box: Box) -> Iterator[None]:
    """It answers nothing and then ends, with what it had taken."""
    box.broker.pause()
    try:
        yield
    finally:
        box.broker.stop()
        box.broker.start()


@contextmanager
def camera_server_restarted(box: Box) -> Iterator[None]:
    rtsp = _rtsp(box)
    rtsp.kill()
    try:
        yield
    finally:
        rtsp.start()


def camera_stalled(box: Box) -> AbstractContextManager[None]:
    return _spoiled(box, Proxy.stall)


def camera_corrupted(box: Box) -> AbstractContextManager[None]:
    return _spoiled(box, Proxy.corrupt)


@contextmanager
def _spoiled(box: Box, spoil: Callable[[Proxy], None]) -> Iterator[None]:
    proxy = _rtsp(box).proxy
    spoil(proxy)
    try:
        yield
    finally:
        proxy.heal()


def camera_cut(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    _rtsp(box).proxy.cut()
    return "connections reset"


def camera_of_another_size(box: Box, _rolls: random.Random, _longest_s: float) -> str:
    """The same address, and after a restart of its server pictures of another width and height."""
    rtsp = _rtsp(box)
    rtsp.kill()
    rtsp.clips.rotate()
    rtsp.start()
    return rtsp.clips[0].name


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


@contextmanager
def disk_full(box: Box) -> Iterator[None]:
    """While the broker is away, so that results have to be kept somewhere."""
    assert box.disk is not None
    filler = box.disk / "filler"
    with broker_away(box):
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
                while True:
                    out.write(bytes(65536))
            yield
        finally:
            filler.unlink(missing_ok=True)


@contextmanager
def network_gone(_box: Box) -> Iterator[None]:
    """Packets vanish, connections stay: of the broker, of the RTSP camera, of the subscriber."""
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def daemon_frozen(box: Box) -> Iterator[None]:
    box.daemon.send(signal.SIGSTOP)
    try:
        yield
    finally:
        box.daemon.send(signal.SIGCONT)


def lasting(box: Box) -> dict[str, Lasting]:
    """Those that this machine allows, by name."""
    faults: list[Lasting] = [broker_away, broker_frozen, daemon_frozen]
    if os.environ.get(OWN_NETWORK):
        faults.append(network_gone)
    if box.disk is not None:
        faults.append(disk_full)
    if box.rtsp is not None:
        faults += [camera_server_restarted, camera_stalled, camera_corrupted]
    return {fault.__name__: fault for fault in faults}


def possible(box: Box) -> dict[str, Fault]:
    """All that this machine allows, by name."""
    at_once: list[Fault] = [
        worker_killed,
        worker_crashed,
        worker_frozen,
        good_version,
        bad_version,
        good_reload,
        bad_reload,
        bad_rows,
    ]
    if box.rtsp is not None:
        at_once += [camera_cut, camera_of_another_size]
    found = {fault.__name__: fault for fault in at_once}
    return found | {name: _for_a_while(fault) for name, fault in lasting(box).items()}


def _for_a_while(fault: Lasting) -> Fault:
    def happens(box: Box, rolls: random.Random, longest_s: float) -> str:
        lasts_s = rolls.uniform(min(1.0, longest_s), longest_s)
        with fault(box):
            time.sleep(lasts_s)
        return f"{lasts_s:.1f} s"

    return happens
