import pytest

from edged.errors import BadInput, ConfigurationError, InputNotFound
from edged.sources.address import Kind, resolve


@pytest.mark.parametrize(
    ("url", "kind", "host"),
    [
        ("rtsp://10.0.0.5/stream1", Kind.RTSP, "10.0.0.5"),
        ("rtsps://cam.lan:322/a", Kind.RTSP, "cam.lan"),
        ("http://joe:pw@cam/video", Kind.HTTP, "cam"),
        ("https://[::1]:8443/video", Kind.HTTP, "::1"),
    ],
)
def test_cameras_are_told_by_their_scheme(url, kind, host):
    address = resolve(url, "front")
    assert (address.kind, address.host, address.live) == (kind, host, True)


def test_files_are_told_by_what_they_are(tmp_path):
    (tmp_path / "a.JPG").write_bytes(b"")
    (tmp_path / "a.mp4").write_bytes(b"")
    kinds = [resolve(str(path), "x").kind for path in (tmp_path, tmp_path / "a.JPG", tmp_path / "a.mp4")]
    assert kinds == [Kind.FOLDER, Kind.PICTURE, Kind.VIDEO]


@pytest.mark.parametrize("url", ["/no/such/file.mp4", "v4l2:/dev/no-such-video", "x" * 5000])
def test_what_is_not_there_is_not_found(url):
    with pytest.raises(InputNotFound):
        resolve(url, "front")


def test_a_device_file_is_bad_input_that_says_how_to_name_a_camera():
    with pytest.raises(BadInput, match="v4l2"):
        resolve("/dev/null", "front")


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "rtsp://", "rtsp://host:99999/x", "mqtt://host", "rtsp://[::1/x"]
)
def test_an_address_of_no_camera_is_a_configuration_error_that_names_the_key(url):
    with pytest.raises(ConfigurationError, match=r"cameras\.front\.url"):
        resolve(url, "front")


def test_a_password_may_hold_any_sign_and_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "front-password").write_text("p@ss/w:rd#?\n")
    address = resolve("rtsp://joe:${credential:front-password}@10.0.0.5/stream1", "front")
    assert address.host == "10.0.0.5"
    assert address.target == "rtsp://joe:p%40ss%2Fw%3Ard%23%3F@10.0.0.5/stream1"
    assert "p@ss" not in repr(address)
    assert "p%40" not in repr(address)


def test_a_whole_address_may_be_a_credential(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "front-url").write_text("rtsp://joe:secret@10.0.0.5/1\n")
    address = resolve("${credential:front-url}", "front")
    assert address.target == "rtsp://joe:secret@10.0.0.5/1"
    assert "secret" not in repr(address)


def test_a_missing_credential_is_a_configuration_error(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError, match="front-password"):
        resolve("rtsp://joe:${credential:front-password}@10.0.0.5/stream1", "front")
