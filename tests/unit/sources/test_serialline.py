import sys

import pytest
from row_sources import Pseudoterminal, collected, text, write_all

from edged.errors import ConfigurationError, InputNotFound, NotAllowed, RuntimeMissing, SourceLost
from edged.sources.sensoraddress import sensor_address
from edged.sources.serialline import SerialLine


@pytest.fixture
def port(tmp_path):
    port = Pseudoterminal(tmp_path / "ttyUSB0")
    port.plug_in()
    yield port
    port.unplug()


@pytest.fixture
def line(port):
    line = SerialLine(sensor_address(f"serial:{port.link}?baud=9600&parity=even&stopbits=2"))
    yield line
    line.close()


def test_the_half_line_that_was_under_way_is_dropped(port, line):
    line.open()
    write_all(port.master, b"7,8\n1,2\r\n3,4\n")
    assert text(collected(line, 2)) == b"1,2\r\n3,4\n"


def test_a_device_that_is_unplugged_is_lost_and_back_when_it_is_plugged_in(port, line):
    line.open()
    write_all(port.master, b"\n1\n")
    collected(line, 1)
    port.unplug()
    with pytest.raises(SourceLost, match="was unplugged"):
        line.read(5)
    with pytest.raises(InputNotFound, match="no such device; is it plugged in"):
        line.open()
    port.plug_in()
    line.open()
    write_all(port.master, b"of before\n2\n")
    assert text(collected(line, 1)) == b"2\n"


def test_the_port_is_set_as_the_address_says(port, line, monkeypatch):
    import serial

    asked = []
    monkeypatch.setattr(
        serial, "Serial", lambda *values, **options: asked.append(values) or (_ for _ in ()).throw(OSError)
    )
    for options in ("", "?baud=300&bytesize=7&parity=O&stopbits=1.5"):
        with pytest.raises(SourceLost):
            SerialLine(sensor_address(f"serial:/dev/a{options}")).open()
    assert asked == [("/dev/a", 115200, 8, "N", 1.0), ("/dev/a", 300, 7, "O", 1.5)]


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ("bytesize=9", "bytesize is 8, 7, 6, 5"),
        ("parity=maybe", "parity is none, even, odd, mark, space, N, E, O, M, S"),
        ("stopbits=3", "stopbits is 1, 1.5, 2"),
        ("baud=0", "baud is a number, 1 or more"),
    ],
)
def test_an_option_that_is_not_allowed_is_refused_with_what_is(options, allowed):
    with pytest.raises(ConfigurationError) as caught:
        SerialLine(sensor_address(f"serial:/dev/a?{options}", key="sensors.scale.url"))
    assert str(caught.value) == f"sensors.scale.url: {options} is not allowed; {allowed}"


def test_two_cannot_read_one_port(port, line):
    line.open()
    with pytest.raises(SourceLost, match="is used by another program"):
        SerialLine(sensor_address(f"serial:{port.link}")).open()


@pytest.mark.parametrize(
    ("number", "error", "says"),
    [
        (13, NotAllowed, "add the user to the group dialout"),
        (5, SourceLost, "cannot be opened"),
        (None, SourceLost, "not a serial port"),
    ],
)
def test_why_it_does_not_open_is_told(number, error, says, monkeypatch):
    import serial

    def refuse(*_values, **_options):
        raise serial.SerialException(number, "text of the library")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(error, match=says):
        SerialLine(sensor_address("serial:/dev/a")).open()


def test_what_is_no_serial_port_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SourceLost, match="is it a serial port"):
        SerialLine(sensor_address(f"serial:{tmp_path / 'file'}")).open()


def test_without_pyserial_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(RuntimeMissing, match=r"pip install 'edged\[serial\]'"):
        SerialLine(sensor_address("serial:/dev/a")).open()
