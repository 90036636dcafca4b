"""A model for a command: in a worker process where the system allows it, in this process elsewhere (Windows)."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.bundle import model_path
from edged.errors import UsageError
from edged.modelstore import find_at
from edged.sections import provider_name
from edged.worker.answer import Answer, Answering, Candidate, Scored
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.journal import Journal
from edged.worker.wire import Texts, pack_request, unpack_detections, unpack_scores


class LocalModel:
    """A model in this process, for systems without the means of a worker: nothing bounds or outlives it."""

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
        reply = self._model.serve(self._tensor, b"")
        return Answer(unpack_detections(reply.body), reply.inference_ms, reply.decode_ms)

    def score(self, _lane: int, numbers: NDArray[Any], texts: Texts = ()) -> Scored:
        """What the model says about windows of rows."""
        self._tensor[: numbers.size] = numbers.reshape(-1)
        reply = self._model.serve(self._tensor, pack_request(numbers.shape[0], numbers.shape[1], texts))
        return Scored(unpack_scores(reply.body), reply.inference_ms, reply.decode_ms)


def providers_of(given: Sequence[str] | None) -> tuple[str, ...]:
    """What ``--provider`` says; ``auto`` where it says nothing.

    Raises:
        UsageError: No such provider.
    """
    try:
        return tuple(provider_name(name) for name in given or ["auto"])
    except ValueError as error:
        raise UsageError("--provider", "names no provider", f"allowed: {error}") from error


def resolved(request: LoadRequest) -> LoadRequest:
    """The request for the very version that its path means: a bundled model's, or the one a folder of versions serves.

    Raises:
        InputNotFound: Nothing there.
        ConfigurationError: ``pinned`` names a version that is not there.
    """
    return replace(request, path=str(find_at(model_path(Path(request.path))).path))


@contextlib.contextmanager
def candidate(request: LoadRequest) -> Iterator[Candidate]:
    """A model that is still to be loaded, ended with the context.

    Args:
        request: As `resolved` gives it.

    Raises:
        WorkerLost: This machine cannot start a process for it.
    """
    if os.name != "posix":
        yield LocalModel(request)
        return
    from edged.worker.client import WorkerProcess

    worker = WorkerProcess(request.path, request)
    try:
        yield worker
    finally:
        worker.close()


@contextlib.contextmanager
def answering(request: LoadRequest) -> Iterator[tuple[Answering, ModelDescription]]:
    """A model ready to answer, ended with the context.

    Args:
        request: Its path may also name a folder of versions, or a bundled model.

    Raises:
        EdgedError: It cannot be loaded.
    """
    with candidate(resolved(request)) as model:
        yield model, model.load()
