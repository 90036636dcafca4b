"""What a model said to one picture or to some windows of rows, and what is asked for it."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from edged.detection import Detections
from edged.rows import Scores
from edged.worker.description import ModelDescription
from edged.worker.journal import Progress
from edged.worker.wire import Texts


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one tensor.

    Attributes:
        detections: Boxes in model pixels, best first.
        inference_ms: In the runtime.
        decode_ms: From its outputs to boxes, suppression included.
        low: Boxes that are less sure than is asked for, where somebody wants them.
    """

    detections: Detections
    inference_ms: float
    decode_ms: float
    low: Detections = field(default_factory=Detections.empty)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said to some windows of rows.

    Attributes:
        scores: Of each window.
        inference_ms: In the runtime, of all of them.
        decode_ms: From its outputs to scores.
    """

    scores: Scores
    inference_ms: float
    decode_ms: float


class Answering(Protocol):
    """A loaded model with one lane, whichever process it lives in; one of pictures, or one of rows."""

    def tensor(self, lane: int) -> NDArray[Any]:
        """The input, to be filled."""
        ...

    def answer(self, lane: int) -> Answer:
        """What the model finds in it."""
        ...

    def score(self, lane: int, numbers: NDArray[Any], texts: Texts = ()) -> Scored:
        """What the model says about windows of rows."""
        ...


class Candidate(Answering, Protocol):
    """A model that is still to be loaded.

    Attributes:
        progress: How far it came.
    """

    progress: Progress

    def load(self) -> ModelDescription:
        """Load, try and understand it; to be called once, before it answers."""
        ...
