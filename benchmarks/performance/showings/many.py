"""5: from 1 to 64 cameras, looped files in real time, half of them idle."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.performance import clips, edged_side
from benchmarks.performance.figures import Figure, line_fit
from benchmarks.performance.live import Window, watched
from benchmarks.performance.setting import Setting

COUNTS, QUICK = (1, 2, 4, 8, 16, 32, 64), (1, 2, 4)
FPS, BUSY_FPS = 1, 5
"""Detections a second of a camera: few enough for 64 on two cores, and too many."""
MAX_AGE_S = 1.0
IDLE_SIZE, IDLE_RATE = (768, 432), 10


def shown(setting: Setting) -> Iterator[Figure]:
    """Processor time by cameras, and who is served when there is too much to do."""
    counts = QUICK if setting.quick else COUNTS
    used = []
    for count in counts:
        window = _run(setting, count, fps=FPS, name="many")
        used.append(window.cpu_s / window.seconds * 1000)
        name = f"{count} cameras at {FPS} a second: CPU a camera"
        yield Figure(5, name, used[-1] / count, "ms a second", note=_said(window, count))
    slope, intercept, fit = line_fit(counts, used)
    note = f"{slope:.2f} ms a second and camera + {intercept:.1f} ms, R² {fit:.4f}"
    yield Figure(5, "R² of the straight line through CPU by cameras", fit, "", note=note)
    # A camera more at the end must not cost more than a camera did on average.
    last = (used[-1] - used[-2]) / (counts[-1] - counts[-2]) / slope
    yield Figure(5, "a camera of the last doubling / a camera by the line", last, target=1.1)
    window = _run(setting, counts[-1], fps=BUSY_FPS, name="busy")
    served = [window.messages.get(f"c{number}", 0) for number in range(counts[-1])]
    moving = served[::2]  # those that are idle may be gated
    mean = sum(moving) / len(moving)
    share = min(moving) / mean if mean else None
    name = f"{counts[-1]} cameras at {BUSY_FPS} a second: least served / mean"
    yield Figure(5, name, share, target=0.8, at_least=True, note=_said(window, counts[-1]))
    ages = sorted(window.ages_ms)
    oldest = ages[int(0.99 * (len(ages) - 1))] if ages else None
    yield Figure(5, "p99 of a frame's age under overload", oldest, "ms", target=MAX_AGE_S * 1000)


def _run(setting: Setting, count: int, *, fps: float, name: str) -> Window:
    moving = setting.walking
    still = clips.idle(moving, setting.folder / "idle-small.mp4", 20, IDLE_SIZE, IDLE_RATE)
    cameras: dict[str, Mapping[str, Any]] = {
        f"c{number}": {
            "url": str(still if number % 2 else moving),
            "fps": fps,
            "max_age": f"{MAX_AGE_S:g}s",
            "motion": {"gate": "stream" if number % 2 else "off"},
        }
        for number in range(count)
    }
    config = edged_side.config(
        setting.folder / f"{name}-{count}",
        setting.broker.port,
        setting.model,
        cameras,
        providers=[setting.provider],
    )
    return watched(
        setting.broker,
        config,
        cameras={name for number, name in enumerate(cameras) if number % 2 == 0},
        settle_s=setting.seconds(3, 1),
        window_s=setting.seconds(10, 3),
    )


def _said(window: Window, count: int) -> str:
    rate = sum(window.messages.values()) / window.seconds
    return f"{rate:.1f} messages a second, {window.pss_bytes / count / 1e6:.1f} MB a camera"
