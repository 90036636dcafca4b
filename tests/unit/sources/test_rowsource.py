import os
import stat

import pytest
from row_sources import text

from edged.errors import BadInput, ConfigurationError, InputNotFound
from edged.sources.iio import IioDevice
from edged.sources.pathrows import PathRows
from edged.sources.pipes import StandardInput
from edged.sources.positions import Positions
from edged.sources.posted import PostedRows
from edged.sources.rowsource import row_source
from edged.sources.sensoraddress import sensor_address
from edged.sources.serialline import SerialLine


def made(url, **extra):
    address = sensor_address(url)
    return row_source(address, name="pump", once=False, positions=Positions(None), extra=extra)


@pytest.mark.parametrize(
    ("url", "kind", "patient", "form"),
    [
        ("-", StandardInput, True, None),
        ("serial:/dev/a", SerialLine, False, None),
        ("iio:a", IioDevice, False, "csv"),
        ("a.csv", PathRows, True, None),
    ],
)
def test_an_address_makes_its_kind_of_source(url, kind, patient, form):
    source = made(url)
    assert type(source) is kind
    assert (source.patient, source.format, source.ended) == (patient, form, False)


def test_others_are_made_by_those_who_can():
    posted = PostedRows()
    asked = []
    assert made("http:", http=lambda address: asked.append(address) or posted) is posted
    assert asked == [sensor_address("http:")]
    with pytest.raises(ConfigurationError, match="url: mqtt: cannot be read here"):
        made("mqtt:a")


def test_options_are_looked_at_before_anything_is_opened():
    with pytest.raises(ConfigurationError, match="baud=x is not allowed"):
        made("serial:/dev/a?baud=x")
    with pytest.raises(ConfigurationError, match="parity is none, even, odd"):
        made("serial:/dev/a?parity=x")
    with pytest.raises(ConfigurationError, match="rate=x is not allowed"):
        made("iio:a?rate=x")


def test_what_stands_behind_a_path_shows_when_it_is_opened_and_may_change(tmp_path):
    path = tmp_path / "rows"
    source = made(str(path))
    with pytest.raises(InputNotFound, match="no such file"):
        source.open()
    os.mkfifo(path)
    source.open()
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b"1\n")
    assert text(source.read(5)) == b"1\n"
    os.close(writer)
    source.close()
    path.unlink()
    path.write_bytes(b"2\n")
    source.open()
    assert text(source.read(5)) == b"2\n"
    source.close()


def test_a_path_to_something_else_is_refused_with_what_to_write(tmp_path):
    with pytest.raises(BadInput, match="is a folder; name a file in it"):
        made(str(tmp_path)).open()
    with pytest.raises(BadInput, match="is a device; write serial:/dev/null"):
        made("/dev/null").open()
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    with pytest.raises(BadInput, match="neither a file nor a FIFO"):
        made(str(tmp_path / "socket")).open()
