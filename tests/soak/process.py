"""The daemon as its endpoint and the kernel tell of it."""

import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parsed

from soak.account import Sample


def scrape(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All series of its metrics.

    Raises:
        OSError: It does not answer.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in parsed(text)
        for one in family.samples
    }


def sample(pid: int, at_s: float) -> Sample:
    """Of one process."""
    folder = Path(f"/proc/{pid}")
    figures = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return Sample(
        at_s=at_s,
        resident_mb=int(figures["VmRSS"].split()[0]) * 1024 / 1e6,
        threads=int(figures["Threads"]),
        descriptors=len(list((folder / "fd").iterdir())),
    )
