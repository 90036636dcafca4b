"""What it costs that boxes ask: requests and bytes of a poll that finds nothing new, and of a hundred thousand boxes.

    python benchmarks/polling.py [--boxes 100000] [--interval 900] [--hours 2]

**A poll.** A repository with a model in twenty versions, served by `edged publish serve`; a client that is up to date
asks. Between them stands a proxy that counts every byte of both directions, headers too. Clients: python-tuf's own, and
edged's as the daemon uses it. Not counted: TCP and IP, and TLS, which adds what `--tls` bytes say for each connection.

**A fleet.** Each box asks as `edged.updates.schedule` says, with its chance. Requests a second over the last hour: mean
and 99th percentile of seconds, when the boxes were started over a day, and when all were started in the same minute (a
power cut). Writes ``benchmarks/results/polling.json``.
"""

import argparse
import json
import os
import platform
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tuf.ngclient import Updater

from edged.repository.serving import RepositoryServer
from edged.updates.client import UpdateClient
from edged.updates.schedule import first_s, next_s

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from repositories import Publisher  # noqa: E402  # a publisher for tests and measuring

VERSIONS = 20
POWER_CUT_S = 60.0


@dataclass
class Counted:
    """Bytes and connections that went through."""

    connections: int = 0
    up_bytes: int = 0
    down_bytes: int = 0


@contextmanager
def counting(port: int) -> Iterator[tuple[str, Counted]]:
    """A proxy before a port, and what it counts."""
    counted, listener = Counted(), socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, way: str) -> None:
        try:
            while piece := source.recv(65536):
                setattr(counted, way, getattr(counted, way) + len(piece))
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            counted.connections += 1
            server = socket.create_connection(("127.0.0.1", port))
            for source, sink, way in ((client, server, "up_bytes"), (server, client, "down_bytes")):
                threading.Thread(target=pump, args=(source, sink, way), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counted
    finally:
        listener.close()


def poll(name: str, ask: Callable[[], object], server: RepositoryServer, counted: Counted) -> dict[str, Any]:
    """One poll of a client that knows everything already."""
    ask()
    before, requests = (counted.connections, counted.up_bytes, counted.down_bytes), server.answered
    ask()
    after = (counted.connections, counted.up_bytes, counted.down_bytes)
    connections, up, down = (b - a for a, b in zip(before, after, strict=True))
    return {
        "client": name,
        "requests": server.answered - requests,
        "connections": connections,
        "up_bytes": up,
        "down_bytes": down,
    }


def polls(folder: Path) -> list[dict[str, Any]]:
    """Both clients' polls."""
    publisher = Publisher(folder / "updates")
    for head in range(VERSIONS):
        publisher.add(head=head)
    (folder / "root.json").write_bytes(publisher.root)
    for name in ("cache", "state", "store"):
        (folder / name).mkdir()
    with (
        RepositoryServer(publisher.folder, 0) as server,
        counting(server.server_address[1]) as (url, counted),
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        boxes = UpdateClient(
            url,
            folder / "root.json",
            state=folder / "state",
            store=folder / "store",
            max_rate_bytes_s=None,
            stopping=lambda: False,
        )

        def python_tuf() -> None:
            cache = str(folder / "cache")
            Updater(cache, f"{url}/metadata/", cache, f"{url}/targets/", bootstrap=publisher.root).refresh()

        found = [
            poll("python-tuf", python_tuf, server, counted),
            poll("edged", boxes.refresh, server, counted),
        ]
        server.shutdown()
    return found


def arrivals(boxes: int, interval_s: float, hours: float, started_within_s: float) -> dict[str, float]:
    """Polls a second of the last hour."""
    chance = np.random.default_rng(7)
    end_s = hours * 3600 + started_within_s
    counts = np.zeros(int(end_s) + 1, np.int64)
    first = np.array([first_s(interval_s, one, urgent=False) for one in chance.random(boxes)])
    at = chance.random(boxes) * started_within_s + first
    while (at < end_s).any():
        counts += np.bincount(at[at < end_s].astype(np.int64), minlength=len(counts))
        at = at + np.array([next_s(interval_s, one, failures=0) for one in chance.random(boxes)])
    last = counts[int(end_s) - 3600 : int(end_s)]
    return {"mean": float(last.mean()), "p99": float(np.percentile(last, 99)), "max": float(last.max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=int, default=100_000)
    parser.add_argument("--interval", type=float, default=900.0, help="seconds")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--tls", type=int, default=5000, help="bytes of a handshake, an assumption")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = polls(Path(folder))
    ours = found[-1]
    polls_an_hour = options.boxes * 3600 / options.interval
    fleet = {
        "boxes": options.boxes,
        "interval_s": options.interval,
        "polls_an_hour": polls_an_hour,
        "requests_an_hour": polls_an_hour * ours["requests"],
        "down_bytes_an_hour": polls_an_hour * ours["down_bytes"],
        "up_bytes_an_hour": polls_an_hour * ours["up_bytes"],
        "tls_bytes_an_hour_assumed": polls_an_hour * ours["connections"] * options.tls,
        "polls_a_second": {
            "started_over_a_day": arrivals(options.boxes, options.interval, options.hours, 86400.0),
            "started_within_a_minute": arrivals(options.boxes, options.interval, options.hours, POWER_CUT_S),
        },
    }
    document = {
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "polls": found,
        "fleet": fleet,
    }
    text = json.dumps(document, indent=1)
    print(text)
    (ROOT / "benchmarks" / "results" / "polling.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
