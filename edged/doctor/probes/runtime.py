"""Looks at the installed packages, and asks a process what the runtime offers."""

import contextlib
import sysconfig
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edged.doctor.deadline import Deadline
from edged.doctor.probes.child import NoAnswerError, NotAskedError, ask
from edged.doctor.runtime import REPORTING, RuntimeFacts
from edged.inference.providers import PLUGIN_PACKAGES, RUNTIME_PACKAGES
from edged.machine import cpu_name

TRACE = Path(".cache/Microsoft/DeveloperTools/.onnxruntime/deviceid")
"""Below the home: the identifier that ONNX Runtime makes of a machine once its telemetry is on."""
ANSWER_S = 20.0


def facts(asked: Iterable[str], deadline: Deadline) -> RuntimeFacts:
    """Of this installation.

    Args:
        asked: Providers, as the configuration names them.
        deadline: For the answer.
    """
    installed = {}
    for name in (*RUNTIME_PACKAGES, *PLUGIN_PACKAGES, *REPORTING):
        with contextlib.suppress(PackageNotFoundError):
            installed[name] = version(name)
    seen = RuntimeFacts(
        packages=installed,
        processor=cpu_name(),
        trace=_trace(),
        site=sysconfig.get_paths()["purelib"],
    )
    return seen if not set(installed) & set(RUNTIME_PACKAGES) else _asked(seen, list(asked), deadline)


def _asked(seen: RuntimeFacts, asked: list[str], deadline: Deadline) -> RuntimeFacts:
    try:
        told = ask("edged.doctor.probes.offers", asked, timeout_s=max(0.1, deadline.left_s(ANSWER_S)))
    except NotAskedError as error:
        return replace(seen, late=True, ended=str(error))
    except NoAnswerError as error:
        return replace(seen, ended=str(error))
    return replace(
        seen,
        early=told["early"],
        broken=told.get("broken", ""),
        version=told.get("version", ""),
        available=tuple(told.get("available", ())),
        automatic=tuple(told.get("automatic", ())),
        refused={name: (problem, remedy) for name, (problem, remedy) in told.get("refused", {}).items()},
    )


def _trace() -> str:
    with contextlib.suppress(OSError, RuntimeError):
        path = Path.home() / TRACE
        return str(path) if path.is_file() else ""
    return ""
