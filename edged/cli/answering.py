"""A model for a command: in a worker process where the system allows it, in this process elsewhere (Windows)."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edged.bounds import provider_name
from edged.bundle import model_path
from edged.errors import NotAllowed, UsageError
from edged.modelstore import find_at
from edged.worker.request import LoadRequest
from edged.worker.starting import ask_ahead

if TYPE_CHECKING:
    from edged.worker.answer import Answering, Candidate
    from edged.worker.description import ModelDescription


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
        NotAllowed: It may not be read. To a daemon that is a candidate to reject; here a person can help.
        ConfigurationError: ``pinned`` names a version that is not there.
    """
    try:
        path = find_at(model_path(Path(request.path))).path
        models = list(path.glob("*.onnx")) if path.is_dir() else [path]
    except PermissionError as error:
        raise _not_allowed(error.filename or request.path) from error
    for one in [path, *models]:
        if not os.access(one, os.R_OK):
            raise _not_allowed(one)
    return replace(request, path=str(path))


def _not_allowed(path: str | Path) -> NotAllowed:
    return NotAllowed(str(path), "may not be read by this user", "check its permissions")


@contextlib.contextmanager
def candidate(
    request: LoadRequest, *, meanwhile: Callable[[], object] = lambda: None
) -> Iterator["Candidate"]:
    """A model that is still to be loaded, ended with the context.

    Args:
        request: As `resolved` gives it.
        meanwhile: Called while a process that was started ahead loads it, if there is one.

    Raises:
        WorkerLost: This machine cannot start a process for it.
    """
    ask_ahead(request.to_json())  # before what it takes to understand the answer
    meanwhile()
    if os.name != "posix":
        from edged.cli.local import LocalModel

        yield LocalModel(request)
        return
    from edged.worker.client import WorkerProcess

    worker = WorkerProcess(request.path, request)
    try:
        yield worker
    finally:
        worker.close()


@contextlib.contextmanager
def answering(
    request: LoadRequest, *, meanwhile: Callable[[], object] = lambda: None
) -> Iterator["tuple[Answering, ModelDescription]"]:
    """A model ready to answer, ended with the context.

    Args:
        request: Its path may also name a folder of versions, or a bundled model.
        meanwhile: See `candidate`.

    Raises:
        EdgedError: It cannot be loaded.
    """
    with candidate(resolved(request), meanwhile=meanwhile) as model:
        yield model, model.load()
