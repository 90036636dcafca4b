"""Anomaly detectors: a verdict of the model's with its score, a score beside a threshold, or a reconstruction.

scikit-learn's isolation forest, one-class SVM and local outlier factor answer 1 for what is usual and -1 for what is
not, and their score is the lower the stranger a row is. A score alone, and the error of an autoencoder, grow with
strangeness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edged.decode.tabular.family import Array, RowEvidence, RowRecognition, as_matrix, refused
from edged.decode.tabular.outputs import Output
from edged.decode.tabular.values import left_out, shown
from edged.errors import InferenceFailed
from edged.rows import Scores

_SCORES = ("scores", "score", "decision_function", "score_samples", "anomaly_score")
_SAY_THRESHOLD = "say in model.toml from which score on it is an anomaly: [output] threshold = …"


@dataclass(frozen=True, slots=True)
class Verdict:
    """1 or -1 and a score; the lower the stranger.

    Attributes:
        label: The verdict.
        score: Given as it is.
        threshold: Scores below it are anomalies, whatever the verdict; None for the verdict.
    """

    label: Output
    score: Output
    threshold: float | None

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        label = self.label.entries(outputs, len(fed)).reshape(len(fed))
        if not _are_verdicts(label):
            raise InferenceFailed("", f"gave another verdict than 1 and -1 in {self.label.name!r}")
        score = as_matrix(self.score.entries(outputs, len(fed)))
        anomaly = label == -1 if self.threshold is None else score[:, 0] < self.threshold
        return Scores("anomaly", anomaly=anomaly, values=score)


@dataclass(frozen=True, slots=True)
class Above:
    """A score; the higher the stranger.

    Attributes:
        score: Given as it is.
        threshold: Scores above it are anomalies.
    """

    score: Output
    threshold: float

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        score = as_matrix(self.score.entries(outputs, len(fed)))
        return Scores("anomaly", anomaly=score[:, 0] > self.threshold, values=score)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What went in, once more; the score is how far it is from that, as a mean over all numbers of a window.

    Attributes:
        output: The reconstruction.
        threshold: Errors above it are anomalies.
        error: Of squares (``mse``), or of magnitudes (``mae``): of 1, 2 and 1, 5 it is 4.5, or 1.5.
        fields_first: Whether it has the fields before the rows.
    """

    output: Output
    threshold: float
    error: Literal["mse", "mae"] = "mse"
    fields_first: bool = False

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        rebuilt = as_matrix(self.output.entries(outputs, len(fed)))
        wanted = as_matrix(fed.transpose(0, 2, 1) if self.fields_first else fed)
        if rebuilt.shape != wanted.shape:
            raise InferenceFailed(
                "", f"gave {rebuilt.shape[1]} values in {self.output.name!r} for {wanted.shape[1]}"
            )
        apart = rebuilt - wanted
        score = (apart**2 if self.error == "mse" else np.abs(apart)).mean(axis=1, keepdims=True)
        return Scores("anomaly", anomaly=score[:, 0] > self.threshold, values=score)


def looks_like_verdict(evidence: RowEvidence, seen: Sequence[Output]) -> bool:
    """Whether it answers 1 or -1 beside a score, and is no classifier of two classes that are called so."""
    pair = _verdict_and_score(evidence, seen)
    if pair is None or evidence.class_labels or any(output.size > 1 for output in seen):
        return False
    label, score = pair
    return score.name.lower() in _SCORES or bool((evidence.trial[label.position] == -1).any())


def looks_like_score(evidence: RowEvidence, seen: Sequence[Output]) -> bool:
    """Whether it is one number a window, and there is a threshold for it."""
    echo = evidence.error is not None and reconstruction(evidence, seen) is not None
    return evidence.threshold is not None and len(seen) == 1 and seen[0].is_single and not echo


def reconstruction(evidence: RowEvidence, seen: Sequence[Output]) -> Output | None:
    """The output with as many numbers a window as went in; None where there is none, or several."""
    fed = evidence.fed[0].size if evidence.windows else 0
    found = [output for output in seen if output.kind == "numbers" and output.size == fed]
    return found[0] if len(found) == 1 else None


def recognise_anomaly(evidence: RowEvidence, seen: tuple[Output, ...]) -> RowRecognition:
    """A verdict with its score, or a score with a threshold.

    Raises:
        ModelRejected: It gives neither, or there is no threshold.
    """
    notes = ("labels are not used: it tells anomalies",) if evidence.labels else ()
    pair = _verdict_and_score(evidence, seen)
    if pair:
        label, score = pair
        why = f"{label.name} is 1 or -1, {score.name} its score"
        if evidence.threshold is not None:
            why += f"; an anomaly below {evidence.threshold:g}, as model.toml says"
        decoder = Verdict(label, score, evidence.threshold)
        return RowRecognition("anomaly", why, (), notes + left_out(seen, pair), decoder)
    alone = _score(seen)
    if alone is None:
        raise refused(
            f"is no anomaly detector: it gives {shown(seen)}, and neither one score nor 1 and -1",
            "correct family in model.toml",
        )
    if evidence.threshold is None:
        raise refused("gives a score and no verdict", _SAY_THRESHOLD)
    why = f"{alone.name} is a score; an anomaly above {evidence.threshold:g}, as model.toml says"
    above = Above(alone, evidence.threshold)
    return RowRecognition("anomaly", why, (), notes + left_out(seen, (alone,)), above)


def recognise_autoencoder(evidence: RowEvidence, seen: tuple[Output, ...]) -> RowRecognition:
    """What comes out is compared with what went in.

    Raises:
        ModelRejected: It has another size, or there is no threshold.
    """
    output = reconstruction(evidence, seen)
    if output is None:
        fed = list(evidence.fed.shape[1:])
        raise refused(
            f"is no autoencoder: it takes {fed} and gives {shown(seen)}", "correct family in model.toml"
        )
    if evidence.threshold is None:
        raise refused("gives back what went in, and no verdict", _SAY_THRESHOLD)
    error = evidence.error or "mse"
    notes = ("labels are not used: it tells anomalies",) if evidence.labels else ()
    return RowRecognition(
        "autoencoder",
        f"{output.name} has the shape of the input; an anomaly above a {error} of {evidence.threshold:g}, "
        "as model.toml says",
        (),
        notes + left_out(seen, (output,)),
        Reconstruction(output, evidence.threshold, error, _has_fields_first(output, evidence.fed)),
    )


def _has_fields_first(output: Output, fed: Array) -> bool:
    rows, fields = fed.shape[1:]
    sizes = tuple(size for size in output.shape if size > 1)
    return rows != fields and sizes == (fields, rows)


def _verdict_and_score(evidence: RowEvidence, seen: Sequence[Output]) -> tuple[Output, Output] | None:
    labels = [output for output in seen if output.is_label and output.kind == "integers"]
    score = _score(seen)
    if len(labels) != 1 or score is None or not _are_verdicts(evidence.trial[labels[0].position]):
        return None
    return labels[0], score


def _score(seen: Sequence[Output]) -> Output | None:
    """The output of one number a window that is called a score, else the first."""
    found = [output for output in seen if output.is_single]
    return min(
        found, key=lambda o: _SCORES.index(o.name) if o.name in _SCORES else len(_SCORES), default=None
    )


def _are_verdicts(label: Array) -> bool:
    return bool(np.isin(label, (1, -1)).all())
