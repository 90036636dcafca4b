"""What follows objects outlives the posts of a camera, and ends with what it is about."""

from typing import Any, cast

import pytest

from edged.event import Reason
from edged.sections import CameraSettings
from edged.service.cameras import Cameras
from edged.service.following import Following
from edged.service.outlets import SILENT


class Site:
    """Cameras that are not opened, and what was ended of what they follow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended: list[tuple[str, Reason]] = []
        monkeypatch.setattr("edged.sources.camera.Camera.start", lambda _: None)
        monkeypatch.setattr(
            Following, "end", lambda one, reason: self.ended.append((f"{one.camera} {one.model}", reason))
        )
        model = cast(Any, type("Model", (), {"frames": None, "description": None})())
        self.cameras = Cameras(
            once=False,
            models=lambda: {"m": model, "n": model},
            publisher=cast(Any, None),
            outlets=SILENT,
            overrides=None,
            on_state=lambda _: None,
        )

    def start(self, *models: str, **changes: Any) -> dict[str, Following]:
        given = {"url": "rtsp://camera", "models": models or ("m",)} | changes
        self.cameras.start("front", CameraSettings.model_validate(given))
        return dict(self.cameras._following["front"])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_another_section_of_the_same_source_goes_on_with_what_is_followed(site):
    first = site.start()
    site.cameras.end(["front"])
    assert site.start(fps=5) == first
    assert site.ended == []


@pytest.mark.parametrize("changes", [{"url": "rtsp://other"}, {"realtime": False}])
def test_another_source_has_other_objects(site, changes):
    first = site.start()
    site.cameras.end(["front"])
    assert site.start(**changes) == first
    assert site.ended == [("front m", "removed")]


def test_a_model_that_is_not_named_any_more_ends_what_it_saw(site):
    first = site.start("m", "n")
    site.cameras.end(["front"])
    assert site.start("n") == {"n": first["n"]}
    assert site.ended == [("front m", "removed")]


def test_a_camera_that_is_gone_ends_what_it_saw(site):
    site.start("m", "n")
    site.cameras.end(["front"])
    site.cameras.forget_all_but(["front"])
    assert site.ended == []
    site.cameras.forget_all_but([])
    assert site.ended == [("front m", "removed"), ("front n", "removed")]


def test_zones_change_without_another_post(site):
    site.start()
    post = site.cameras.find("front")
    section = post.section.model_copy(update={"publish": "found"})
    site.cameras.adjust("front", section)
    assert site.cameras.find("front") is post
    assert site.cameras.sections == {"front": section}
