"""4: what a motion gate saves at an idle camera, and that it loses nobody who walks by."""

import statistics
from collections.abc import Iterator

from benchmarks.performance import clips, edged_side
from benchmarks.performance.figures import Figure
from benchmarks.performance.live import watched
from benchmarks.performance.processes import python, told
from benchmarks.performance.setting import Setting

PRESENT = ((65, 190), (230, 445), (505, 695), (745, 865), (925, 1195), (1235, 1355))
"""Frames of ``one_by_one_person.mp4`` in which somebody is there (``expected.json`` of the assets)."""
RATE, EARLY_S = 10, 0.5
"""Frames a second of it; a message may come this much before the annotated first frame."""
RECHECK_S = 30
"""The default; a window is as long, so that one look is in it."""
LATE_S = {"stream": 1.0, "pixels": 0.3}
IDLE = {"stream": 0.10, "pixels": None}


def shown(setting: Setting) -> Iterator[Figure]:
    """The idle camera, then the street."""
    yield from _idle(setting)
    if setting.quick:
        yield Figure(4, "presences seen", None, note="takes two minutes: not with --quick")
    else:
        yield from _presences(setting)


def _idle(setting: Setting) -> Iterator[Figure]:
    video = clips.idle(setting.walking, setting.folder / "idle.mp4", setting.seconds(20, 6))
    window_s = setting.seconds(RECHECK_S, 4)
    endless = clips.repeated(
        video, setting.folder / "idle-long.mp4", 6
    )  # a camera is not opened again either
    decode, shares = [], {gate: [] for gate in LATE_S}
    for number in range(min(3, setting.rounds)):
        decode.append(told(python("bare.py", "decode", video, setting.model))["cpu_ms"])
        for gate, rounds in shares.items():
            config = edged_side.config(
                setting.folder / f"idle-{gate}-{number}",
                setting.broker.port,
                setting.model,
                {"c": {"url": str(endless), "motion": {"gate": gate, "recheck": f"{RECHECK_S}s"}}},
                providers=[setting.provider],
            )
            window = watched(
                setting.broker, config, cameras={"c"}, settle_s=setting.seconds(8, 4), window_s=window_s
            )
            used_ms = window.cpu_s / window.seconds * 1000
            rounds.append(used_ms / (decode[-1] * clips.RATE))
    whole = statistics.median(decode) * clips.RATE
    for gate, rounds in shares.items():
        value = statistics.median(rounds)
        note = f"{value * whole:.1f} of {whole:.1f} ms CPU a second, the whole daemon"
        name = f"idle 1080p, gate {gate}: CPU / decoding every frame"
        yield Figure(4, name, value, target=IDLE[gate], note=note, rounds=tuple(rounds))


def _presences(setting: Setting) -> Iterator[Figure]:
    """Three cameras of one daemon see the same street at the same time, behind different gates."""
    gates = ("off", *LATE_S)
    cameras = {
        gate: {
            "url": str(setting.walking),
            "max_age": "5s",
            "motion": {"gate": gate, "recheck": f"{RECHECK_S}s"},
        }
        for gate in gates
    }
    config = edged_side.config(
        setting.folder / "presences",
        setting.broker.port,
        setting.model,
        cameras,
        providers=[setting.provider],
        labels=["person"],
    )
    until_s = PRESENT[-1][1] / RATE + 1
    window = watched(setting.broker, config, cameras={"off"}, settle_s=0, window_s=until_s)
    first = {gate: [_first(window.arrivals[gate], span) for span in PRESENT] for gate in gates}
    for gate, late_s in LATE_S.items():
        seen = sum(at is not None for at in first[gate])
        yield Figure(
            4, f"presences of {len(PRESENT)}, gate {gate}", float(seen), "", len(PRESENT), at_least=True
        )
        pairs = [
            (with_gate - without)
            for with_gate, without in zip(first[gate], first["off"], strict=True)
            if with_gate is not None and without is not None
        ]
        latest = max(pairs) if len(pairs) == len(PRESENT) else None
        name = f"first message later than without, gate {gate}"
        yield Figure(4, name, latest, "s", target=late_s, rounds=tuple(pairs))


def _first(arrivals: list[tuple[float, int]], span: tuple[int, int]) -> float | None:
    """When the first message with somebody in it came, of those about a span of frames."""
    begin, end = span[0] / RATE - EARLY_S, span[1] / RATE
    return next((at_s for at_s, found in arrivals if begin <= at_s <= end and found), None)
