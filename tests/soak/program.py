"""A box under random faults, and whether its books balance afterwards.

    PYTHONPATH=tests:tests/e2e python -m soak [--seconds 600] [--every 10] [--longest 30] [--seed N] [--only FAULT ...]
                                                [--network]

A real daemon with a real mosquitto: two cameras of files and one of RTSP behind a proxy, 10 frames a second each, a
sensor of 40 rows a second, a model in a store. Every few seconds one fault, drawn without replacement until each had
its turn. After it everything must serve again within a minute. At the end cameras are switched off, and then:

* captured = skipped + delivered, delivered = inferred + dropped, for each camera;
* messages published = different ids at a subscriber + those told of on `gap`, and first arrivals are in order;
* rows read = rows written, rows rejected = bad rows written;
* threads and descriptors of the daemon are what they were; over half an hour and more, memory as well.

With `--network` all of it runs in a network namespace of its own, whose packets vanish now and then (`network_gone`).
The seed is printed; it repeats the faults, not their moments. Ends with 1 and a line for each thing that is wrong.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mosquitto_broker import until

from soak import account
from soak.account import Sample, total
from soak.box import Box
from soak.faults import OWN_NETWORK, possible

SERVES_WITHIN_S = 60.0
ARRIVED_WITHIN_S = 15.0
BUGS = ("Traceback", "a bug of edged", "hangs")  # `hangs` is said of threads, not of workers


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.network and OWN_NETWORK not in os.environ:
        return _in_a_network_of_its_own(arguments)
    rolls = random.Random(options.seed)
    print(f"seed {options.seed}: {options.seconds:.0f} s, a fault every {options.every:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Box(Path(folder), rolls) as box:
        wrong = _soak(box, rolls, options)
        if wrong:
            print("\n".join(box.daemon.log[-40:]))
    for line in wrong:
        print(f"WRONG: {line}")
    print("all of it adds up" if not wrong else f"{len(wrong)} things are wrong", flush=True)
    return 1 if wrong else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="A box under random faults.")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long faults go on (600)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds from one to the next (10)")
    parser.add_argument("--longest", type=float, default=30.0, help="seconds that a fault lasts at most (30)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="these alone")
    parser.add_argument(
        "--network", action="store_true", help="in a network of its own, which goes away, too"
    )
    return parser.parse_args(arguments)


def _in_a_network_of_its_own(arguments: Sequence[str]) -> int:
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n", "-m"]
    script = 'ip link set lo up && exec "$@"'
    again = ["sh", "-c", script, "sh", sys.executable, "-m", "soak", *arguments]
    return subprocess.run([*unshare, *again], env={**os.environ, OWN_NETWORK: "1"}).returncode


def _soak(box: Box, rolls: random.Random, options: argparse.Namespace) -> list[str]:
    wrong: list[str] = []
    for line in box.missing:
        print(f"left out: {line}")
    nothing = dict.fromkeys(box.cameras, 0.0)
    if not until(lambda: box.serves(nothing), SERVES_WITHIN_S):
        return ["it does not begin to serve"]
    box.settles(SERVES_WITHIN_S)
    faults = possible(box)
    if unknown := set(options.only) - set(faults):
        return [f"no such fault here: {', '.join(sorted(unknown))}; there are {', '.join(faults)}"]
    names = options.only or list(faults)
    slowest: dict[str, list[float]] = defaultdict(list)
    begin_s = time.monotonic()
    samples: list[Sample] = []
    bag: list[str] = []
    while (at_s := time.monotonic() - begin_s) < options.seconds:
        bag = bag or rolls.sample(names, len(names))
        name = bag.pop()
        samples.append(box.sample(at_s))
        what = faults[name](box, rolls, options.longest)
        over_s = time.monotonic()
        if box.daemon.process.poll() is not None:
            return [*wrong, f"the daemon ended with {box.daemon.process.returncode} at {name} ({what})"]
        before = box.inferred()
        if not until(lambda before=before: box.serves(before), SERVES_WITHIN_S):
            wrong.append(
                f"{name} ({what}) at {at_s:.0f} s: does not serve again within {SERVES_WITHIN_S:.0f} s"
            )
        slowest[name].append(time.monotonic() - over_s)
        print(f"{at_s:6.0f} s  {name} ({what}), serves after {slowest[name][-1]:.1f} s", flush=True)
        time.sleep(max(0.0, at_s + options.every - (time.monotonic() - begin_s)))
    if not box.settles(SERVES_WITHIN_S):
        wrong.append(f"more processes than models: {box.daemon.workers()}")
    samples.append(box.sample(time.monotonic() - begin_s))
    wrong += _books(box)
    wrong += account.leaks(samples)
    _show(slowest, samples)
    if (code := box.daemon.end(10)) != 0:
        wrong.append(f"it ended with {code}")
    return wrong


def _books(box: Box) -> list[str]:
    """What does not add up once everything rests."""
    box.rest()
    until(lambda: not any(account.frames_astray(box.scrape(), camera) for camera in box.cameras), 15)
    series = box.scrape()
    wrong = [line for line in box.daemon.log if any(bug in line for bug in BUGS)]
    for camera in box.cameras:
        wrong += account.frames_astray(series, camera)
        published = total(series, "edged_camera_results_published_total", camera=camera)
        wrong += _arrivals(box, camera, f"edged/box/camera/{camera}/detections", published)
    published = total(series, "edged_sensor_results_published_total")
    wrong += _arrivals(box, "rows", "edged/box/sensor/rows/result", published)
    read, rejected = (total(series, f"edged_sensor_rows_{what}total") for what in ("", "rejected_"))
    if (read, rejected) != (box.rows, box.bad_rows):
        wrong.append(
            f"rows: {box.rows} written, {box.bad_rows} bad; {read:.0f} read, {rejected:.0f} rejected"
        )
    print(f"rows: {read:.0f} read, {rejected:.0f} of them rejected; dropped over all topics: {box.reasons()}")
    return wrong


def _arrivals(box: Box, source: str, topic: str, published: float) -> list[str]:
    """What is wrong with the messages that came of one source."""
    until(
        lambda: len({one["id"] for one in box.arrived(topic)}) + box.told()[topic] >= published,
        ARRIVED_WITHIN_S,
    )
    results = [(one["id"], bool(one.get("replayed"))) for one in box.arrived(topic)]
    told, ids = box.told()[topic], [one for one, _ in results]
    twice = len(ids) - len(set(ids))
    print(
        f"{source}: {published:.0f} published, {len(set(ids))} arrived, {twice} again, {told} told of as dropped"
    )
    return account.ids_astray(source, published, ids, told) + account.disorder(source, results)


def _show(slowest: dict[str, list[float]], samples: list[Sample]) -> None:
    print("fault, times, seconds until all serves again: the slowest")
    for name, times in sorted(slowest.items()):
        print(f"  {name:24} {len(times):4}  {max(times):5.1f}")
    first, last = samples[0], samples[-1]
    print(
        f"resident {first.resident_mb:.1f} MB at first, {last.resident_mb:.1f} MB at the end; once settled, after "
        f"{account.SETTLED_S:.0f} s, {account.slope(account.after_settling(samples))}; "
        f"threads {first.threads}, {last.threads}; descriptors {first.descriptors}, {last.descriptors}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
