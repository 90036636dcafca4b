"""Who can see what is to be blurred, and what of a frame is."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edged.detection import Detections
from edged.fit import Fit
from edged.geometry import Region
from edged.sections import CameraSettings, ModelSettings
from edged.service.blurring import Lookouts, look_of, lookouts
from edged.tracking import Tracks


def model(*labels: str, kept: tuple[str, ...] = (), task: str = "detect", fit: Fit = Fit.LETTERBOX) -> Any:
    picture = SimpleNamespace(fit=fit)
    return SimpleNamespace(
        section=ModelSettings(labels=kept),
        description=SimpleNamespace(labels=labels, task=task, picture=picture),
    )


def camera(*blur: str, models: tuple[str, ...] = ("a",)) -> CameraSettings:
    return CameraSettings.model_validate({"url": "x.mp4", "models": models, "privacy": {"blur": blur}})


def test_a_model_that_knows_the_label_must_have_looked() -> None:
    models = {"a": model("person", "car"), "b": model("face"), "c": model("car")}
    assert lookouts(camera("person", models=("a", "b", "c")), models) == Lookouts(("a",), ())
    assert lookouts(camera("person", "face", models=("a", "b", "c")), models) == Lookouts(("a", "b"), ())


@pytest.mark.parametrize(
    "blind",
    [
        model("car"),
        model("person", "car", kept=("car",)),
        model("person", task="classify"),
        model("person", fit=Fit.CROP),
        model(),
        SimpleNamespace(section=ModelSettings(), description=None),
    ],
)
def test_what_no_model_sees_everywhere_is_missing(blind: Any) -> None:
    assert lookouts(camera("person"), {"a": blind}) == Lookouts((), ("person",))
    assert lookouts(camera("person"), {}) == Lookouts((), ("person",))


def test_a_class_without_a_name_is_its_number() -> None:
    assert lookouts(camera("0"), {"a": model()}) == Lookouts(("a",), ())


def found(*rows: tuple[float, float, int]) -> Detections:
    xyxy = np.array([[x, x, x + 10, x + 10] for x, _, _ in rows], np.float32).reshape(-1, 4)
    return Detections(
        xyxy,
        np.array([score for _, score, _ in rows], np.float32),
        np.array([one for *_, one in rows], np.int32),
    )


def answering(*labels: str, max_detections: int = 300) -> Any:
    return SimpleNamespace(**vars(model(*labels).description), max_detections=max_detections)


@pytest.mark.parametrize(
    ("by", "kept", "seen"),
    [
        (answering("person", "car"), (), {"person"}),
        (answering("car"), (), set()),
        (answering("person", "car"), ("car",), set()),
        (answering("person", "car", max_detections=2), (), set()),  # a crowd: nobody knows who else is there
    ],
)
def test_a_frame_was_looked_at_by_what_the_model_was_then(
    by: Any, kept: tuple[str, ...], seen: set[str]
) -> None:
    result = SimpleNamespace(model=by, detections=found((10, 0.9, 0)), low=found((30, 0.12, 0)), regions=())
    look = look_of(cast(Any, result), ("person", "face"), None, kept)
    assert look.seen == seen
    assert look.labels == {"person", "face"}


def test_what_is_faint_or_only_expected_is_blurred_too() -> None:
    result = SimpleNamespace(
        model=answering("person", "car"),
        detections=found((10, 0.9, 0), (20, 0.8, 1)),
        low=found((30, 0.12, 0), (40, 0.11, 1)),
        regions=(Region(1, 2, 30, 40),),
    )
    count = 3
    tracks = Tracks(
        track_id=np.arange(1, count + 1),
        xyxy=np.array([[50, 50, 60, 60], [10, 10, 20, 20], [70, 70, 80, 80]], np.float32),
        score=np.ones(count, np.float32),
        best_score=np.ones(count, np.float32),
        label=("person", "person", "car"),
        first_s=np.zeros(count),
        seen_s=np.zeros(count),
        stationary=np.zeros(count, np.bool_),
        detection=np.array([-1, 0, -1], np.int32),
    )
    look = look_of(cast(Any, result), ("person",), tracks)
    assert look.boxes[:, 0].tolist() == [10, 30, 50]
    assert look.regions == ((1, 2, 31, 42),)
    assert look_of(cast(Any, result), ("person",), None).boxes[:, 0].tolist() == [10, 30]
