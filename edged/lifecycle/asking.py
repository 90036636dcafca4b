"""What the process of a version is asked to load, and what that of the first one will be, before there is a daemon."""

from pathlib import Path

from edged.lifecycle.choice import choose
from edged.lifecycle.demand import Demand
from edged.lifecycle.ledger import Ledger, Version
from edged.lifecycle.running import Running
from edged.machine import available_bytes, memory_bytes
from edged.modelstore.home import Home
from edged.modelstore.survey import Standing
from edged.sections import ModelSettings
from edged.worker.request import LoadRequest

MIN_MEMORY_BYTES = 1024**3
"""Of a worker, however little is free at the moment: a version must not be rejected for what others use."""
MAX_AHEAD_BYTES = 32 * 1024**2
"""Of all files of a version: to read more of them once more takes longer than is won."""


def load_request(section: ModelSettings, demand: Demand, version: Version, *, beside: bool) -> LoadRequest:
    """What to load and how.

    Args:
        section: Of the model.
        demand: What cameras or sensors want of it.
        version: Of it.
        beside: Another one serves meanwhile.
    """
    running, available = Running.of(section, demand), available_bytes()
    bound = int(section.max_memory or 0)
    if not bound and available:
        bound = min(memory_bytes() * 3 // 4, max(available * 4 // 5, MIN_MEMORY_BYTES))
    return LoadRequest(
        path=str(version.standing.path),
        providers=section.providers,
        require_provider=section.require_provider,
        min_score=section.min_score,
        low_score=demand.low_score if demand.low_score < 1 else None,
        labels=section.labels,
        threads=section.threads or 0,
        callers=running.callers,
        precision=section.precision,
        optimize=section.optimize,
        batch=running.batch,
        max_batch_ms=running.max_batch_ms,
        max_memory_bytes=bound,
        digest=version.digest,
        serves=demand.serves,
        rows=demand.rows,
        beside=beside,
    )


def first_request(
    name: str, section: ModelSettings, demand: Demand, *, store: Path, once: bool, now_s: float
) -> LoadRequest | None:
    """What `ServedModel` will most likely ask first; None where that is not clear, or too large to be looked at twice.

    Args:
        name: As configured.
        section: As configured.
        demand: What is wanted of it.
        store: The folder of models.
        once: As `ServedModel` has it.
        now_s: On the monotonic clock.

    Raises:
        EdgedError, OSError: Something cannot be read; `ServedModel` says what.
    """
    ledger = Ledger(name, Home(store, name, section.path, keep=not once), keep_versions=0)
    acceptable = ledger.look(now_s)
    if any(_size(standing) > MAX_AHEAD_BYTES for standing in acceptable.values()):
        return None
    trusted = None if once else ledger.trusted_among(acceptable)
    target = choose(acceptable, pinned=ledger.pinned, trusted=trusted)
    if target is None:
        return None
    return load_request(section, demand, ledger.identify(acceptable[target]), beside=False)


def _size(standing: Standing) -> int:
    """Bytes of all files of a version."""
    return sum(size for _, size, *_ in standing.marks)
