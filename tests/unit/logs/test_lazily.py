import sys

import pytest

from edged.logs.lazily import Lazily


def test_what_is_asked_for_is_that_of_the_real_module():
    import colorsys

    stand_in = Lazily("colorsys")
    assert stand_in.rgb_to_hsv is colorsys.rgb_to_hsv


def test_the_real_module_is_loaded_only_when_something_of_it_is_asked_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    stand_in = Lazily("colorsys")
    assert "colorsys" not in sys.modules
    assert stand_in.rgb_to_hsv(1, 0, 0) == (0, 1, 1)
    assert "colorsys" in sys.modules


def test_what_the_import_system_asks_of_every_module_loads_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(AttributeError):
        _ = Lazily("colorsys").__path__
    assert "colorsys" not in sys.modules
