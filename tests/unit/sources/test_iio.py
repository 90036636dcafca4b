import errno
import os
import struct
from pathlib import Path

import pytest
from row_sources import collected, rendered_iio, text, write_all

from edged.errors import BadInput, ConfigurationError, InputNotFound, NotAllowed, SourceLost
from edged.sources.iio import IioDevice
from edged.sources.sensoraddress import sensor_address

ACCELEROMETER = {
    "accel_x": (0, "le:s12/16>>4"),
    "accel_y": (1, "be:s16/16>>0"),
    "accel_z": (2, "le:s16/16>>0"),
    "timestamp": (3, "le:s64/64>>0"),
}


def record(x, y, z, nanoseconds):
    """6 bytes of numbers, 2 of padding, 8 of time."""
    return struct.pack("<h", x << 4) + struct.pack(">h", y) + struct.pack("<h2xq", z, nanoseconds)


@pytest.fixture
def device(tmp_path):
    device = rendered_iio(tmp_path, ACCELEROMETER)
    device.tell("in_accel_scale", "0.5")
    device.tell("in_accel_z_scale", "0.25")
    device.tell("in_accel_z_offset", "-10")
    return device


@pytest.fixture
def opened():
    """Opens a source, and closes it at the end."""
    sources = []

    def opened(url):
        source = IioDevice(sensor_address(url, key="sensors.shake.url"))
        sources.append(source)
        source.open()
        return source

    yield opened
    for source in sources:
        source.close()


@pytest.fixture
def refusing(monkeypatch):
    """Has a driver refuse what is written to files of this name."""

    def refuse(name, number):
        write = Path.write_text

        def wrote(path, content, *rest, **options):
            if path.name == name and content != "0":
                raise OSError(number, os.strerror(number))
            return write(path, content, *rest, **options)

        monkeypatch.setattr(Path, "write_text", wrote)

    return refuse


def test_records_become_rows_in_units_with_a_header_and_a_time_in_seconds(device, opened):
    source = opened(device.url)
    writer = os.open(device.records, os.O_WRONLY)
    write_all(writer, record(-2048, 300, 14, 1_790_000_000_123_456_789))
    write_all(writer, record(1, -1, 10, 1_790_000_001_000_000_000))
    lines = text(collected(source, 3)).splitlines()
    assert lines == [
        b"accel_x,accel_y,accel_z,timestamp",
        b"-1024.0,150.0,1.0,1790000000.123456789",
        b"0.5,-0.5,0.0,1790000001.000000000",
    ]
    os.close(writer)


@pytest.mark.parametrize("piece_bytes", [1, 7, 100])
def test_records_in_odd_pieces_come_whole(device, opened, piece_bytes):
    source = opened(device.url + "&channels=accel_x,timestamp")
    writer = os.open(device.records, os.O_WRONLY)
    content = b"".join(struct.pack("<h6xq", number << 4, number) for number in range(50))
    deliveries = []
    for begin in range(0, len(content), piece_bytes):
        write_all(writer, content[begin : begin + piece_bytes])
        deliveries += source.read(0)
    lines = text(deliveries).splitlines()
    assert lines[1:] == [b"%.1f,0.%09d" % (number * 0.5, number) for number in range(50)]
    os.close(writer)


def test_it_is_set_up_when_opened_and_switched_off_when_closed(device, opened):
    device.tell("sampling_frequency", "100")
    source = opened(device.url + "&channels=accel_y,accel_x&rate=400&length=64")
    states = [device.says(f"scan_elements/in_{name}_en").strip() for name in ACCELEROMETER]
    assert states == ["1", "1", "0", "0"]
    assert [device.says(f"buffer/{name}") for name in ("length", "enable")] == ["64", "1"]
    assert device.says("sampling_frequency") == "400"
    source.close()
    assert device.says("buffer/enable") == "0"


def test_opened_again_it_begins_with_the_header_again(device, opened):
    source = opened(device.url + "&channels=accel_x")
    for number in range(2):
        writer = os.open(device.records, os.O_WRONLY)
        write_all(writer, struct.pack("<hh", 2 << 4, 3 << 4))
        assert text(collected(source, 3)) == b"accel_x\n1.0\n1.5\n"
        os.close(writer)
        with pytest.raises(SourceLost, match="iio:adxl345: went away"):
            source.read(5)
        if number == 0:
            source.open()


@pytest.mark.parametrize("name", ["adxl345", "device0", "iio:device0"])
def test_a_device_is_found_by_name_and_by_number(device, opened, name):
    opened(device.url.replace("adxl345", name, 1))
    assert device.says("buffer/enable") == "1"


