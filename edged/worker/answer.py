"""What a model said to one tensor."""

from dataclasses import dataclass

from edged.detection import Detections


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one tensor.

    Attributes:
        detections: Boxes in model pixels, best first.
        inference_ms: In the runtime.
        decode_ms: From its outputs to boxes, suppression included.
    """

    detections: Detections
    inference_ms: float
    decode_ms: float
