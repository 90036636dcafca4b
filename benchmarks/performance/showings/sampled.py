"""3: a 1080p camera of which five frames a second are looked at, beside the user's loop that does the same."""

import statistics
from collections.abc import Iterator

from benchmarks.performance import clips, edged_side
from benchmarks.performance.figures import Figure, ratio
from benchmarks.performance.processes import python, rate_of
from benchmarks.performance.setting import Setting

FPS = 5
WARM, END = 10, 3


def shown(setting: Setting) -> Iterator[Figure]:
    """Processor time a second of video."""
    seconds = setting.seconds(30, 10)
    video = clips.full_hd(setting.walking, setting.folder / f"full-hd-{seconds:g}.mp4", seconds)
    looked = round(seconds * FPS)
    cpu: dict[str, list[float]] = {"edged": [], "loop": []}
    for number in range(setting.rounds):
        config = edged_side.config(
            setting.folder / f"sampled-{number}",
            setting.broker.port,
            setting.model,
            {"c": {"url": str(video), "fps": FPS}},
            providers=[setting.provider],
        )
        topic = "bench/sampled"
        loop = python(
            "loop.py", video, setting.model, setting.provider, setting.broker.port, topic, "--fps", FPS
        )
        for side, command, heard in (
            ("edged", edged_side.command(config, once=True), edged_side.topic("c")),
            ("loop", loop, topic),
        ):
            rate = rate_of(setting.broker, command, heard, first=WARM, last=looked - END)
            cpu[side].append(rate.cpu_ms * FPS)
    value, rounds = ratio(cpu["edged"], cpu["loop"])
    edged, loop_ms = (statistics.median(cpu[side]) for side in ("edged", "loop"))
    note = f"{setting.provider}: {edged:.0f} and {loop_ms:.0f} ms CPU a second of video"
    name = "1080p at 5 a second, CPU / the loop that a user writes"
    yield Figure(3, name, value, target=0.6, note=note, rounds=rounds)
