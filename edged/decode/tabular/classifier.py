"""Classifiers of rows: a label, numbers a class, or both.

The label is the model's own where it gives one: a support-vector machine's may be another than that of its greatest
score. Names of classes come from a map's keys, from the graph, or from the columns; names that a person gives take
their places one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from edged.decode.tabular.family import Array, RowEvidence, RowRecognition, refused, require_few
from edged.decode.tabular.outputs import Output
from edged.decode.tabular.scores import ScoreSource
from edged.decode.tabular.scoring import Scoring, label_output, scoring
from edged.decode.tabular.values import left_out, shown, unused_threshold
from edged.rows import Scores

_MAX_ID = 2**31 - 1
_NUMBERED = "nothing names its classes: their numbers are used; labels.txt or model.toml can name them"


@dataclass(frozen=True, slots=True)
class Classes:
    """Outputs to classes.

    Attributes:
        labels: A name a class; empty where they are not known beforehand.
        label: The model's own choice; None for the greatest score.
        positions: Of what may stand in it among the labels; a number without a position stands for itself where there
            are no labels.
        scores: A column a label; None for none.
    """

    labels: tuple[str, ...]
    label: Output | None
    positions: Mapping[int | str, int]
    scores: ScoreSource | None

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        windows = len(fed)
        scores = self.scores(outputs, windows) if self.scores else np.zeros((windows, 0), np.float32)
        if self.label is None:
            return Scores("class", class_id=scores.argmax(axis=1).astype(np.int32), scores=scores)
        chosen = self.label.entries(outputs, windows).reshape(windows).tolist()
        if not self.labels:
            class_id = [one if isinstance(one, int) and 0 <= one <= _MAX_ID else -1 for one in chosen]
            return Scores(
                "class",
                class_id=np.array(class_id, np.int32),
                scores=scores,
                names=[str(one) for one in chosen],
            )
        found = np.fromiter(map(self.positions.get, chosen, repeat(-1)), np.int32, windows)
        if (found >= 0).all():
            return Scores("class", class_id=found, scores=scores)
        names = [
            self.labels[n] if n >= 0 else str(one) for n, one in zip(found.tolist(), chosen, strict=True)
        ]
        return Scores("class", class_id=found, scores=scores, names=names)


def recognise_classifier(evidence: RowEvidence, seen: tuple[Output, ...]) -> RowRecognition | None:
    """A classifier, or None where it is none; one that ``model.toml`` calls so need not look like one.

    Raises:
        ModelRejected: There are labels, and they do not fit; or too many classes for a message.
    """
    label = label_output(evidence, seen)
    if label is None and any(output.kind in {"integers", "texts"} for output in seen):
        return None  # several labels at once
    found = scoring(evidence, seen, label)
    if label is None and found is None:
        return None
    chosen = _chosen(evidence, label)
    own = _own_labels(evidence, found, chosen)
    labels, notes = _names(evidence, own, found, label)
    positions = _positions(own or labels, label)
    outside = [one for one in chosen if one not in positions]
    if labels and outside:
        if evidence.labels:
            raise refused(
                f"answers {outside[0]!r:.40}, which is none of its {len(labels)} labels",
                "correct labels in model.toml or labels.txt",
            )
        labels, notes = (), ()
    used = [*([label] if label else []), *(found.outputs if found else ())]
    if found and not labels:
        notes, found = (*notes, "its classes are not known beforehand: their scores are left out"), None
    require_few(used[-1].name, len(labels))
    notes += (*(found.notes if found else ()), *left_out(seen, used), *unused_threshold(evidence))
    decoder = Classes(labels, label, positions, found.source if found else None)
    return RowRecognition("classifier", _why(label, found, labels), labels, notes, decoder)


def _chosen(evidence: RowEvidence, label: Output | None) -> list[int | str]:
    if label is None:
        return []
    return list(label.entries(evidence.trial, evidence.windows).reshape(-1).tolist())


def _own_labels(evidence: RowEvidence, found: Scoring | None, chosen: Sequence[int | str]) -> tuple[str, ...]:
    """What the model itself calls its classes; what the graph says counts only where it fits what came out."""
    if found and found.keys:
        return found.keys
    known = evidence.class_labels
    fits = found is None or len(known) == found.classes
    return known if fits and {str(one) for one in chosen} <= set(known) else ()


def _names(
    evidence: RowEvidence, own: tuple[str, ...], found: Scoring | None, label: Output | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels, and notes on them; no labels where they are not known beforehand."""
    given, count = evidence.labels, len(own) or (found.classes if found else 0)
    if given and count and len(given) != count:
        raise refused(
            f"has {count} classes, its labels name {len(given)}", "correct labels in model.toml or labels.txt"
        )
    if given and set(given) != set(own):
        named = [pair for pair in zip(own, given, strict=False) if not pair[0].lstrip("-").isdigit()]
        return given, (
            (f"its class {named[0][0]!r:.40} is called {named[0][1]!r:.40}, and so on",) if named else ()
        )
    if own:
        return own, ()
    if count and (label is None or label.kind == "integers"):
        return tuple(map(str, range(count))), (_NUMBERED,)
    return (), ()


def _positions(names: Sequence[str], label: Output | None) -> dict[int | str, int]:
    """Of what may stand in the label output. Classes whose names are no numbers are counted from 0 there."""
    if label is None:
        return {}
    if label.kind == "texts":
        return {name: position for position, name in enumerate(names)}
    try:
        return {int(name): position for position, name in enumerate(names)}
    except ValueError:
        return {position: position for position in range(len(names))}


def _why(label: Output | None, found: Scoring | None, labels: Sequence[str]) -> str:
    parts = []
    if label:
        parts.append(f"{label.name} is a {'number' if label.kind == 'integers' else 'text'}")
    if found:
        parts.append(f"{shown(found.outputs)} has a score for each of {len(labels)} classes")
    return " and ".join(parts)
