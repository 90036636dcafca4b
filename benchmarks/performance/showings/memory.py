"""8: memory of all processes (proportional set size), beside a bare script with the same session and decoders."""

import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.performance import clips, edged_side
from benchmarks.performance.figures import Figure
from benchmarks.performance.live import watched
from benchmarks.performance.processes import SIDES, SideFailedError, environment, pss_bytes, python
from benchmarks.performance.setting import Setting

MORE = 4
"""Cameras that are added."""
MB = 1e6


def shown(setting: Setting) -> Iterator[Figure]:
    """One camera, then some more."""
    video = clips.full_hd(setting.walking, setting.folder / "full-hd-10.mp4", 10)
    rounds = min(3, setting.rounds)
    bare = {count: [_bare(setting, count, video) for _ in range(rounds)] for count in (1, 1 + MORE)}
    edged = {
        count: [_edged(setting, count, video, number) for number in range(rounds)] for count in (1, 1 + MORE)
    }
    alone, ours = statistics.median(bare[1]), statistics.median(edged[1])
    note = f"{ours / MB:.0f} of {alone / MB:.0f} MB"
    yield Figure(8, "one 1080p camera: PSS / the bare script", ours / alone, target=1.6, note=note)
    decoder = (statistics.median(bare[1 + MORE]) - alone) / MORE
    camera = (statistics.median(edged[1 + MORE]) - ours) / MORE
    note = f"{camera / MB:.1f} of {decoder / MB:.1f} MB"
    yield Figure(8, "a 1080p camera more: PSS / a decoder more", camera / decoder, target=1.5, note=note)


def _bare(setting: Setting, count: int, video: Path) -> int:
    command = python("memory.py", setting.model, setting.provider, count, video)
    with subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=SIDES,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if not process.stdout.readline():
            raise SideFailedError("memory.py says nothing")
        size = pss_bytes(process.pid)
        process.stdin.close()
        return size


def _edged(setting: Setting, count: int, video: Path, number: int) -> int:
    cameras = {f"c{camera}": {"url": str(video), "fps": 1} for camera in range(count)}
    config = edged_side.config(
        setting.folder / f"memory-{count}-{number}",
        setting.broker.port,
        setting.model,
        cameras,
        providers=[setting.provider],
    )
    return watched(
        setting.broker,
        config,
        cameras=set(cameras),
        settle_s=setting.seconds(5, 2),
        window_s=setting.seconds(5, 2),
    ).pss_bytes
