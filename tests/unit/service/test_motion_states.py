"""When a camera says that something moves."""

from edged.service.motion_states import MotionStates


def test_motion_is_told_at_once_and_its_end_after_a_while():
    states = MotionStates()

    def say(moving: bool, now_s: float) -> str:
        return states.see("front", moving, now_s, off_delay_s=5.0)

    assert [say(False, 0.0), say(True, 1.0), say(False, 3.0), say(True, 5.0)] == ["OFF", "ON", "ON", "ON"]
    assert [say(False, 9.9), say(False, 10.0)] == ["ON", "OFF"]


def test_cameras_do_not_mix_and_are_forgotten():
    states = MotionStates()
    assert states.see("front", True, 1.0, off_delay_s=5.0) == "ON"
    assert states.see("back", False, 1.0, off_delay_s=5.0) == "OFF"
    assert states.forget_all_but(["back"]) == ["front"]
    assert states.see("front", False, 1.1, off_delay_s=5.0) == "OFF"
