"""The machine, its clock, and its hardware decoders. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edged.doctor import kinds
from edged.doctor.findings import Finding

MIN_FREE_BYTES = 256 << 20
"""A worker rests at 62 MB on the CPU provider and at 142 MB on OpenVINO, plus weights."""
DAY_S = 86400.0
"""A clock may be so far behind the day of the installation: files that were unpacked keep the time of another zone."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What was seen of it.

    Attributes:
        processor: Its name.
        cores: That this process may use.
        memory_bytes: Of the machine; 0 where not known.
        free_bytes: That a process could get; 0 where not known.
        system: Kernel, and the version of Python.
        now_s: Seconds since 1970, by the local clock.
        installed_s: When edged was installed, likewise.
        synchronised: Whether the kernel's clock is kept right; None where not known.
    """

    processor: str
    cores: int
    memory_bytes: int
    free_bytes: int
    system: str
    now_s: float
    installed_s: float
    synchronised: bool | None


@dataclass(frozen=True, slots=True)
class DecoderFacts:
    """What the process said that asked for them.

    Attributes:
        refused: By decoder, why it is not there; empty text where it is.
        ended: How the process ended, where it gave no answer.
        late: Whether it could not be started, or was given too little time for one.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    ended: str = ""
    late: bool = False


def findings(facts: MachineFacts) -> Iterator[Finding]:
    """Of processor, memory and clock."""
    cores = f"{facts.cores} core{'' if facts.cores == 1 else 's'}"
    memory = f"{_mib(facts.free_bytes)} of {_mib(facts.memory_bytes)} free" if facts.memory_bytes else ""
    told = ", ".join(filter(None, [facts.processor, cores, memory, facts.system]))
    yield kinds.MACHINE.found("machine", told)
    if 0 < facts.free_bytes < MIN_FREE_BYTES:
        yield kinds.MEMORY_SHORT.found("memory", f"{_mib(facts.free_bytes)} is free")
    now = moment(facts.now_s)
    if facts.now_s < facts.installed_s - DAY_S:
        seen = f"it is {now} by the local clock, and edged was installed at {moment(facts.installed_s)}"
        yield kinds.CLOCK_BEHIND.found("clock", seen)
    elif facts.synchronised is False:
        yield kinds.CLOCK_UNSYNCHRONISED.found("clock", f"{now}, and nothing keeps it right")
    else:
        yield kinds.CLOCK.found("clock", f"{now}{', synchronised' if facts.synchronised else ''}")


def decoder_findings(facts: DecoderFacts, asked: Mapping[str, str]) -> Iterator[Finding]:
    """Which hardware decodes video.

    Args:
        facts: Of each decoder.
        asked: Decoder by the key that asks for it.
    """
    if facts.ended:
        longer = "edged doctor --timeout 120" if facts.late else ""
        yield kinds.DECODERS_UNKNOWN.found("decoders", facts.ended, instead=longer)
        return
    there = [name for name, problem in facts.refused.items() if not problem]
    reasons = "; ".join(f"{name}: {problem}" for name, problem in facts.refused.items() if problem)
    if there:
        yield kinds.DECODERS.found("decoders", ", ".join(there))
    else:
        yield kinds.NO_DECODERS.found("decoders", f"no hardware ({reasons})")
    for key, name in asked.items():
        if problem := facts.refused.get(name, ""):
            yield kinds.DECODER_MISSING.found(key, f"{name}: {problem}", key=key)


def moment(seconds: float) -> str:
    """Seconds since 1970 as people read them."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s after 1970"


def _mib(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
