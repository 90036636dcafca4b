"""What the daemon tells a worker about the model that it is to load, as plain data that travels as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RowUse:
    """A sensor that wants a model to score its rows.

    Attributes:
        sensor: Its name.
        fields: Those that it was configured with; empty = the model's own.
        window: Rows to one inference; 0 = what the model takes.
        fixed: Whether every window has as many rows; not so where it is a time.
    """

    sensor: str
    fields: tuple[str, ...] = ()
    window: int = 0
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Which model to load, and how.

    Attributes:
        path: The ONNX file, or a folder that holds one.
        providers: In order of preference.
        require_provider: Refuse the model rather than run it on another than the first.
        min_score: Overrides the model's own.
        low_score: Detections down to this are told of, too, apart from the others: tracks go on with them. None = none.
        labels: Keep only these; empty = all.
        threads: Of one inference; 0 = measured with the provider ``auto``, else one, or this caller's share of the
            cores where the model is slow.
        callers: How many inferences may run at once.
        precision: ``f32``, ``f16`` or ``bf16``, where the provider lets one choose; ``auto`` is ``f32``.
        optimize: ``latency``, ``throughput``, or ``auto``: throughput with several callers.
        batch: Pictures that may be given to one inference at most, where the model takes several and it pays.
        max_batch_ms: An inference of several pictures must not take longer.
        max_memory_bytes: Of the process.
        digest: ``sha256:…`` that the file must have; empty = any.
        serves: What it is to be shown: ``pictures``, ``rows``, or ``any`` of them.
        rows: The sensors that want it.
        beside: Another version serves meanwhile: measure with pauses.
        warm_runs: Warm inferences that its latency is the least of, which bounds how long an answer may take; 0 = that
            of the trial will do.
    """

    path: str
    providers: tuple[str, ...] = ("auto",)
    require_provider: bool = False
    min_score: float | None = None
    low_score: float | None = None
    labels: tuple[str, ...] = ()
    threads: int = 0
    callers: int = 1
    precision: str = "auto"
    optimize: str = "auto"
    batch: int = 1
    max_batch_ms: float = 250.0
    max_memory_bytes: int = 0
    digest: str = ""
    serves: Literal["any", "pictures", "rows"] = "any"
    rows: tuple[RowUse, ...] = ()
    beside: bool = False
    warm_runs: int = 3

    @property
    def throughput(self) -> bool:
        """Whether inferences a second count more than the wait for one."""
        return self.callers > 1 if self.optimize == "auto" else self.optimize == "throughput"

    @property
    def arithmetic(self) -> str:
        """The precision to ask a provider for."""
        return "f32" if self.precision == "auto" else self.precision

    def to_json(self) -> bytes:
        """For the other process."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "LoadRequest":
        """From the other process."""
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("providers", "labels")}
        rows = tuple(RowUse(**{**use, "fields": tuple(use["fields"])}) for use in values["rows"])
        return cls(**{**values, **lists, "rows": rows})
