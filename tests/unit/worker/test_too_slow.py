from edged.errors import KilledWhileLoading
from edged.worker.client import STARVED_S, too_slow

PATH = "m.onnx"


def test_who_had_the_time_and_did_not_load_is_the_model_s_fault() -> None:
    error = too_slow(PATH, STARVED_S)
    assert not isinstance(error, KilledWhileLoading)
    assert str(error) == "m.onnx: did not load within 60 s; use a smaller model"


def test_who_got_no_processor_is_tried_once_more() -> None:
    error = too_slow(PATH, 3.21)
    assert isinstance(error, KilledWhileLoading)
    assert "in which its process got 3.2 s of processor time" in str(error)
