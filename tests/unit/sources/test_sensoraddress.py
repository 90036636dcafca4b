import pytest

from edged.errors import ConfigurationError
from edged.sources.sensoraddress import SensorAddress, sensor_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("-", SensorAddress("stdin")),
        ("http:", SensorAddress("http")),
        ("mqtt:factory/+/v?x", SensorAddress("mqtt", "factory/+/v?x")),
        ("MQTT:a", SensorAddress("mqtt", "a")),
        ("serial:/dev/ttyUSB0", SensorAddress("serial", "/dev/ttyUSB0")),
        ("serial:/dev/ttyUSB0?baud=9600", SensorAddress("serial", "/dev/ttyUSB0", {"baud": "9600"})),
        ("iio:device0?channels=x,y&rate=", SensorAddress("iio", "device0", {"channels": "x,y", "rate": ""})),
        ("/var/log/a?b=c.csv", SensorAddress("path", "/var/log/a?b=c.csv")),
        ("rows.csv", SensorAddress("path", "rows.csv")),
        ("odd:name", SensorAddress("path", "odd:name")),
    ],
)
def test_addresses_are_taken_apart(url, address):
    assert sensor_address(url) == address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mqtt:", "sensors.pump.url: mqtt: names nothing; write mqtt:TOPIC"),
        ("serial:?baud=1", "names nothing"),
        ("http://host/", "write http: alone"),
        ("serial:/dev/a?boud=1", "serial: has no option boud; did you mean baud? allowed are baud, bytesize"),
        ("iio:a?x=1", "allowed are channels, rate"),
        ("serial:/dev/a?baud=1&baud=2", "baud is given twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_what_is_allowed(url, says):
    with pytest.raises(ConfigurationError) as caught:
        sensor_address(url, key="sensors.pump.url")
    assert str(caught.value).startswith("sensors.pump.url: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-1", "fast", "", "²", "9999999999"])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ConfigurationError, match=f"baud={value} is not allowed; baud is a number"):
        sensor_address(f"serial:a?baud={value}").whole_number("baud", 1)
