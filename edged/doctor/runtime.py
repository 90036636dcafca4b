"""The installed runtime and its providers. Pure; `edged.doctor.probes.runtime` asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.inference.providers import PLUGIN_PACKAGES, RUNTIME_PACKAGES
from edged.sections import ModelSettings

(PLUGIN,) = PLUGIN_PACKAGES
REPORTING = ("openvino-telemetry", "openvino")
"""Packages that call their maker when they are imported."""

Refusal = tuple[str, str]
"""What is wrong, and the remedy."""


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """What was seen of this installation.

    Attributes:
        packages: Version by name of every package that matters here.
        processor: Its name.
        ended: How the process that asked the runtime ended, where it gave no answer.
        late: Whether it could not be started, or was given too little time for one.
        broken: Why the runtime cannot be used; empty where it can.
        version: Of the runtime that was loaded.
        available: Providers that this installation offers on this machine.
        refused: By provider that was asked for: why it is not there.
        automatic: What ``auto`` stands for.
        early: Whether something loads the runtime before edged is imported.
        trace: File that telemetry has left behind; empty for none.
        site: Folder of the installed packages.
    """

    packages: Mapping[str, str]
    processor: str = ""
    ended: str = ""
    late: bool = False
    broken: str = ""
    version: str = ""
    available: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    automatic: tuple[str, ...] = ()
    early: bool = False
    trace: str = ""
    site: str = ""

    @property
    def usable(self) -> bool:
        """Whether models can be loaded."""
        return bool(self.version)


def findings(facts: RuntimeFacts) -> Iterator[Finding]:
    """Of the runtime itself."""
    wheels = [name for name in RUNTIME_PACKAGES if name in facts.packages]
    named = ", ".join(f"{name} {version}" for name, version in facts.packages.items())
    if len(wheels) > 1:
        why = f": {facts.broken or facts.ended}" if facts.broken or facts.ended else ""
        seen = f"{' and '.join(wheels)} overwrite each other's files{why}"
        extra = _extra(facts.processor, wheels)
        yield kinds.RUNTIME_CLASH.found("ONNX Runtime", seen, wheels=" ".join(wheels), extra=extra)
    if not wheels:
        seen = "no package of it is installed"
        yield kinds.RUNTIME_MISSING.found("ONNX Runtime", seen, extra=_extra(facts.processor, ()))
        return
    if facts.late:
        yield kinds.RUNTIME_UNKNOWN.found("ONNX Runtime", f"{named}: {facts.ended}")
    elif not facts.usable and len(wheels) == 1:
        seen = f"{named}: {facts.broken or facts.ended}"
        yield kinds.RUNTIME_BROKEN.found("ONNX Runtime", seen, packages=" ".join(wheels))
    elif facts.usable:
        yield kinds.RUNTIME.found("ONNX Runtime", f"{facts.version} ({named})")
    yield from _telemetry(facts)


def _extra(processor: str, wheels: Sequence[str]) -> str:
    """Which extra of ours fits: the plugin takes Intel processors only."""
    if "onnxruntime-gpu" in wheels:
        return "cuda"
    if "intel" in processor.lower():
        return "openvino"
    return "openvino-wheel" if "onnxruntime-openvino" in wheels else "cpu"


def _telemetry(facts: RuntimeFacts) -> Iterator[Finding]:
    if facts.early:
        seen = "Python itself loads the runtime as it starts, before edged can switch its telemetry off"
        yield kinds.TELEMETRY_ON.found("telemetry", seen, folder=facts.site)
    elif facts.usable:
        yield kinds.TELEMETRY_OFF.found("telemetry", "off: ORT_DISABLE_TELEMETRY=1 before the runtime loads")
    reporting = [name for name in REPORTING if name in facts.packages]
    if reporting:
        seen = f"{' and '.join(reporting)} installed beside edged"
        yield kinds.TELEMETRY_PACKAGE.found("telemetry", seen, packages=" ".join(reporting))
    if facts.trace:
        yield kinds.TELEMETRY_TRACE.found("telemetry", f"{facts.trace} is its mark", path=facts.trace)


def provider_findings(facts: RuntimeFacts, models: Mapping[str, ModelSettings]) -> Iterator[Finding]:
    """Which providers work here, and which were asked for in vain.

    Args:
        facts: Of the installation.
        models: Those that are used, by name.
    """
    if not facts.usable:
        return
    seen = f"{', '.join(facts.available) or 'none'}; auto means {', '.join(facts.automatic) or 'nothing'}"
    yield kinds.PROVIDERS.found("providers", seen)
    for name, section in models.items():
        for provider in section.providers:
            if provider in facts.refused:
                yield _missing(f"models.{name}.providers", provider, section, facts)


def _missing(key: str, provider: str, section: ModelSettings, facts: RuntimeFacts) -> Finding:
    problem, remedy = facts.refused[provider]
    if provider == "openvino" or provider.startswith("openvino:CPU"):
        problem, remedy = _openvino_words(problem, remedy, facts)
    required = section.require_provider and provider == section.providers[0]
    alone = all(one in facts.refused for one in section.providers)
    kind = kinds.PROVIDER_REQUIRED if required or alone else kinds.PROVIDER_MISSING
    return kind.found(key, f"{provider} {problem}", do=remedy)


def _openvino_words(problem: str, remedy: str, facts: RuntimeFacts) -> Refusal:
    """The plugin takes Intel processors only, so it is not what to install on others."""
    if facts.processor and "intel" not in facts.processor.lower():
        wheel = "pip uninstall -y onnxruntime onnxruntime-ep-openvino && pip install 'edged[openvino-wheel]'"
        if PLUGIN in facts.packages:
            return f"{problem}; this is {facts.processor}", f'write providers = ["cpu"], or {wheel}'
        return (
            f"{problem}; its plugin accepts Intel processors only, and this is {facts.processor}",
            f'write providers = ["cpu"], or {wheel}',
        )
    return problem, remedy
