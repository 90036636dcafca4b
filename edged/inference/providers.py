"""Which execution providers this installation offers, and how each is asked for.

Names a person writes: ``cpu``, ``openvino``, ``openvino:GPU``, ``cuda``, ``cuda:1``, ``tensorrt``, ``auto``. OpenVINO
comes as a plugin beside ``onnxruntime`` (package ``onnxruntime-ep-openvino``) or built into the older wheel
``onnxruntime-openvino``; `attempts` hides the difference.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from edged.errors import RuntimeMissing
from edged.inference.packages import installed
from edged.inference.tuning import Tuning

RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-openvino", "onnxruntime-gpu")
"""Each of these installs the same files; the last one installed wins."""
PLUGIN_PACKAGES = ("onnxruntime-ep-openvino",)

CPU, OPENVINO, CUDA, TENSORRT = (
    f"{name}ExecutionProvider" for name in ("CPU", "OpenVINO", "CUDA", "Tensorrt")
)
SHORT_NAMES = {CPU: "cpu", OPENVINO: "openvino", CUDA: "cuda", TENSORRT: "tensorrt"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One provider to try.

    Attributes:
        tuning: How its session is made.
        provider: ONNX Runtime's name of it.
        configure: Prepares session options; returns the ``providers`` argument of a session, None where the options
            already say it.

    ``configure`` raises `RuntimeMissing` where this installation or machine does not offer the provider.
    """

    tuning: Tuning
    provider: str
    configure: Callable[[Any], list[tuple[str, dict[str, str]]] | None]

    @property
    def name(self) -> str:
        """As a person writes it, with the device: ``openvino:CPU``."""
        return self.tuning.provider


def installed_packages() -> dict[str, str]:
    """Version by name of every ONNX Runtime package in this environment, without importing any."""
    return installed(RUNTIME_PACKAGES + PLUGIN_PACKAGES)


def package_clash() -> str | None:
    """What is wrong where wheels that overwrite each other are installed, with the remedy; None where all is well."""
    wheels = [name for name in installed_packages() if name in RUNTIME_PACKAGES]
    if len(wheels) < 2:
        return None
    return (
        f"{' and '.join(wheels)} are installed together and overwrite each other's files; "
        f"pip uninstall {' '.join(wheels)}, then install one of "
        "edged[openvino], edged[cpu], edged[openvino-wheel], edged[cuda]"
    )


@functools.cache
def runtime() -> Any:
    """The module ``onnxruntime``.

    Raises:
        RuntimeMissing: Not installed, or not importable.
    """
    try:
        module = import_module("onnxruntime")
        module.InferenceSession  # noqa: B018  # two clashing wheels leave a package without it
    except ImportError as error:
        raise RuntimeMissing(
            "ONNX Runtime",
            f"is not installed ({error})",
            "pip install 'edged[openvino]' (Intel x86-64), 'edged[cpu]' (any machine) or 'edged[cuda]' (NVIDIA)",
        ) from error
    except AttributeError as error:
        raise RuntimeMissing(
            "ONNX Runtime", "is installed but broken", package_clash() or "install it again"
        ) from error
    with contextlib.suppress(Exception):  # newer runtimes only; the environment variable says the same
        module.disable_telemetry_events()
    module.set_default_logger_severity(4)
    return module


@functools.cache
def built_in() -> tuple[str, ...]:
    """ONNX Runtime's names of the providers in the wheel itself, asked before a plugin joins its list."""
    return tuple(runtime().get_available_providers())


def attempts(requested: Sequence[str | Tuning], *, how: Tuning) -> Iterator[Attempt]:
    """The providers to try, in order, each once; ``auto`` resolved when its turn comes, as that may load a plugin.

    Args:
        requested: Names in order, as in the configuration; or exactly how to make a session.
        how: Where a name is given.
    """
    seen: set[str] = set()
    for asked in requested:
        for one in automatic() if asked == "auto" else [asked]:
            attempt = _attempt(one.provider, one) if isinstance(one, Tuning) else _attempt(one, how)
            if attempt.name not in seen:
                seen.add(attempt.name)
                yield attempt


def automatic() -> list[str]:
    """What ``auto`` stands for, with devices; the CPU provider last."""
    names = []
    if CUDA in built_in():
        names.append("cuda:0")
    if OPENVINO in built_in() or _plugin_devices("CPU"):
        names.append("openvino:CPU")
    return [*names, "cpu"]


