"""What cameras want of a model."""

from typing import Any

import pytest

from edged.service.demands import BLUR_SCORE, uses
from edged.settings import check_settings


def low_score(**camera: Any) -> float:
    given = {"cameras": {"front": {"url": "a.mp4", "models": ["m"]} | camera}}
    return uses(check_settings(given, name="x").settings)["m"].low_score


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        ({"track": False}, 0.1),
        ({"track": False, "privacy": {"blur": ["person"]}}, BLUR_SCORE),
        ({"track": {"low_score": 0.3}}, 0.3),
        ({"track": {"low_score": 0.3}, "privacy": {"blur": ["person"]}}, BLUR_SCORE),
        ({"track": {"low_score": 0.05}, "privacy": {"blur": ["person"]}}, 0.05),
    ],
)
def test_faint_detections_are_wanted_by_tracks_and_by_who_blurs(
    camera: dict[str, Any], expected: float
) -> None:
    assert low_score(**camera) == pytest.approx(expected)


def test_a_model_that_serves_without_tracks_serves_them_once_they_are_switched_on() -> None:
    off, on = (
        uses(
            check_settings(
                {"cameras": {"front": {"url": "a.mp4", "models": ["m"]} | track}}, name="x"
            ).settings
        )
        for track in ({"track": False}, {})
    )
    assert on["m"].fits(off["m"])
