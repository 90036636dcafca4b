"""What a worker tells the daemon about a model, as plain data that travels as JSON; a `LoadRequest` goes before it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from edged.errors import ModelRejected
from edged.fit import Fit
from edged.manifest import InputRecipe, RowRecipe, TensorSpec
from edged.worker.choice import Choice, Tried
from edged.worker.request import LoadRequest, RowUse

__all__ = ["LoadRequest", "ModelDescription", "RowUse", "plain"]


def plain(value: Any) -> Any:
    """A value as JSON has it, dataclasses and all."""
    if isinstance(value, Fit):
        return value.value
    if isinstance(value, TensorSpec | InputRecipe | RowRecipe | Choice | Tried):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return value


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model that was loaded, tried and understood.

    Attributes:
        path: The ONNX file.
        digest: ``sha256:…`` of it.
        size_bytes: Of it.
        task: ``detect`` or ``classify`` for pictures, ``tabular`` for rows.
        family: How its outputs are read.
        why: The evidence for that.
        notes: What a user should know.
        labels: A name a class.
        input: How frames or rows are prepared; see `picture` and `rows`.
        input_name: Of the tensor that takes the picture; of the first input that takes rows.
        inputs: Declared.
        outputs: Declared.
        trial: What the outputs were on a trial run.
        min_score: Candidates below are dropped.
        iou: Overlap above which the weaker box of a class is dropped.
        max_detections: Kept of one frame.
        opsets: Version by domain.
        ir_version: Of the ONNX format.
        producer: Program that wrote it.
        metadata: Custom metadata of the file.
        external_data: Files that hold weights, relative to the model.
        node_count: Nodes in all its graphs.
        operators: Nodes by ``domain:type``, the most frequent; the standard domain without prefix.
        provider_asked: As configured.
        provider: What most of it really runs on.
        provider_nodes: Nodes by provider.
        provider_refused: Why earlier providers were passed over.
        providers_available: What this installation offers on this machine; without its plugins where ``cpu`` alone was
            asked for.
        runtime: Version by package.
        threads: Of one inference.
        step_ms: How long each step of the gate took that the worker goes through.
        load_ms: To make the session.
        latency_ms: Of one inference, warm.
        choice: What ``auto`` among the providers came to, and by how much; None where there was nothing to choose.
        batch: Pictures to one inference at most: as many as pay; 1 where the model takes no more.
        batch_ms: Of inferences of so many pictures, as measured while warming up; empty where there was no choice.
    """

    path: str
    digest: str
    size_bytes: int
    task: str
    family: str
    why: str
    notes: tuple[str, ...]
    labels: tuple[str, ...]
    input: InputRecipe | RowRecipe
    input_name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    trial: tuple[TensorSpec, ...]
    min_score: float
    iou: float
    max_detections: int
    opsets: Mapping[str, int]
    ir_version: int
    producer: str
    metadata: Mapping[str, str]
    external_data: tuple[str, ...]
    node_count: int
    operators: Mapping[str, int]
    provider_asked: tuple[str, ...]
    provider: str
    provider_nodes: Mapping[str, int]
    provider_refused: tuple[str, ...]
    providers_available: tuple[str, ...]
    runtime: Mapping[str, str]
    threads: int
    step_ms: Mapping[str, float]
    load_ms: float
    latency_ms: float
    batch: int
    batch_ms: Mapping[str, float]
    choice: Choice | None

    @property
    def picture(self) -> InputRecipe:
        """How frames are prepared.

        Raises:
            ModelRejected: It takes rows.
        """
        if isinstance(self.input, RowRecipe):
            raise ModelRejected(
                self.path,
                "is for rows of a sensor, not for pictures",
                "use `edged score`, or name it at a sensor",
            )
        return self.input

    @property
    def slot_shape(self) -> tuple[int, ...]:
        """Of a lane's memory: all the tensors that are given to one inference."""
        if isinstance(self.input, RowRecipe):
            return self.input.shape
        return (self.batch, *self.input.shape[1:])

    @property
    def takes_batches(self) -> bool:
        """Whether the batch of the pictures it takes is open."""
        return any(
            spec.name == self.input_name and len(spec.shape) == 4 and not isinstance(spec.shape[0], int)
            for spec in self.inputs
        )

    @property
    def rows(self) -> RowRecipe:
        """How rows are prepared.

        Raises:
            ModelRejected: It takes pictures.
        """
        if isinstance(self.input, InputRecipe):
            raise ModelRejected(
                self.path,
                "is for pictures, not for rows of a sensor",
                "use `edged detect`, or name it at a camera",
            )
        return self.input

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelDescription":
        """From JSON values."""
        specs = {
            key: tuple(TensorSpec(s["name"], tuple(s["shape"]), s["dtype"]) for s in values[key])
            for key in ("inputs", "outputs", "trial")
        }
        tuples = {
            key: tuple(values[key])
            for key in (
                "notes",
                "labels",
                "provider_asked",
                "provider_refused",
                "providers_available",
                "external_data",
            )
        }
        choice = values.get("choice") and Choice.from_dict(values["choice"])
        return cls(**{**values, **specs, **tuples, "input": _recipe(values["input"]), "choice": choice})


def _recipe(values: Mapping[str, Any]) -> InputRecipe | RowRecipe:
    recipe: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    if "features" in recipe:
        return RowRecipe(**recipe)
    return InputRecipe(**{**recipe, "fit": Fit(recipe["fit"])})
