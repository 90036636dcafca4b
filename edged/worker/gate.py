"""The gate that a model passes before it serves: named steps, each timed; the first that fails ends it.

    complete → digest → readable → shapes → provider → warm-up → golden

The first two look at files from outside. ``readable`` to ``warm-up`` happen in the worker process that will serve
(`edged.worker.model`), which tells of each. ``golden`` asks that process for its answers to pictures whose content is
known. ``swap`` and ``probation``, the contract's last two, need a daemon that serves and are not here.
"""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edged.detection import Detections, label_of
from edged.errors import EdgedError, ModelRejected
from edged.manifest import ExpectedObject, Golden, ModelFiles, RowRecipe, model_files, read_manifest
from edged.modelstore.digests import sha256_of
from edged.worker.answer import Candidate
from edged.worker.choice import Choice
from edged.worker.description import ModelDescription
from edged.worker.looking import Look, picture_frame

OUTSIDE = ("complete", "digest")
IN_WORKER = ("readable", "shapes", "provider", "warm-up")
STEPS = (*OUTSIDE, *IN_WORKER, "golden")

QUIET_S = 1.0
"""A file that nobody touched for so long is taken to be whole."""
SAME_PLACE = 0.5
"""Overlap (intersection over union) from which a found box is the one that was expected."""
_SHOWN = 4


@dataclass(slots=True)
class Step:
    """What one step said.

    Attributes:
        name: One of `STEPS`.
        verdict: ``passed``, ``failed``, ``none`` (there was nothing to try) or ``not run``.
        ms: How long it took; None where it did not run.
        note: What was found, or what is wrong.
    """

    name: str
    verdict: str = "not run"
    ms: float | None = None
    note: str = ""


class Gate:
    """One candidate's way. The methods are called in the order they stand here; each raises why it is rejected.

    Attributes:
        steps: What each step said until now, all of them, in order.
    """

    def __init__(self, path: Path, *, quiet_s: float = QUIET_S) -> None:
        """Nothing is looked at yet.

        Args:
            path: The file or folder of a version.
            quiet_s: How long nobody may have written to it.
        """
        self.steps = [Step(name) for name in STEPS]
        self._path, self._quiet_s = path, quiet_s
        self._digest = ""

    def files(self, *, digest: str | None = None) -> ModelFiles:
        """``complete`` and ``digest``: the files are there, nobody writes to them, and they are the ones wanted.

        Args:
            digest: ``sha256:…`` that the model must have, or None.

        Raises:
            InputNotFound: Nothing there.
            ModelRejected: Not whole yet, not readable, or another digest.
        """
        with self._step("complete") as step:
            files = _wait_until_quiet(self._path, self._quiet_s)
            held = [path.name for path in (files.onnx, files.manifest, files.labels) if path]
            step.note = f"{', '.join(held)}; {files.onnx.stat().st_size:,} bytes"
        with self._step("digest") as step:
            self._digest = step.note = _digest(files.onnx)
            if digest and digest != self._digest:
                raise ModelRejected(
                    str(files.onnx), f"has the digest {self._digest}, expected {digest}", "it is another file"
                )
        return files

    def load(self, candidate: Candidate) -> ModelDescription:
        """``readable``, ``shapes``, ``provider``, ``warm-up``: in the process that will serve.

        Raises:
            ModelRejected, RuntimeMissing, WorkerLost: As `WorkerProcess.load`.
        """
        progress = candidate.progress
        try:
            description = candidate.load()
            if description.digest != self._digest:
                progress.step = "readable"
                raise ModelRejected(
                    description.path, "was changed while it was looked at", "try again when it is whole"
                )
        except EdgedError as error:
            self._take_down(
                progress.step_ms, progress.known, failed=progress.step or IN_WORKER[0], problem=error.problem
            )
            raise
        self._take_down(progress.step_ms, progress.known)
        return description

    def golden(
        self, candidate: Candidate, description: ModelDescription, fields: tuple[str, ...] = ()
    ) -> None:
        """``golden``: in every golden picture, or file of rows, the model finds what its ``model.toml`` expects.

        Args:
            candidate: Loaded.
            description: Of it.
            fields: Of a row, in the order of the model's; empty = its own names.

        Raises:
            ModelRejected: It does not, or a picture or an expectation is no good; the text says which.
        """
        with self._step("golden") as step:
            manifest = model_files(Path(description.path)).manifest
            pictures = read_manifest(manifest).golden
            if manifest is None or not pictures:
                step.verdict = "none"
                return
            if isinstance(description.input, RowRecipe):
                for rows in pictures:
                    path = _inside(manifest.parent, rows.input, description.path)
                    from edged.worker.goldenrows import prove_rows  # noqa: PLC0415  # of cameras there are none

                    prove_rows(candidate, description, path, rows, fields)
                step.note = f"{len(pictures)} file{'' if len(pictures) == 1 else 's'} of rows as expected"
                return
            look = Look(candidate, description.picture)
            for picture in pictures:
                _prove(look, description, manifest.parent, picture)
            step.note = f"{len(pictures)} picture{'' if len(pictures) == 1 else 's'} as expected"

    @contextmanager
    def _step(self, name: str) -> Iterator[Step]:
        step = self.steps[STEPS.index(name)]
        started = time.perf_counter()
        step.verdict = "passed"
        try:
            yield step
        except EdgedError as error:
            step.verdict, step.note = "failed", error.problem
            raise
        finally:
            step.ms = round((time.perf_counter() - started) * 1000, 3)

    def _take_down(
        self, taken_ms: dict[str, float], known: dict[str, Any], failed: str = "", problem: str = ""
    ) -> None:
        """What the worker told of its steps; what comes behind a failed one counts as not run."""
        for name in IN_WORKER:
            step = self.steps[STEPS.index(name)]
            if name == failed:
                step.verdict, step.ms, step.note = "failed", taken_ms.get(name), problem
                return
            if name in taken_ms:
                step.verdict, step.ms, step.note = "passed", taken_ms[name], _note(name, known)


