"""Pictures are made for who wants them, and nobody else pays for what they take."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from mosquitto_broker import until
from shots import event, picture

from edged.detection import Detections
from edged.events import BookUpdate
from edged.fit import Fit
from edged.sections import CameraSettings
from edged.service.picturing import Picturing


class Site:
    def __init__(self) -> None:
        self.shown: list[bytes] = []
        self.section = CameraSettings.model_validate({"url": "x.mp4", "models": ["m"]})
        self.picturing = Picturing(
            lambda _: self.section,
            dict,
            show=lambda _, encoded: self.shown.append(encoded),
            keep=lambda *_: None,
        )

    def configure(self, **more: Any) -> None:
        self.section = CameraSettings.model_validate({"url": "x.mp4", "models": ["m"]} | more)

    def better(self) -> None:
        self.picturing.watch("front", BookUpdate(better=(event(),)), picture(), Detections.empty())


def test_a_daemon_loads_nothing_of_it_before_a_picture_is_wanted() -> None:
    loaded = "[name for name in sys.modules if 'edged.snapshots' in name or 'privacy' in name]"
    code = f"import sys, edged.service.daemon; print({loaded})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_it_is_made_with_the_first_that_is_wanted_and_ended_with_all() -> None:
    site = Site()
    site.better()
    site.picturing.forget("front")
    assert site.picturing.made is None
    site.configure(snapshots=True)
    site.better()
    assert until(lambda: len(site.shown) == 1, 5)
    made = site.picturing.made
    assert made is site.picturing.wanted
    site.picturing.close(5)
    site.better()
    site.picturing.close(5)
    assert len(site.shown) == 1


@pytest.mark.parametrize("blur", [[], ["person"]])
def test_what_was_found_is_kept_in_mind_where_something_is_to_be_blurred(blur: list[str]) -> None:
    site = Site()
    site.configure(privacy={"blur": blur})

    class Result:
        frame, regions = picture(), ()
        detections = low = Detections.empty()

        class model:  # noqa: N801
            labels, task, max_detections = ("person",), "detect", 300
            picture = SimpleNamespace(fit=Fit.LETTERBOX)

    site.picturing.looked("front", "m", Result(), None)  # type: ignore[arg-type]
    assert (site.picturing.made is not None) == bool(blur)
    site.picturing.close(5)
