"""Whether a model is for rows of a sensor, not for pictures: by what goes in and what comes out. Pure."""

from collections.abc import Iterable, Sequence

from edged.manifest import TensorSpec

ML_DOMAIN = "ai.onnx.ml"
"""Trees, forests, linear models, scalers: what skl2onnx, onnxmltools and Hummingbird's ONNX back end write."""
ANSWERS = frozenset(
    {
        "label",
        "output_label",
        "labels",
        "probabilities",
        "output_probability",
        "probability",
        "scores",
        "variable",
    }
)
"""Outputs of skl2onnx and onnxmltools: of classifiers, anomaly detectors (``scores``), regressions (``variable``)."""


def tabular_evidence(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], operators: Iterable[str]
) -> str | None:
    """Why a model takes rows; None where nothing says so.

    Windows of rows, with three sizes, look like pictures: ``model.toml`` says that they are none.

    Args:
        inputs: Declared.
        outputs: Declared.
        operators: As ``domain:type``.
    """
    rows = inputs and all(len(spec.shape) in {1, 2} for spec in inputs)
    ours = any(name.startswith(f"{ML_DOMAIN}:") for name in operators)
    answers = [spec.name for spec in outputs if spec.name.lower() in ANSWERS]
    texts = [spec.name for spec in inputs if spec.dtype == "str"]
    if not rows or not (ours or answers or texts):
        return None
    taken = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in inputs)
    said = [f"operators of {ML_DOMAIN}"] if ours else [f"the output {name}" for name in answers]
    given = (said or [f"texts in {texts[0]}"])[0]
    return f"rows in ({taken:.100}), {given}"
