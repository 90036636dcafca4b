"""What ONNX Runtime offers; answered in a process of its own, the only one here that loads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from edged.errors import RuntimeMissing
from edged.inference.providers import attempts, automatic, available, runtime
from edged.inference.tuning import Tuning

PLAIN = Tuning("", 1, 1, "f32", throughput=False)


def answer(asked: Sequence[str], early: bool) -> Mapping[str, Any]:
    """For `edged.doctor.probes.child`.

    Args:
        asked: Providers, as a configuration names them.
        early: Whether the runtime was loaded before edged was.
    """
    try:
        module = runtime()
    except RuntimeMissing as error:
        return {"early": early, "broken": error.problem}
    refused = {}
    for name in asked:
        try:
            for attempt in attempts([name], how=PLAIN):
                attempt.configure(module.SessionOptions())
        except RuntimeMissing as error:
            refused[name] = (error.problem, error.remedy)
    return {
        "early": early,
        "version": module.__version__,
        "available": available(),
        "automatic": automatic(),
        "refused": refused,
    }
