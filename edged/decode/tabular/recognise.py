"""Which way the outputs of a model of rows are read, decided once when it is loaded.

What ``model.toml`` says comes first. Else: a verdict with a score, a threshold that something is compared with, a
class, values; and what is none of these is passed on as it came.
"""

from difflib import get_close_matches

from edged.decode.rowfamilies import FAMILIES
from edged.decode.tabular.anomaly import (
    looks_like_score,
    looks_like_verdict,
    recognise_anomaly,
    recognise_autoencoder,
    reconstruction,
)
from edged.decode.tabular.classifier import recognise_classifier
from edged.decode.tabular.family import RowEvidence, RowRecognition, refused
from edged.decode.tabular.outputs import Output, seen_outputs
from edged.decode.tabular.values import recognise_outputs, recognise_regressor, shown

_MAY_REBUILD = (
    "its output has the shape of its input: if it is an autoencoder, say [output] threshold in model.toml"
)


def recognise_rows(evidence: RowEvidence) -> RowRecognition:
    """Say how the outputs of a model of rows are read.

    Args:
        evidence: What is known of it.

    Raises:
        ModelRejected: ``model.toml`` contradicts the outputs, or lacks what they need; or they are not finite, too many
            for a message, or cannot be told apart by windows. The subject is empty: the caller knows the file.
    """
    seen = seen_outputs(evidence)
    if evidence.family is None:
        return _unsaid(evidence, seen)
    if evidence.family == "classifier":
        found = recognise_classifier(evidence, seen)
        if found is None:
            raise refused(f"is no classifier: it gives {shown(seen)}", "correct family in model.toml")
        return found
    if evidence.family == "regressor":
        return recognise_regressor(evidence, seen)
    if evidence.family == "anomaly":
        return recognise_anomaly(evidence, seen)
    if evidence.family == "autoencoder":
        return recognise_autoencoder(evidence, seen)
    if evidence.family == "outputs":
        return recognise_outputs(evidence, seen)
    near = get_close_matches(evidence.family.lower(), FAMILIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"of rows there are {', '.join(FAMILIES)}"
    raise refused(f"unknown family {evidence.family!r} in model.toml", hint)


def _unsaid(evidence: RowEvidence, seen: tuple[Output, ...]) -> RowRecognition:
    if looks_like_verdict(evidence, seen) or looks_like_score(evidence, seen):
        return recognise_anomaly(evidence, seen)
    rebuilt = reconstruction(evidence, seen)
    numbers_only = all(output.kind == "numbers" for output in seen)
    if evidence.threshold is not None and rebuilt and numbers_only:
        return recognise_autoencoder(evidence, seen)
    found = recognise_classifier(evidence, seen)
    if found is not None:
        return found
    if rebuilt and numbers_only and rebuilt.size > 1:
        return recognise_outputs(evidence, seen, (_MAY_REBUILD,))
    if len(seen) == 1 and seen[0].is_row:
        _refuse_other_labels(evidence, seen[0])
        return recognise_regressor(evidence, seen)
    return recognise_outputs(evidence, seen)


def _refuse_other_labels(evidence: RowEvidence, output: Output) -> None:
    if len(evidence.labels) > 1:
        raise refused(
            f"gives {output.size} numbers a window, its labels name {len(evidence.labels)}",
            'correct labels in model.toml or labels.txt, or say family = "regressor"',
        )