def _note(step: str, known: dict[str, Any]) -> str:
    """What a passed step found, in a few words."""
    if step == "readable":
        opset = known["opsets"].get("ai.onnx", "none")
        return f"opset {opset}, {known['node_count']:,} nodes"
    if step == "shapes":
        recipe = known["input"]
        if "features" in recipe:
            rows = f"windows of {recipe['window']} rows, " if recipe["window"] > 1 else ""
            return f"{known['task']}, {known['family']}, {rows}{recipe['features']} fields"
        return f"{known['task']}, {known['family']}, {recipe['width']} × {recipe['height']}"
    if step == "provider":
        over = "".join(f"; passed over {reason}" for reason in known["provider_refused"])
        chosen = f"; chosen {Choice.from_dict(known['choice']).text}" if known.get("choice") else ""
        return f"{known['provider']}{chosen}{over}"
    threads = known["threads"]
    return f"{known['latency_ms']:.1f} ms an inference on {threads} thread{'' if threads == 1 else 's'}"


def _wait_until_quiet(path: Path, quiet_s: float) -> ModelFiles:
    files = model_files(path)
    before = _states(files)
    newest_s = max(written_ns for _, written_ns in before) / 1e9
    wait_s = quiet_s - (time.time() - newest_s)
    if wait_s > 0:
        time.sleep(min(wait_s, quiet_s))  # nothing tells when a copy is done
        if _states(files) != before:
            raise ModelRejected(str(path), "is still being written", "wait until all of it is there")
    return files


def _states(files: ModelFiles) -> list[tuple[int, int]]:
    """Bytes and time of the last write of each file."""
    found = []
    for file in (files.onnx, files.manifest, files.labels):
        if file is None:
            continue
        try:
            state = file.stat()
        except OSError as error:
            raise ModelRejected(str(file), f"cannot be read ({error.strerror})", "check the file") from error
        if not stat.S_ISREG(state.st_mode):
            raise ModelRejected(str(file), "is no file", "name an .onnx file or a folder that holds one")
        found.append((state.st_size, state.st_mtime_ns))
    return found


def _digest(onnx: Path) -> str:
    try:
        return f"sha256:{sha256_of(onnx)}"
    except OSError as error:
        raise ModelRejected(
            str(onnx), f"cannot be read ({error.strerror})", "check the file and its permissions"
        ) from error


