"""A model file on its way to serve: read, checked, and given its first session; whatever it takes.

What only pictures need is in `edged.worker.model`, what only rows need in `edged.worker.rowmodel`.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edged.decode.labels import metadata_labels
from edged.errors import ModelRejected, NotAsConfigured
from edged.inference.precheck import ModelSummary, precheck
from edged.inference.providers import available, installed_packages
from edged.inference.session import Session
from edged.inference.tuning import Tuning
from edged.manifest import Manifest, model_files, read_labels, read_manifest
from edged.worker.auto import Auto
from edged.worker.description import LoadRequest, ModelDescription, plain
from edged.worker.journal import Journal
from edged.worker.tabular import ML_DOMAIN

SLOW_OPERATOR = "ConvInteger"
"""What ``quantize_dynamic`` makes of convolutions: on the CPU provider 1.3 to 10 times as long as in float."""
MAX_COUNTED, MAX_NAME_CHARS = 100, 100
"""Of operators and opsets, in a description."""


class Opened:
    """A model that has a session.

    Attributes:
        request: Which, and how.
        journal: Hears of each step and of all that becomes known.
        path: The ONNX file.
        summary: What the file says of itself.
        manifest: Its ``model.toml``.
        labels: From ``model.toml``, ``labels.txt`` or the file's metadata; empty where none are named.
        session: The newest; see `open_again`.
        threads: Of one inference; for sessions from the next one on.
        without: Providers that are passed over from the next session on, each with the reason.
        auto: What ``auto`` among the providers comes to; None where it was not asked for, or trees leave no choice.
    """

    def __init__(self, request: LoadRequest, journal: Journal | None = None) -> None:
        """Read and load it.

        Raises:
            InputNotFound: No such file.
            ModelRejected: It cannot be read or loaded; the text says why and what to do.
            RuntimeMissing: No ONNX Runtime, or a required provider is not there.
        """
        self.request, self.journal = request, journal or Journal()
        self.known: dict[str, Any] = {}
        self.threads = request.threads or 1
        self.without: dict[str, str] = {}
        with self.journal.step("readable"):
            self._read()
            self.auto = Auto(request, self.summary) if self._is_left_to_us else None
        with self.journal.step("provider" if request.require_provider else "readable"):
            self._load()

    def know(self, **facts: Any) -> None:
        """Keep what the description will say, and tell it."""
        self.known |= facts
        self.journal.know(**plain(facts))

    def rejected(self, problem: str, remedy: str) -> ModelRejected:
        """The error for this model."""
        return ModelRejected(str(self.path), problem, remedy)

    def misfit(self, problem: str, remedy: str) -> NotAsConfigured:
        """The error for this model, where another configuration would take it."""
        return NotAsConfigured(str(self.path), problem, remedy)

    def open_again(self) -> Session:
        """Another session, with the threads and without the providers that stand here now."""
        request = self.request
        self.adopt(
            self.session_on(
                self._providers(),
                require=self.requires,
                threads=request.threads,
                callers=request.callers,
                precision=request.arithmetic,
                throughput=request.throughput,
                without=self.without,
            )
        )
        if self.auto and self.auto.is_recalled and self.session.tuning != self.auto.tuning:
            self.auto.forget()  # what was remembered does not load any more
        return self.session

    def session_on(self, providers: Sequence[str | Tuning], **how: Any) -> Session:
        """A session of the file, beside its own: ``how`` as `Session` takes it."""
        return Session(self.path, providers=providers, is_whole=not self.summary.external_data, **how)

    def adopt(self, session: Session) -> None:
        """Go on with this session."""
        self.session = session
        report = session.provider
        self.know(provider=report.in_use, provider_nodes=report.nodes)
        self.know_refused(report.refused)

    def know_refused(self, reasons: Sequence[str]) -> None:
        """Why providers were passed over, beside those that were not even tried."""
        self.know(provider_refused=tuple(dict.fromkeys((*self._unasked(), *reasons))))

    def note(self, text: str) -> None:
        """What a user should know, beside what is noted already."""
        self.know(notes=(*self.known.get("notes", ()), text))

    def recalls(self, outputs: Sequence[NDArray[Any]]) -> bool:
        """Whether the session is one that was chosen at an earlier start, and these are the answers it gave then."""
        return self.auto is not None and self.session.tuning == self.auto.tuning and self.auto.agrees(outputs)

    def forget(self) -> bool:
        """Whether there was something remembered that is no good; then the session is a new one."""
        if self.auto is None or not self.auto.is_recalled:
            return False
        self.auto.forget()
        self.open_again()
        return True

    @property
    def requires(self) -> bool:
        """Whether another than the first provider is out of the question; ``auto`` is none of them."""
        return self.request.require_provider and self.request.providers[0] != "auto"

    def described(self) -> ModelDescription:
        """All that became known."""
        return ModelDescription(**self.known, step_ms=self.journal.progress.step_ms)

    def _read(self) -> None:
        """What the files say; of a broken model what could be read is told all the same."""
        files = model_files(Path(self.request.path))
        self.path = files.onnx
        self.know(path=str(files.onnx))
        self.summary = ModelSummary()
        try:
            precheck(files.onnx, self.summary)
        finally:
            self._know_summary()
        if self.request.digest not in {"", self.summary.digest}:
            raise self.rejected(
                "is another file than the one that was accepted", "it is tried as a new version"
            )
        self.manifest: Manifest = read_manifest(files.manifest)
        self.labels = self.manifest.labels or read_labels(files.labels) or self._named_inside()
        self.know(labels=self.labels)

    def _named_inside(self) -> tuple[str, ...]:
        try:
            return metadata_labels(self.summary.metadata)
        except ModelRejected as error:
            raise self.rejected(error.problem, error.remedy) from error

    def _know_summary(self) -> None:
        summary = self.summary
        facts = {
            "digest": summary.digest,
            "size_bytes": summary.size_bytes,
            "opsets": _bounded(summary.opsets),
            "ir_version": summary.ir_version,
            "producer": summary.producer,
            "metadata": summary.metadata,
            "external_data": sorted(summary.external_data),
            "node_count": summary.node_count,
            "operators": _bounded(summary.operators),
        }
        self.know(**{name: fact for name, fact in facts.items() if fact or summary.node_count})

    def _load(self) -> None:
        """The first session; a model that gets none is described without."""
        self.know(provider_asked=self.request.providers, runtime=installed_packages())
        started = time.perf_counter()
        session = self.open_again()
        load_ms = (time.perf_counter() - started) * 1000
        asked = any(name != "cpu" for name in self.request.providers)
        if self.summary.operators[SLOW_OPERATOR]:
            self.note(
                f"its convolutions are quantised dynamically ({SLOW_OPERATOR}), which is slower than in float: "
                "export it in float, and see `edged model quantize`"
            )
        self.know(
            inputs=session.inputs,
            outputs=session.outputs,
            load_ms=round(load_ms, 1),
            providers_available=available(plugins=asked) if self.auto is None else self.auto.available,
        )

    def _providers(self) -> tuple[str | Tuning, ...]:
        """Those to try; trees and their like run on the CPU provider only, and others would load them for seconds."""
        request = self.request
        cpu = Tuning("cpu", self.threads, request.callers, throughput=request.throughput)
        if self._is_traditional and not self.requires:
            return (cpu,)
        found: list[str | Tuning] = []
        for name in request.providers:
            if name == "auto" and self.auto:
                found += [self.auto.tuning, self.auto.plain]
            found.append(cpu if name == "cpu" else name)
        return (*found, cpu)

    def _unasked(self) -> tuple[str, ...]:
        """Why providers that were asked for by name were not even tried."""
        if self.requires or not self._is_traditional:
            return ()
        return tuple(
            f"{name}: operators of {ML_DOMAIN} run on the CPU provider"
            for name in self.request.providers
            if name not in {"auto", "cpu"}
        )

    @property
    def _is_left_to_us(self) -> bool:
        """Whether ``auto`` counts: not behind a provider that takes everything."""
        names = self.request.providers
        return "auto" in names and "cpu" not in names[: names.index("auto")] and not self._is_traditional

    @property
    def _is_traditional(self) -> bool:
        return any(name.startswith(f"{ML_DOMAIN}:") for name in self.summary.operators)


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """The greatest, with names of a sane length: a stranger's file may hold any number of any."""
    return {name[:MAX_NAME_CHARS]: count for name, count in Counter(counts).most_common(MAX_COUNTED)}
