import pytest

from edged.doctor.cameras import CameraFacts, finding, sensor_finding
from edged.errors import BadInput, ConfigurationError, InputNotFound, NotAllowed, SourceLost

SHOWN = "rtsp://joe:***@cam/1"


def test_a_frame_is_told_with_its_size_codec_and_rate() -> None:
    found = finding(CameraFacts("front", SHOWN, None, 1920, 1080, "h264", 25.0, 0.52), runs=False)
    assert found.kind == "camera"
    assert found.seen == f"{SHOWN}: 1920x1080, h264, 25 frames a second, first frame after 0.5 s"


def test_a_folder_of_pictures_declares_no_rate() -> None:
    found = finding(CameraFacts("front", "pictures", None, 640, 480), runs=False)
    assert "640x480, pictures, no declared rate" in found.seen


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (SourceLost(SHOWN, "no answer from cam within 5 s", "is it on?"), "camera-unreachable", 69),
        (NotAllowed(SHOWN, "refuses the user or password (401)", "correct them"), "camera-refused", 78),
        (InputNotFound(SHOWN, "has no such stream (404)", "correct the path"), "camera-missing", 78),
        (BadInput(SHOWN, "no frame in it can be decoded", "play it"), "camera-undecodable", 78),
        (ConfigurationError(SHOWN, "is no address", "write rtsp://"), "camera-misconfigured", 78),
    ],
)
def test_each_way_to_fail_has_its_kind(error, kind: str, code: int) -> None:
    found = finding(CameraFacts("front", SHOWN, error), runs=False)
    assert (found.kind, found.exit_code, found.remedy) == (kind, code, error.remedy)
    assert error.problem in found.seen


def test_a_camera_whose_time_is_up_is_out_of_reach() -> None:
    found = finding(CameraFacts("front", SHOWN, late=True, took_s=28.0), runs=False)
    assert (found.kind, found.exit_code) == ("camera-unfinished", 69)


def test_a_credential_that_was_not_given_is_no_fault_of_the_camera() -> None:
    found = finding(CameraFacts("front", SHOWN, secret="front-password"), runs=False)
    assert (found.kind, found.exit_code) == ("camera-secret", 0)
    assert "CREDENTIALS_DIRECTORY" in found.remedy


def test_a_device_that_the_running_daemon_uses_is_a_note() -> None:
    busy = SourceLost("v4l2:/dev/video0", "cannot be opened (device or resource busy)", "?")
    facts = CameraFacts("usb", "v4l2:/dev/video0", busy, is_device=True)
    assert finding(facts, runs=True).kind == "camera-busy"
    assert finding(facts, runs=False).kind == "camera-unreachable"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, "sensor"),
        (InputNotFound("/x.csv", "no such file", "correct the path"), "sensor-missing"),
        (NotAllowed("/x.csv", "may not be read", "check"), "sensor-refused"),
        (ConfigurationError("sensors.s.url", "serial: names nothing", "write it"), "sensor-misconfigured"),
    ],
)
def test_a_sensor_is_fine_or_says_why_not(error, kind: str) -> None:
    assert sensor_finding("s", "/x.csv", error).kind == kind
