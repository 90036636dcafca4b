"""From a request to the model that runs in a worker: one of pictures, or one of rows."""

from typing import TYPE_CHECKING

from edged.decode.rowfamilies import FAMILIES
from edged.manifest import Manifest, TensorSpec
from edged.worker.description import LoadRequest
from edged.worker.journal import Journal
from edged.worker.model import LoadedModel
from edged.worker.opening import Opened
from edged.worker.picture import is_picture
from edged.worker.tabular import tabular_evidence

if TYPE_CHECKING:
    from edged.worker.rowmodel import RowModel


def load_model(request: LoadRequest, journal: Journal | None = None) -> "LoadedModel | RowModel":
    """Load, try and understand a model.

    Args:
        request: Which, how, and what it is to be shown.
        journal: Hears of each step and of all that becomes known.

    Raises:
        InputNotFound: No such file.
        ModelRejected: It cannot be read, run, or understood, or is for something else.
        RuntimeMissing: No ONNX Runtime, or a required provider is not there.
    """
    opened = Opened(request, journal)
    with opened.journal.step("shapes"):
        why = _why_rows(opened)
        if why and request.serves == "pictures":
            opened.know(task="tabular", why=why)
            raise opened.misfit(
                f"is for rows of a sensor, not for pictures (tabular: {why})", "name it at a sensor"
            )
        if not why and request.serves == "rows":
            raise opened.misfit(
                f"is for pictures, not for rows of a sensor ({_shown(opened.session.inputs)})",
                'name it at a camera, or say task = "tabular" in model.toml',
            )
    if not why:
        return LoadedModel(request, opened=opened)
    from edged.worker.rowmodel import RowModel  # noqa: PLC0415  # it takes a tenth of a start, and pictures need none

    return RowModel(opened, why)


def _why_rows(opened: Opened) -> str | None:
    """Why a model is for rows; None where it is for pictures."""
    task, inputs, serves = opened.manifest.task, opened.session.inputs, opened.request.serves
    said = _said_of_rows(opened.manifest)
    if task in {"detect", "classify"} and said:
        problem = f'model.toml says task = "{task}" and {said}, which only models of rows have'
        raise opened.rejected(problem, "take one of the two out")
    if task is not None or said:
        return f"model.toml says {said}" if said else None
    if opened.summary.metadata.get("task") == "tabular":
        return "its metadata says so"
    evidence = tabular_evidence(inputs, opened.session.outputs, opened.summary.operators)
    pictures = [spec for spec in inputs if is_picture(spec)]
    if evidence or any(len(spec.shape) == 4 for spec in pictures):
        return evidence
    if pictures:  # or windows of three rows or fields
        return f"a sensor wants it ({_shown(inputs)})" if serves == "rows" else None
    if serves == "rows" or all(len(spec.shape) in {1, 2, 3} for spec in inputs):
        return f"no input takes a picture ({_shown(inputs)})"
    return None


def _said_of_rows(manifest: Manifest) -> str:
    """A key of ``model.toml`` that only models of rows have; empty where there is none."""
    said = {
        "so": manifest.task == "tabular",
        f'family = "{manifest.family}"': manifest.family in FAMILIES,
        "input.fields": manifest.input.fields is not None,
        "input.window": manifest.input.window is not None,
        "output.threshold": manifest.output.threshold is not None,
        "output.error": manifest.output.error is not None,
    }
    return next((key for key, is_said in said.items() if is_said), "")


def _shown(inputs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in inputs)[:200]
