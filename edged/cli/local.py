"""A model in the process of a command, for systems without the means of a worker."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.worker.answer import Answer, Scored
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.journal import Journal
from edged.worker.wire import Texts, pack_pictures, pack_request, unpack_answers, unpack_scores


class LocalModel:
    """A model in this process: nothing bounds or outlives it."""

    def __init__(self, request: LoadRequest) -> None:
        self._request, self._journal = request, Journal()
        self.progress = self._journal.progress

    def load(self) -> ModelDescription:
        """Load, try and understand it."""
        from edged.worker.loading import load_model

        self._model = load_model(self._request, self._journal)
        recipe = self._model.description.input
        self._tensor = np.zeros(recipe.shape, recipe.dtype)
        return self._model.description

    def tensor(self, _lane: int) -> NDArray[Any]:
        """The input, to be filled."""
        return self._tensor

    def answer(self, _lane: int) -> Answer:
        """What the model finds in it."""
        reply = self._model.serve(self._tensor, pack_pictures(0, 1))
        (found,) = unpack_answers(reply.body, 1)
        return Answer(found, reply.inference_ms, reply.decode_ms)

    def score(self, _lane: int, numbers: NDArray[Any], texts: Texts = ()) -> Scored:
        """What the model says about windows of rows."""
        self._tensor[: numbers.size] = numbers.reshape(-1)
        reply = self._model.serve(self._tensor, pack_request(numbers.shape[0], numbers.shape[1], texts))
        return Scored(unpack_scores(reply.body), reply.inference_ms, reply.decode_ms)