def _prove(look: Look, description: ModelDescription, folder: Path, golden: Golden) -> None:
    subject = description.path
    _check_expectations(golden, description)
    try:
        found = look.see(picture_frame(_inside(folder, golden.input, subject))).detections
    except ModelRejected:
        raise
    except EdgedError as error:
        raise ModelRejected(
            subject, f"golden picture {golden.input!r}: {error.problem}", error.remedy
        ) from error
    missing = unmatched(golden.expect, found, description.labels, whole=description.task == "classify")
    if missing:
        raise ModelRejected(
            subject,
            f"does not find {_shown(missing[0])} in its golden picture {golden.input!r}, "
            f"but {_listed(found, description.labels)}",
            "do not serve it, or correct [[golden]] in model.toml",
        )


def _inside(folder: Path, name: str, subject: str) -> Path:
    """A golden picture's file: in the folder of its ``model.toml``, and a plain one; a pipe would be waited for."""
    pure = PurePosixPath(name)
    path = folder / pure
    outside = pure.is_absolute() or ".." in pure.parts or os.path.isabs(name)  # noqa: PTH117  # drives of Windows
    if outside or not path.is_file():
        problem = "lies outside its folder" if outside else "is not there"
        raise ModelRejected(
            subject, f"golden input {name!r} {problem}", "put it into the folder of model.toml"
        )
    return path


def _check_expectations(golden: Golden, description: ModelDescription) -> None:
    for one in golden.expect:
        where = f"golden picture {golden.input!r} expects {_shown(one)}"
        if one.label is None:
            raise ModelRejected(
                description.path, f"golden picture {golden.input!r} expects no label", "say which"
            )
        if one.label not in description.labels:
            known = ", ".join(description.labels[:_SHOWN])
            raise ModelRejected(
                description.path,
                f"{where}, a label that the model does not have",
                f"it has {known}" + (" …" if len(description.labels) > _SHOWN else ""),
            )
        if description.task == "detect" and one.box is None:
            raise ModelRejected(
                description.path,
                f"{where} without a box, which is unclear for a detector",
                "add box = [x1, y1, x2, y2] in pixels of the picture",
            )
        if description.task == "classify" and one.box is not None:
            raise ModelRejected(
                description.path, f"{where}, and a classifier gives no boxes", "leave the box out"
            )


def unmatched(
    expected: Sequence[ExpectedObject], found: Detections, labels: Sequence[str], *, whole: bool
) -> list[ExpectedObject]:
    """Which expected objects were not found; each found one counts for one expected one.

    Args:
        expected: What must be there; more may be.
        found: In frame pixels.
        labels: A name a class.
        whole: The labels are those of whole pictures: they must be among those found, and a single one the best.

    Returns:
        Those without a found object of the same label and, unless ``whole``, of an overlap of at least `SAME_PLACE`,
        where no better assignment of one to the other exists.
    """
    names = [label_of(labels, int(class_id)) for class_id in found.class_id]
    if whole:
        best = names[:1] if len(expected) == 1 else names
        return [one for one in expected if one.label not in best]
    fits = [
        [
            n
            for n, name in enumerate(names)
            if name == one.label and _overlap(one.box, found.xyxy[n]) >= SAME_PLACE
        ]
        for one in expected
    ]
    owner: dict[int, int] = {}
    return [one for number, one in enumerate(expected) if not _assign(number, fits, owner, set())]


def _assign(number: int, fits: Sequence[Sequence[int]], owner: dict[int, int], seen: set[int]) -> bool:
    """Give an expected object a found one, moving others where that makes room (Kuhn's augmenting path)."""
    for candidate in fits[number]:
        if candidate in seen:
            continue
        seen.add(candidate)
        if candidate not in owner or _assign(owner[candidate], fits, owner, seen):
            owner[candidate] = number
            return True
    return False


def _overlap(expected: Sequence[float] | None, found: Any) -> float:
    """Intersection over union of two boxes."""
    if expected is None:
        return 0.0
    a, b = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(0.0, width) * max(0.0, height)
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / union) if union > 0 else 0.0


def _shown(one: ExpectedObject) -> str:
    return (
        str(one.label)
        if one.box is None
        else f"{one.label} at [{', '.join(f'{edge:g}' for edge in one.box)}]"
    )


def _listed(found: Detections, labels: Sequence[str]) -> str:
    shown = [
        f"{label_of(labels, int(class_id))} {score:.2f} at [{', '.join(f'{edge:.0f}' for edge in box)}]"
        for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True)
    ]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (", ".join(shown[:_SHOWN]) + more) or "nothing"
