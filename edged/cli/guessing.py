"""What ``edged detect`` will load, seen in its command line before that is parsed, which takes as long as loading.

A guess may be wrong: who starts a process for a model compares what was asked with what is wanted, see
`edged.worker.starting.start`. Errors are for the parser, and for who loads the model, to find.
"""

from collections.abc import Sequence

from edged.cli.answering import providers_of, resolved
from edged.worker.request import LoadRequest

_NAMES = {"-m": "model", "--model": "model", "--provider": "provider", "--min-score": "min_score"}


def detect_request(model: str, provider: Sequence[str] | None, min_score: float | None) -> LoadRequest:
    """What ``edged detect`` loads.

    Args:
        model: A path as in `edged.cli.answering.resolved`.
        provider: In order; None or empty = ``auto``.
        min_score: None = the model's own.

    Raises:
        UsageError: No such provider.
    """
    return LoadRequest(path=model, providers=providers_of(provider), min_score=min_score, warm_runs=0)


def guessed(arguments: Sequence[str]) -> LoadRequest | None:
    """The request of a command line, for the very version that it means; None where it shows none.

    >>> guessed(["detect", "bus.jpg", "--json"]) is None
    True
    """
    found: dict[str, list[str]] = {"model": [], "provider": [], "min_score": []}
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if name in _NAMES:
            found[_NAMES[name]].append(value or next(rest, ""))
    if not any(found["model"][-1:]):
        return None
    try:
        min_score = float(found["min_score"][-1]) if found["min_score"] else None
        return resolved(detect_request(found["model"][-1], found["provider"], min_score))
    except Exception:  # noqa: BLE001  # a wrong guess must not keep a command from saying what is wrong
        return None
