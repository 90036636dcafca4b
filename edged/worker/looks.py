"""One frame through one loaded model in several parts, each at the model's size, and one answer of them all."""

import time

from edged.decode.seams import merge
from edged.frame import Frame
from edged.preprocess import Preparer
from edged.regions import regions_of
from edged.worker.answer import Answering
from edged.worker.description import ModelDescription
from edged.worker.looking import Seen, in_frame


class Looks:
    """Frames through one model, one after the other, each in the same parts. Owned by one thread."""

    def __init__(
        self,
        answers: Answering,
        description: ModelDescription,
        *,
        crop: tuple[float, float, float, float] | None = None,
        tiles: tuple[int, int] = (1, 1),
        overlap: float = 0.2,
    ) -> None:
        """See `edged.regions.regions_of`; a classifier is asked about the area as a whole only.

        Raises:
            ModelRejected: The model takes rows.
        """
        self._answers, self._description = answers, description
        self._preparer = Preparer(description.picture)
        self._crop, self._overlap = crop, overlap
        self._tiles = tiles if description.task == "detect" else (1, 1)

    def see(self, frame: Frame) -> Seen:
        """What the model finds in a frame; times are those of all parts together.

        Raises:
            BadInput: The frame is broken, or the model gave no answer to it.
            WorkerLost: The process of the model died or hung.
        """
        recipe = self._description.picture
        regions = regions_of(
            frame.width,
            frame.height,
            model=(recipe.width, recipe.height),
            crop=self._crop,
            tiles=self._tiles,
            overlap=self._overlap,
        )
        prepare_s = inference_ms = decode_ms = 0.0
        found = []
        for region in regions:
            started = time.perf_counter()
            transform = self._preparer.prepare(frame, self._answers.tensor(0), region)
            prepare_s += time.perf_counter() - started
            answer = self._answers.answer(0)
            inference_ms, decode_ms = inference_ms + answer.inference_ms, decode_ms + answer.decode_ms
            found.append(in_frame(answer, transform))
        started = time.perf_counter()
        detections = merge(
            found, regions, iou=self._description.iou, max_detections=self._description.max_detections
        )
        decode_ms += (time.perf_counter() - started) * 1000
        return Seen(frame, detections, prepare_s * 1000, inference_ms, decode_ms)
