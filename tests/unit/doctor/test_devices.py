from edged.doctor.devices import DeviceFacts, findings
from edged.doctor.needs import DeviceNeed, decoders, devices, providers
from edged.settings import Settings, check_settings

NEED = DeviceNeed("cameras.gate", "/dev/video0", "video", "plug the camera in")


def settings(**given) -> Settings:
    return check_settings(given, name="test").settings


def camera(url: str = "rtsp://cam/1", **more) -> dict[str, object]:
    return {"url": url, "models": ["m"], **more}


def only(facts: DeviceFacts):
    (found,) = findings([facts], user="joe")
    return found


def test_a_camera_that_is_not_plugged_in_is_missing() -> None:
    found = only(DeviceFacts(NEED))
    assert (found.kind, found.subject, found.exit_code) == ("device-missing", "cameras.gate", 78)
    assert found.remedy == "plug the camera in"


def test_a_user_who_is_not_in_the_group_is_added_to_it() -> None:
    found = only(DeviceFacts(NEED, "/dev/video0", group="video"))
    assert (found.kind, found.remedy) == ("device-refused", "sudo usermod -aG video joe")


def test_a_user_who_was_added_after_the_login_logs_in_again() -> None:
    found = only(DeviceFacts(NEED, "/dev/video0", group="video", member=True))
    assert found.kind == "device-stale-login"
    assert "log in again" in found.remedy


def test_a_device_of_root_alone_needs_a_rule_and_no_group() -> None:
    found = only(DeviceFacts(NEED, "/dev/video0", group="root"))
    assert found.kind == "device-refused"
    assert 'KERNEL=="video0", GROUP="video", MODE="0660"' in found.remedy


def test_a_device_that_may_be_used_is_fine() -> None:
    assert only(DeviceFacts(NEED, "/dev/video0", usable=True, group="video", joined=True)).kind == "device"


def test_usb_cameras_serial_lines_and_iio_need_their_devices() -> None:
    needed = devices(
        settings(
            cameras={"gate": camera("v4l2:/dev/video2"), "net": camera()},
            sensors={
                "pump": {"url": "serial:/dev/ttyUSB0?baud=9600", "models": ["s"]},
                "bearing": {"url": "iio:accel", "models": ["s"]},
                "posted": {"url": "http:", "models": ["s"]},
            },
        )
    )
    assert [(one.key, one.pattern, one.group) for one in needed] == [
        ("cameras.gate", "/dev/video2", "video"),
        ("sensors.pump", "/dev/ttyUSB0", "dialout"),
        ("sensors.bearing", "/dev/iio:device*", "iio"),
    ]


def test_graphics_are_needed_by_providers_and_decoders_that_name_them() -> None:
    needed = devices(
        settings(
            cameras={"a": camera(decoder="vaapi"), "b": camera(models=["n"]), "c": camera(models=["o"])},
            models={
                "m": {"providers": ["openvino:AUTO:GPU,CPU", "cpu"]},
                "n": {"providers": ["openvino:NPU"]},
                "o": {"providers": ["cuda:1"]},
                "unused": {"providers": ["openvino:GPU"]},
            },
        )
    )
    assert [(one.key, one.pattern) for one in needed] == [
        ("cameras.a.decoder", "/dev/dri/renderD*"),
        ("models.m.providers", "/dev/dri/renderD*"),
        ("models.n.providers", "/dev/accel/accel*"),
        ("models.o.providers", "/dev/nvidiactl"),
    ]


def test_only_what_is_used_and_asked_for_by_name_counts() -> None:
    given = settings(cameras={"a": camera(decoder="auto"), "b": camera(decoder="qsv")}, models={"unused": {}})
    assert list(providers(given)) == ["m"]
    assert decoders(given) == {"cameras.b.decoder": "qsv"}
