"""A model for a command: in a worker process where the system allows it, in this process elsewhere (Windows)."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.bundle import model_path
from edged.errors import UsageError
from edged.modelstore import find_at
from edged.settings import provider_name
from edged.worker.answer import Answer
from edged.worker.description import LoadRequest, ModelDescription


class Answering(Protocol):
    """A loaded model with one lane, whichever process it lives in."""

    def tensor(self, lane: int) -> NDArray[Any]:
        """The input, to be filled."""
        ...

    def answer(self, lane: int) -> Answer:
        """What the model finds in it."""
        ...


class LocalModel:
    """A model in this process, for systems without the means of a worker: nothing bounds or outlives it."""

    def __init__(self, request: LoadRequest) -> None:
        from edged.worker.model import LoadedModel

        self._model = LoadedModel(request)
        self.description = self._model.description
        recipe = self.description.input
        self._tensor = np.zeros(recipe.shape, recipe.dtype)

    def tensor(self, _lane: int) -> NDArray[Any]:
        """The input, to be filled."""
        return self._tensor

    def answer(self, _lane: int) -> Answer:
        """What the model finds in it."""
        return self._model.answer(self._tensor)


def providers_of(given: Sequence[str] | None) -> tuple[str, ...]:
    """What ``--provider`` says; ``auto`` where it says nothing.

    Raises:
        UsageError: No such provider.
    """
    try:
        return tuple(provider_name(name) for name in given or ["auto"])
    except ValueError as error:
        raise UsageError("--provider", "names no provider", f"allowed: {error}") from error


@contextlib.contextmanager
def answering(request: LoadRequest) -> Iterator[tuple[Answering, ModelDescription]]:
    """A model ready to answer, ended with the context.

    Args:
        request: Its path may also name a folder of versions, or a bundled model.

    Raises:
        EdgedError: It cannot be loaded.
    """
    request = replace(request, path=str(find_at(model_path(Path(request.path))).path))
    if os.name != "posix":
        local = LocalModel(request)
        yield local, local.description
        return
    from edged.worker.client import WorkerProcess

    worker = WorkerProcess(request.path, request)
    try:
        yield worker, worker.load()
    finally:
        worker.close()


def describe(request: LoadRequest) -> ModelDescription:
    """What a model is.

    Raises:
        EdgedError: It cannot be loaded.
    """
    with answering(request) as (_, description):
        return description
