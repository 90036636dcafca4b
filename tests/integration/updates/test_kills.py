"""A process that is killed at any moment while it looks, fetches and unpacks.

``EDGED_TEST_UPDATE_KILLS`` says how often; the figure in docs/updates.md is of 50.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from http_server import Request
from signed_repository import MODEL, NOW_S

KILLS = int(os.environ.get("EDGED_TEST_UPDATE_KILLS", "6"))
LONGEST_S = 0.8
"""A try that is left alone takes somewhat less."""

# One process that has loaded everything, and that is forked for each try: a try begins at once.
TRIES = """
import os, sys
from pathlib import Path
import tuf.ngclient.updater
from edged.updates.client import UpdateClient
url, root, state, store, now_s = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if child:
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)
        continue
    client = UpdateClient(url, Path(root), state=Path(state), store=Path(store), max_rate_bytes_s=None,
                          stopping=lambda: False, clock=lambda: float(now_s))
    (offer,) = client.refresh()
    client.fetch(offer, {}, lambda count, of: None)
    os._exit(0)
"""


@pytest.fixture
def tries(box) -> Iterator["subprocess.Popen[str]"]:
    arguments = [box.url, str(box.root), str(box.state), str(box.store), str(NOW_S)]
    process = subprocess.Popen(
        [sys.executable, "-c", TRIES, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def slowly(request: Request, content: bytes) -> None:
    """Some 0.4 s for all of it, so that kills fall into it."""
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    request.head(
        206 if start else 200,
        Content_Length=str(len(content) - start),
        Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}",
    )
    while start < len(content):
        request.wfile.write(content[start : start + 12_500])
        start += 12_500
        time.sleep(0.01)


def test_kill_9_at_random_moments_costs_nothing_but_the_time(box, server, repository, tries):
    server.harm[repository.tar_of(2)] = slowly
    chance = random.Random(9)
    killed = 0
    for _ in range(KILLS):
        tries.stdin.write("go\n")
        tries.stdin.flush()
        child = int(tries.stdout.readline())
        time.sleep(chance.uniform(0.0, LONGEST_S))
        try:
            os.kill(child, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            pass
        assert tries.stdout.readline() == "ended\n"
        for staged in (box.store / ".updates").glob("parcels-2"):
            shutil.rmtree(staged)  # it was killed while it was unpacked, or after it was ready
        box.serves_on()
    assert killed >= KILLS // 2
    folder = box.take()
    assert (folder / "model.onnx").read_bytes() == MODEL
    assert box.floor(0) == box.floor(1) == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}
