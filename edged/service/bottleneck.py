"""What keeps a device from looking at more frames. Pure: figures of an interval in, one word out.

    broker            messages wait for it, and more than before
    decode:CAMERA     one camera takes all of a core, which is all that a thread can have
    none              no model had to drop a frame for lack of time
    inference:MODEL   the cores are busy, most of that with this model; or its callers are in the runtime all the time
    decode            the cores are busy, most of that with decoding
    cpu               the cores are busy with many things, or with other programs

The first that is true, from above. Where frames are dropped and nothing is busy (they come in bursts), it is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

WAITING = 100
"""Messages in the spool below which it is not the broker."""
FULL = 0.9
"""Share of the cores, or of a core, from which it counts as busy."""
MOST = 0.5
"""Of what is busy: who takes so much of it is what keeps the others waiting."""
ALWAYS = 0.8
"""Share of the time in the runtime from which a model has no time left: the rest is between two frames."""
NONE = "none"


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """One model.

    Attributes:
        utilisation: Share of the time that its callers were in the runtime, 0-1.
        cores: That its processes took.
        late_per_s: Frames a second that were dropped because it had no time for them.
    """

    utilisation: float
    cores: float
    late_per_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """Of a device since the last report.

    Attributes:
        cores: That it may use.
        busy_cores: Of those, whoever kept them busy.
        decode_cores: That each camera took to decode, by name.
        models: By name.
        spooled: Messages that wait for the broker now.
        spooled_before: That waited at the last report.
    """

    cores: int
    busy_cores: float
    decode_cores: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, ModelLoad] = field(default_factory=dict)
    spooled: int = 0
    spooled_before: int = 0


def bottleneck(load: Load) -> str:
    """One of the words above.

    >>> bottleneck(Load(cores=2, busy_cores=1.9, models={"cars": ModelLoad(0.97, 1.6, late_per_s=12.0)}))
    'inference:cars'
    """
    if load.spooled >= WAITING and load.spooled > load.spooled_before:
        return "broker"
    camera, taken = _greatest(load.decode_cores)
    if taken >= FULL:
        return f"decode:{camera}"
    late = {name: model for name, model in load.models.items() if model.late_per_s > 0}
    if not late:
        return NONE
    if load.busy_cores >= FULL * load.cores:
        return _of_the_cores(load)
    model, utilisation = _greatest({name: one.utilisation for name, one in late.items()})
    return f"inference:{model}" if utilisation >= ALWAYS else NONE


def _of_the_cores(load: Load) -> str:
    takers = {f"inference:{name}": model.cores for name, model in load.models.items()}
    takers["decode"] = sum(load.decode_cores.values())
    taker, taken = _greatest(takers)
    return taker if taken >= MOST * load.busy_cores else "cpu"


def _greatest(shares: Mapping[str, float]) -> tuple[str, float]:
    return max(shares.items(), key=lambda item: item[1], default=("", 0.0))
