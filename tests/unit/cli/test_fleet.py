import pytest

from edged.cli.fleet import _summary
from edged.fleet.boxes import Fleet
from edged.mqtt.records import Received


def test_that_there_are_more_boxes_than_are_kept_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.fleet.boxes.MAX_BOXES", 1)
    fleet = Fleet("edged")
    fleet.feed(Received("edged/a/status", b"online", True), 0.0)
    assert _summary(list(fleet), fleet, whole=True) == "1 boxes: 1 online; 0 want a look"
    fleet.feed(Received("edged/b/status", b"online", True), 0.0)
    assert _summary(list(fleet), fleet, whole=True).endswith("; there are more than can be kept")
