"""1 and 2: one camera, every frame, beside what nobody can avoid and beside what others do of the same.

The others follow no objects, so ``edged`` does not either here; what following costs stands beside it.
"""

import os
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.performance import edged_side
from benchmarks.performance.figures import Figure, ratio
from benchmarks.performance.processes import Rate, SideFailedError, python, rate_of, told
from benchmarks.performance.setting import Setting

WARM, END = 30, 10
"""Frames at the beginning and at the end that are not counted."""


def shown(setting: Setting) -> Iterator[Figure]:
    """The figures of both."""
    sides = _Sides(setting)
    for _ in range(setting.rounds):
        sides.turn()
    yield from _beside_the_floor(sides)
    yield from _beside_others(sides)


class _Sides:
    """Every side's rounds: processor milliseconds a frame, and frames a second."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.video, self.frames = setting.clip()
        self.cpu_ms: dict[str, list[float]] = defaultdict(list)
        self.per_s: dict[str, list[float]] = defaultdict(list)
        self.failed: dict[str, str] = {}
        self._turns = 0

    def turn(self) -> None:
        """Each side once."""
        setting, self._turns = self.setting, self._turns + 1
        bare = (self.video, setting.model, "--provider", setting.provider)
        count = ("--count", min(self.frames, 300))
        cores = len(os.sched_getaffinity(0))
        self._bare("decode", told(python("bare.py", "decode", *bare)))
        self._bare("session", told(python("bare.py", "session", *bare, *count)))
        for callers, threads in {(1, cores), (cores, 1)}:
            way = ("--callers", callers, "--threads", threads)
            self._bare(f"overlapped {callers}", told(python("bare.py", "overlapped", *bare, *way)))
        self._edged("edged", setting.model, setting.provider)
        self._edged("following", setting.model, setting.provider, track=True)
        self._published("loop", "loop.py", setting.provider)
        self._edged("auto", setting.model, "auto")
        if setting.int8:
            self._edged("int8", setting.int8, "auto")
        if not setting.peers.why:
            self._peers()

    @property
    def ideal(self) -> list[float]:
        """Frames a second of the better of the overlapped sides in each round."""
        several = [rates for side, rates in self.per_s.items() if side.startswith("overlapped")]
        return [max(round_) for round_ in zip(*several, strict=True)]

    @property
    def floor(self) -> list[float]:
        """Processor milliseconds of decoding and of the bare session."""
        return [sum(pair) for pair in zip(self.cpu_ms["decode"], self.cpu_ms["session"], strict=True)]

    def _peers(self) -> None:
        """What fails of them is said, and left out of the rounds that follow."""
        setting = self.setting
        try:
            if "model-api" not in self.failed:
                self._published("model-api", "model_api_loop.py", None)
        except SideFailedError as error:
            self.failed["model-api"] = str(error)
        try:
            rate = setting.peers.benchmark_app(
                setting.model, hint="throughput", seconds=setting.seconds(5, 1)
            )
            self.per_s["benchmark_app"].append(rate)
        except SideFailedError as error:
            self.failed["benchmark_app"] = str(error)

    def _bare(self, side: str, answer: dict[str, float]) -> None:
        self.cpu_ms[side].append(answer["cpu_ms"])
        self.per_s[side].append(1000 / answer["wall_ms"])

    def _edged(self, side: str, model: Path, provider: str, *, track: bool = False) -> None:
        setting = self.setting
        config = edged_side.config(
            setting.folder / f"{side}-{self._turns}",
            setting.broker.port,
            model,
            {"c": {"url": str(self.video), "track": track}},
            providers=[provider],
        )
        self._take(side, edged_side.command(config, once=True), edged_side.topic("c"))

    def _published(self, side: str, program: str, provider: str | None) -> None:
        setting, topic = self.setting, f"bench/{side}"
        interpreter = {} if provider else {"interpreter": str(setting.peers.python)}
        given = [self.video, setting.model, *([provider] if provider else []), setting.broker.port, topic]
        self._take(side, python(program, *given, **interpreter), topic)

    def _take(self, side: str, command: list[str], topic: str) -> None:
        rate: Rate = rate_of(self.setting.broker, command, topic, first=WARM, last=self.frames - END)
        self.cpu_ms[side].append(rate.cpu_ms)
        self.per_s[side].append(rate.per_s)


def _beside_the_floor(sides: _Sides) -> Iterator[Figure]:
    provider = sides.setting.provider
    floor, whole = statistics.median(sides.floor), statistics.median(sides.cpu_ms["edged"])
    value, rounds = ratio(sides.cpu_ms["edged"], sides.floor)
    note = f"{provider}: {whole:.2f} ms of {floor:.2f} ms"
    yield Figure(
        1, "CPU a frame / (decoding alone + bare session alone)", value, target=1.10, note=note, rounds=rounds
    )
    value, rounds = ratio(sides.per_s["edged"], sides.ideal)
    fastest = statistics.median(sides.ideal)
    note = f"{provider}: {statistics.median(sides.per_s['edged']):.1f} of {fastest:.1f} a second"
    yield Figure(
        1, "frames a second / overlapped ideal", value, target=0.90, at_least=True, note=note, rounds=rounds
    )
    overlapped = [side for side in sides.cpu_ms if side.startswith("overlapped")]
    for side in ("decode", "session", *overlapped, "edged", "following", "loop", "auto", "int8", "model-api"):
        if sides.cpu_ms[side]:
            times = sides.cpu_ms[side]
            yield Figure(1, f"CPU a frame: {side}", statistics.median(times), "ms", rounds=tuple(times))


def _beside_others(sides: _Sides) -> Iterator[Figure]:
    setting = sides.setting
    loop = f"the loop that a user writes on {setting.provider}"
    for above, below, target, name, missing in (
        ("edged", "loop", 1.6, f"frames a second / {loop}", ""),
        ("auto", "loop", 2.0, f"with auto / {loop}", ""),
        ("int8", "loop", 2.5, f"with the int8 twin / {loop}", "no int8 model: --int8"),
        ("edged", "model-api", 1.2, "frames a second / openvino-model-api", setting.peers.why),
        (
            "edged",
            "benchmark_app",
            None,
            "frames a second / benchmark_app, inference only",
            setting.peers.why,
        ),
    ):
        if not (sides.per_s[above] and sides.per_s[below]):
            why = sides.failed.get(below, missing)
            yield Figure(2, name, None, target=target, at_least=True, note=why)
            continue
        value, rounds = ratio(sides.per_s[above][: len(sides.per_s[below])], sides.per_s[below])
        rates = [statistics.median(sides.per_s[side]) for side in (above, below)]
        note = f"{rates[0]:.1f} and {rates[1]:.1f} a second"
        yield Figure(2, name, value, target=target, at_least=True, note=note, rounds=rounds)
