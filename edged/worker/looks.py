"""One frame through one loaded model in several parts, each at the model's size, and one answer of them all."""

from edged.frame import Frame
from edged.regions import regions_of
from edged.worker.answer import Answering
from edged.worker.description import ModelDescription
from edged.worker.looking import Look, Seen


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
        self._description, self._look = description, Look(answers, description.picture)
        self._crop, self._overlap = crop, overlap
        self._tiles = tiles if description.task == "detect" else (1, 1)

    def see(self, frame: Frame) -> Seen:
        """What the model finds in a frame; times are those of all parts together.

        Raises:
            BadInput: The frame is broken, or the model gave no answer to it.
            WorkerLost: The process of the model died or hung.
        """
        model, recipe = self._description, self._description.picture
        regions = regions_of(
            frame.width,
            frame.height,
            model=(recipe.width, recipe.height),
            crop=self._crop,
            tiles=self._tiles,
            overlap=self._overlap,
        )
        return self._look.see(frame, regions, iou=model.iou, max_detections=model.max_detections)