def available(*, plugins: bool = True) -> tuple[str, ...]:
    """Names of the providers that this installation offers on this machine.

    Args:
        plugins: Whether to ask those too that are only loaded to be asked, which takes time and memory.
    """
    builtin = [SHORT_NAMES[name] for name in built_in() if name in SHORT_NAMES]
    kinds = ("CPU", "GPU", "NPU") if plugins else ()
    devices = [f"openvino:{kind}" for kind in kinds if _plugin_devices(kind)]
    return tuple(dict.fromkeys([*devices, *builtin]))


def _attempt(name: str, how: Tuning) -> Attempt:
    kind, _, device = name.partition(":")
    if kind == "openvino":
        device = device or "CPU"
        tuning = replace(how, provider=f"openvino:{device}")
        return Attempt(tuning, OPENVINO, functools.partial(_configure_openvino, device=device, tuning=tuning))
    if kind in {"cuda", "tensorrt"}:
        provider, device = (CUDA if kind == "cuda" else TENSORRT), device or "0"
        return Attempt(
            replace(how, provider=f"{kind}:{device}"),
            provider,
            functools.partial(_configure_builtin, provider=provider, device=device),
        )
    return Attempt(replace(how, provider="cpu"), CPU, lambda _options: [(CPU, {})])


def _configure_builtin(_options: Any, *, provider: str, device: str) -> list[tuple[str, dict[str, str]]]:
    if provider not in built_in():
        raise RuntimeMissing(
            SHORT_NAMES[provider], "is not in this installation", "pip install 'edged[cuda]'"
        )
    return [(provider, {"device_id": device})]


def _configure_openvino(
    options: Any, *, device: str, tuning: Tuning
) -> list[tuple[str, dict[str, str]]] | None:
    config: dict[str, str] = {"PERFORMANCE_HINT": "THROUGHPUT" if tuning.throughput else "LATENCY"}
    if device.startswith("CPU"):
        # f32 by default: CPUs with bfloat16 units would otherwise compute in bfloat16, which changes the third digit of
        # scores and makes the plugin refuse QDQ models (docs/adr/0002).
        config["INFERENCE_PRECISION_HINT"] = tuning.precision
        if not tuning.integers:
            config["LP_TRANSFORMS_MODE"] = "NO"
        if tuning.threads:
            config["INFERENCE_NUM_THREADS"] = str(tuning.threads * tuning.callers)
    elif tuning.precision != "f32":
        config["INFERENCE_PRECISION_HINT"] = tuning.precision
    if tuning.callers > 1:
        config["NUM_STREAMS"] = str(tuning.callers)
    load_config = {"load_config": json.dumps({device.partition(".")[0]: config})}
    if OPENVINO in built_in():
        return [(OPENVINO, {"device_type": device, **load_config})]
    devices = _plugin_devices(device)
    if not devices:
        raise RuntimeMissing(f"openvino:{device}", *_why_no_openvino(device))
    options.add_provider_for_devices(devices[:1], load_config)
    return None


def _why_no_openvino(device: str) -> tuple[str, str]:
    if not set(installed_packages()) & {"onnxruntime-ep-openvino", "onnxruntime-openvino"}:
        return "is not in this installation", "pip install 'edged[openvino]'"
    if device == "CPU":
        return (
            "the plugin offers no CPU device here (it accepts Intel processors only)",
            "use cpu, or install 'edged[openvino-wheel]' instead, which runs on other x86-64 processors",
        )
    return (
        f"the plugin finds no {device} on this machine",
        "check its driver and the permissions of /dev/dri or /dev/accel",
    )


@functools.cache
def _register_plugin() -> bool:
    """Load the OpenVINO plugin into ONNX Runtime once; False where it is not installed or does not load."""
    # From here on the runtime lists the plugin's provider too; by that name it would leave all to the CPU provider.
    built_in()
    try:
        plugin = import_module("onnxruntime_ep_openvino")
        runtime().register_execution_provider_library(plugin.get_ep_name(), plugin.get_library_path())
    except ImportError:
        return False
    except Exception:  # noqa: BLE001  # ONNX Runtime raises its own classes; whatever it is, the plugin is not there
        return False
    return True


def _plugin_devices(device: str) -> list[Any]:
    """The plugin's devices of a kind (``CPU``, ``GPU``, ``GPU.1``, ``NPU``)."""
    if not _register_plugin():
        return []
    return [
        candidate
        for candidate in runtime().get_ep_devices()
        if candidate.ep_name == OPENVINO
        and device in {_metadata(candidate).get("ov_device"), candidate.device.type.name}
    ]


def _metadata(device: Any) -> Mapping[str, str]:
    metadata: Mapping[str, str] = device.ep_metadata
    return metadata