def test_a_device_that_is_not_there_is_told_with_those_that_are(device, opened, tmp_path):
    with pytest.raises(
        InputNotFound, match=r"iio:gyro: no such device; there are device0 \(adxl345\); is its driver"
    ):
        opened(device.url.replace("adxl345", "gyro", 1))
    with pytest.raises(InputNotFound, match=r"no such device, .*nothing has none"):
        opened(f"iio:gyro?sysfs={tmp_path}/nothing")
    device.records.unlink()
    with pytest.raises(
        InputNotFound, match="dev/iio:device0: no such device; is it passed into this container"
    ):
        opened(device.url)


def test_a_device_without_a_buffer_is_told(tmp_path, opened):
    with pytest.raises(BadInput, match="has no buffer"):
        opened(rendered_iio(tmp_path, {}).url)


def test_a_channel_or_type_that_is_not_understood_is_told(device, opened):
    with pytest.raises(
        ConfigurationError, match=r"sensors\.shake\.url: the device has no channel gyro; it has accel_x"
    ):
        opened(device.url + "&channels=gyro")
    device.tell("scan_elements/in_accel_x_type", "le:f32/32>>0")
    with pytest.raises(BadInput, match=r"accel_x is of an unknown type \(le:f32"):
        opened(device.url)
    assert device.says("buffer/enable").strip() == "0"


def test_who_may_not_write_or_read_is_told_what_to_do(device, opened, refusing, monkeypatch):
    refusing("length", errno.EACCES)
    with pytest.raises(NotAllowed, match=r"buffer/length: may not be written by this user; .*udev rule"):
        opened(device.url)
    monkeypatch.undo()
    real = os.open

    def refused(path, *rest, **options):
        if Path(path) == device.records:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(NotAllowed, match="dev/iio:device0: may not be opened by this user"):
        opened(device.url)


def test_a_device_in_use_is_tried_again(device, opened, refusing):
    refusing("enable", errno.EBUSY)
    with pytest.raises(SourceLost, match="does another program use the device"):
        opened(device.url)


def test_a_device_that_needs_a_trigger_is_told_with_those_there_are(device, opened, refusing):
    (device.sysfs / "trigger0").mkdir()
    (device.sysfs / "trigger0" / "name").write_text("t1\n")
    refusing("enable", errno.EINVAL)
    with pytest.raises(ConfigurationError, match="does not start by itself; add trigger= t1"):
        opened(device.url)


def test_a_trigger_is_set_by_name_with_the_rate_it_has(device, opened):
    (device.sysfs / "trigger0").mkdir()
    (device.sysfs / "trigger0" / "name").write_text("t1\n")
    (device.sysfs / "trigger0" / "sampling_frequency").write_text("1\n")
    device.tell("trigger/current_trigger", "")
    opened(device.url + "&trigger=t1&rate=50")
    assert device.says("trigger/current_trigger") == "t1"
    assert (device.sysfs / "trigger0" / "sampling_frequency").read_text() == "50"
    with pytest.raises(ConfigurationError, match="trigger=t2 is not allowed; trigger is t1"):
        opened(device.url + "&trigger=t2")


def test_a_rate_that_cannot_be_set_is_told_with_those_that_can(device, opened, refusing):
    with pytest.raises(ConfigurationError, match="no rate that can be set"):
        opened(device.url + "&rate=50")
    device.tell("in_accel_sampling_frequency", "1")
    device.tell("in_accel_sampling_frequency_available", "100 200")
    refusing("in_accel_sampling_frequency", errno.EINVAL)
    with pytest.raises(ConfigurationError, match="rate=50 is not allowed; rate is one of 100 200"):
        opened(device.url + "&rate=50")


@pytest.mark.parametrize(
    ("channel", "file"),
    [
        ("voltage0", "in_voltage_scale"),
        ("voltage0-voltage1", "in_voltage-voltage_scale"),
        ("anglvel_x", "in_anglvel_scale"),
        ("temp", "in_temp_scale"),
    ],
)
def test_a_scale_is_shared_as_the_kernel_shares_it(tmp_path, opened, channel, file):
    device = rendered_iio(tmp_path, {channel: (0, "le:s16/16>>0")})
    device.tell(file, "0.125")
    source = opened(device.url)
    writer = os.open(device.records, os.O_WRONLY)
    write_all(writer, struct.pack("<h", -8))
    assert text(collected(source, 2)) == channel.encode() + b"\n-1.0\n"
    os.close(writer)
