import json
import os
import re
import socket
from pathlib import Path

import jsonschema
import pytest

from edged.errors import ConfigurationError, InputNotFound
from edged.offers import CHANNEL
from edged.sections import CameraSettings, TrackSettings, UpdatesSettings, is_path, is_sensor_path
from edged.settings import Settings, check_settings, find_config, load_settings

CONTRACT = """
device = "gate-7"

[mqtt]
url = "mqtts://edge@broker.lan:8883"
password_file = "mqtt-password"
protocol = "auto"
base_topic = "edged"
qos = 1
ca_file = ""
cert_file = ""
key_file = ""
spool_max_bytes = "256MiB"
spool_max_age = "7d"
homeassistant = false

[store]
path = "/var/lib/edged/models"

[models.vehicles]
providers = ["openvino", "cpu"]
require_provider = false
min_score = 0.4
labels = ["car", "truck", "bus"]

[cameras.front]
url = "rtsp://user:${credential:front-password}@10.0.0.5/stream1"
models = ["vehicles"]
fps = 5
max_age = "1s"
publish = "every"

[cameras.front.motion]
gate = "auto"

[cameras.front.zones.driveway]
points = [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]
labels = ["car"]

[sensors.pump]
url = "mqtt:factory/pump/vibration"
format = "json"
fields = ["x", "y", "z"]
window = 256
stride = 128
models = ["pump-anomaly"]

[http]
listen = "127.0.0.1:9110"
"""
"""The configuration of the contract, key by key."""

CAMERA = {"url": "rtsp://cam/1", "models": ["vehicles"]}
SENSOR = {"url": "mqtt:factory/pump", "models": ["pump-anomaly"]}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("EDGED_"):
            monkeypatch.delenv(name)


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "edged.toml"
        path.write_text(text)
        return path

    return write


def refused(given: dict[str, object]) -> str:
    with pytest.raises(ConfigurationError) as error:
        check_settings(given, name="edged.toml")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_whole_configuration_of_the_contract_is_read(written):
    settings = load_settings(written(CONTRACT)).settings
    assert settings.device == "gate-7"
    assert settings.mqtt.url == "mqtts://edge@broker.lan:8883"
    assert settings.mqtt.spool_max_bytes == 256 * 1024**2
    assert settings.mqtt.spool_max_age == 7 * 24 * 3600
    assert settings.models["vehicles"].providers == ("openvino", "cpu")
    assert settings.models["vehicles"].labels == ("car", "truck", "bus")
    assert settings.cameras["front"].max_age == 1.0
    assert settings.cameras["front"].zones["driveway"].points[2] == (0.9, 1.0)
    assert settings.sensors["pump"].window == 256


def test_without_a_key_the_defaults_of_the_contract_hold():
    given = {"cameras": {"front": CAMERA}, "sensors": {"pump": {"url": "-", "models": ["m"]}}}
    settings = check_settings(given, name="edged.toml").settings
    mqtt, camera, sensor = settings.mqtt, settings.cameras["front"], settings.sensors["pump"]
    assert settings.device == socket.gethostname().split(".")[0]
    assert (mqtt.protocol, mqtt.base_topic, mqtt.qos, mqtt.homeassistant) == ("auto", "edged", 1, False)
    assert (mqtt.spool_max_bytes, mqtt.spool_max_age) == (256 * 1024**2, 7 * 24 * 3600)
    assert (mqtt.ca_file, mqtt.cert_file, mqtt.key_file, mqtt.password_file) == ("", "", "", "")
    assert settings.store.path == Path("/var/lib/edged/models")
    assert settings.models["vehicles"].providers == ("auto",)
    assert settings.models["vehicles"].require_provider is False
    assert (camera.fps, camera.max_age, camera.publish, camera.motion.gate) == (0, 1.0, "every", "off")
    assert (sensor.format, sensor.window, sensor.stride) == ("json", None, None)
    assert (sensor.publish, sensor.missing, sensor.normal) == ("every", "error", ("normal",))
    assert (sensor.raise_after, sensor.clear_after, sensor.max_wait) == (1, 1, 0)
    assert settings.http.listen == "127.0.0.1:9110"


@pytest.mark.parametrize(
    ("host", "device"), [("box.lan", "box"), ("_ bad name", "bad-name"), ("", "edged"), ("é", "edged")]
)
def test_the_device_is_named_after_its_host_as_far_as_a_topic_allows(monkeypatch, host, device):
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert check_settings({}, name="x").settings.device == device


@pytest.mark.parametrize(
    ("variable", "value", "read", "expected"),
    [
        ("EDGED_DEVICE", "dock-1", lambda s: s.device, "dock-1"),
        ("EDGED_MQTT__URL", "mqtt://other", lambda s: s.mqtt.url, "mqtt://other"),
        ("EDGED_MQTT__QOS", "2", lambda s: s.mqtt.qos, 2),
        ("EDGED_MQTT__SPOOL_MAX_AGE", "90m", lambda s: s.mqtt.spool_max_age, 5400),
        ("EDGED_CAMERAS__FRONT__FPS", "2.5", lambda s: s.cameras["front"].fps, 2.5),
        ("EDGED_CAMERAS__FRONT__MOTION__GATE", "off", lambda s: s.cameras["front"].motion.gate, "off"),
        ("EDGED_CAMERAS__FRONT__MODELS", '["a", "b"]', lambda s: s.cameras["front"].models, ("a", "b")),
        ("EDGED_MODELS__VEHICLES__PROVIDERS", '["cpu"]', lambda s: s.models["vehicles"].providers, ("cpu",)),
        ("EDGED_SENSORS__PUMP__WINDOW", "64", lambda s: s.sensors["pump"].window, 64),
        ("EDGED_SENSORS__PUMP__MISSING", "0.5", lambda s: s.sensors["pump"].missing, 0.5),
        ("EDGED_SENSORS__PUMP__MAX_WAIT", "50ms", lambda s: s.sensors["pump"].max_wait, 0.05),
        ("EDGED_HTTP__LISTEN", "", lambda s: s.http.listen, ""),
    ],
)
def test_the_environment_overrides_one_key_and_leaves_its_neighbours(
    monkeypatch, written, variable, value, read, expected
):
    monkeypatch.setenv(variable, value)
    loaded = load_settings(written(CONTRACT))
    assert read(loaded.settings) == expected
    assert loaded.settings.cameras["front"].url.startswith("rtsp://user:")
    assert loaded.settings.mqtt.password_file == "mqtt-password"
    key = variable.removeprefix("EDGED_").replace("__", ".").lower()
    assert loaded.origin[key] == f"environment {variable}"


def test_of_each_key_it_is_known_where_it_came_from(written):
    path = written('[mqtt]\nurl = "mqtt://broker"\n')
    loaded = load_settings(path)
    assert dict(loaded.origin) == {"mqtt.url": str(path)}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"mqt": {}}, r"edged\.toml: unknown key 'mqt'; did you mean 'mqtt'\?"),
        ({"mqtt": {"ulr": "x"}}, r"unknown key 'mqtt\.ulr'; did you mean 'url'\?"),
        (
            {"cameras": {"front": CAMERA | {"maxage": "1s"}}},
            r"'cameras\.front\.maxage'; did you mean 'max_age'\?",
        ),
        (
            {"cameras": {"front": CAMERA | {"zones": {"a": {"point": []}}}}},
            r"'cameras\.front\.zones\.a\.point'; did you mean 'points'\?",
        ),
        ({"models": {"m": {"provider": ["cpu"]}}}, r"'models\.m\.provider'; did you mean 'providers'\?"),
        ({"http": {"qqq": 1}}, r"unknown key 'http\.qqq'; known here: listen"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(given, line):
    assert re.search(line, refused(given))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"mqtt": {"qos": 3}}, ["edged.toml", "'mqtt.qos'", "3", "0 to 2"]),
        ({"mqtt": {"qos": "often"}}, ["'mqtt.qos'", "'often'", "a whole number, 0 to 2"]),
        ({"mqtt": {"url": "http://b"}}, ["'mqtt.url'", "'http://b'", "mqtt://host:1883"]),
        ({"mqtt": {"protocol": "4"}}, ["'mqtt.protocol'", "'auto', '5' or '3.1.1'"]),
        ({"mqtt": {"base_topic": "a/#"}}, ["'mqtt.base_topic'", "'a/#'"]),
        ({"mqtt": {"base_topic": ""}}, ["'mqtt.base_topic'", "''", '"site/edged"']),
        ({"mqtt": {"base_topic": "/a/"}}, ["'mqtt.base_topic'", "'/a/'", '"site/edged"']),
        ({"mqtt": {"base_topic": "$SYS/x"}}, ["'mqtt.base_topic'", "'$SYS/x'", "does not begin with $"]),
        ({"mqtt": {"base_topic": "$share/g/x"}}, ["'mqtt.base_topic'", "does not begin with $"]),
        ({"mqtt": {"spool_max_bytes": "many"}}, ["'mqtt.spool_max_bytes'", "'many'", '"256MiB"']),
        ({"mqtt": {"spool_max_bytes": "12 parsec"}}, ["'12 parsec'", 'a size, like "256MiB" or "1GB"']),
        ({"mqtt": {"url": "http://x"}}, ["allowed: mqtt://host:1883 or mqtts://user@host:8883"]),
        ({"cameras": {"front": CAMERA | {"models": "m"}}}, ["'m'", 'allowed: a list, like ["m"]']),
        ({"cameras": {"front": CAMERA | {"models": []}}}, ["[]", "allowed: a list of 1 or more"]),
        ({"models": {"m": 3}}, ["'models.m' is 3", "allowed: a table"]),
        ({"mqtt": {"spool_max_age": "7"}}, ["'mqtt.spool_max_age'", "'7'", '"7d"']),
        ({"mqtt": {"spool_max_age": float("inf")}}, ["'mqtt.spool_max_age'", "inf", "finite"]),
        ({"mqtt": {"keepalive": float("nan")}}, ["'mqtt.keepalive'", "nan"]),
        ({"mqtt": {"keepalive": "0s"}}, ["'mqtt.keepalive'", "'0s'", "more than 0"]),
        ({"device": "gate/7"}, ["'device'", "'gate/7'", "letters, digits"]),
        ({"device": ""}, ["'device'", "''"]),
        ({"cameras": {"fro nt": CAMERA}}, ["'cameras.fro nt'", "letters, digits"]),
        ({"cameras": {"front": CAMERA | {"fps": -1}}}, ["'cameras.front.fps'", "-1", "0"]),
        ({"cameras": {"front": CAMERA | {"fps": float("nan")}}}, ["'cameras.front.fps'", "nan"]),
        ({"cameras": {"front": CAMERA | {"models": []}}}, ["'cameras.front.models'", "[]"]),
        ({"cameras": {"front": CAMERA | {"publish": "never"}}}, ["'cameras.front.publish'", "'changed'"]),
        ({"cameras": {"front": {"models": ["m"]}}}, ["'cameras.front.url' is missing"]),
        ({"cameras": {"front": CAMERA | {"zones": {"a": {"points": [[0, 0], [1, 1]]}}}}}, ["zones.a.points"]),
        ({"cameras": ["front"]}, ["'cameras'", "a table"]),
        ({"models": {"m": {"providers": ["gpu"]}}}, ["'models.m.providers.0'", "'gpu'", '"openvino:GPU"']),
        ({"models": {"m": {"min_score": 1.5}}}, ["'models.m.min_score'", "1.5", "0 to 1"]),
        ({"http": {"listen": "9110"}}, ["'http.listen'", "'9110'", "127.0.0.1:9110"]),
        ({"http": {"listen": "0.0.0.0:70000"}}, ["'http.listen'", "'0.0.0.0:70000'", "0 to 65535"]),
        ({"http": {"listen": "[:::::]:9110"}}, ["'http.listen'", "127.0.0.1:9110"]),
        ({"mqtt": 5}, ["'mqtt'", "5"]),
        ({"updates": {"url": "https://u"}}, ["'updates.root'", "root.json", "updates.url is set"]),
        ({"updates": {"url": "ftp://u", "root": "r"}}, ["'updates.url'", "'ftp://u'", "https://"]),
        ({"updates": {"url": "http://u:port/e", "root": "r"}}, ["'updates.url'", "'http://u:port/e'"]),
        ({"updates": {"window": "1:00-05:00"}}, ["'updates.window'", '"22:30-04:00"']),
        ({"updates": {"window": "24:00-05:00"}}, ["'updates.window'", '"22:30-04:00"']),
        ({"updates": {"window": "05:00-05:00"}}, ["'updates.window'", '"22:30-04:00"']),
        ({"updates": {"max_rate": "2MB"}}, ["'updates.max_rate'", "'2MB'", '"2MB/s"']),
        ({"updates": {"max_rate": "1kB/s"}}, ["'updates.max_rate'", "4096"]),
        ({"updates": {"interval": "0.5s"}}, ["'updates.interval'", "1 or more"]),
        ({"updates": {"channel": "a b"}}, ["'updates.channel'", "'a b'", "letters, digits"]),
        ({"updates": {"channels": {"m": ""}}}, ["'updates.channels.m'"]),
    ],
)
def test_a_wrong_value_names_the_file_the_key_the_value_and_what_is_allowed(given, parts):
    line = refused(given)
    assert line.startswith("edged.toml: ")
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("rtsp://h:port/x", "a port is 1 to 65535"),
        ("rtsp://h:70000/x", "a port is 1 to 65535"),
        ("https://h:0/x", "a port is 1 to 65535"),
        ("rtsp://joe:p#ss@h/x", "%23"),
        ("rtsp://", "rtsp(s)://host/path"),
        ("rtsp://[::1/x", "rtsp(s)://host/path"),
        ("http://ca m/x", "http(s)://host/path"),
        ("v4l2:", "v4l2:/dev/video0"),
        ("${cred:front}", "${credential:NAME}"),
    ],
)
def test_an_address_that_can_be_no_cameras_is_refused_before_anything_starts(url, allowed):
    line = refused({"cameras": {"front": CAMERA | {"url": url}}})
    assert line.startswith("edged.toml: 'cameras.front.url' is '")
    assert allowed in line
    assert "p#ss" not in line


@pytest.mark.parametrize(
    "url",
    [
        "RTSP://cam/1",
        "https://[::1]:8443/video",
        "rtsp://joe:${credential:p}@cam:554/1",
        "rtsp://${credential:host}:${credential:port}/1",
        "${credential:front}",
        "v4l2:/dev/video0",
        "/videos/a:b.mp4",
    ],
)
def test_an_address_that_may_be_a_cameras_is_taken(url):
    assert camera_with(url=url).url == url


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:9110", "[::]:65535"])
def test_an_address_that_can_be_listened_on_is_taken(listen):
    assert check_settings({"http": {"listen": listen}}, name="x").settings.http.listen == listen


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"mqtt": {"qos": True}}, "'mqtt.qos' is True; allowed: a whole number, 0 to 2"),
        ({"mqtt": {"homeassistant": 7}}, "'mqtt.homeassistant' is 7; allowed: true or false"),
        ({"mqtt": {"keepalive": True}}, "'mqtt.keepalive' is True; allowed: a number with a unit"),
        ({"mqtt": {"spool_max_bytes": True}}, "'mqtt.spool_max_bytes' is True; allowed: a size"),
        ({"cameras": {"front": CAMERA | {"fps": True}}}, "fps' is True; allowed: a number, 0 to 1000"),
        ({"cameras": {"front": CAMERA | {"tiles": ["a", "2"]}}}, "tiles.0' is 'a'; allowed: a whole number"),
        (
            {"cameras": {"front": CAMERA | {"max_rate": True}}},
            "max_rate' is True; allowed: a number a second",
        ),
    ],
)
def test_a_switch_is_no_number_and_a_number_no_switch(given, line):
    assert line in refused(given)


def test_templates_that_quote_numbers_and_switches_go_on_working():
    front = {
        "url": "a.mp4",
        "models": ["m"],
        "fps": "5",
        "min_score": "0.4",
        "realtime": "no",
        "tiles": [2.0, 2],
    }
    given = {"mqtt": {"qos": "1", "homeassistant": 1}, "models": {"m": {}}, "cameras": {"front": front}}
    settings = check_settings(given, name="edged.toml").settings
    camera = settings.cameras["front"]
    assert (settings.mqtt.qos, settings.mqtt.homeassistant) == (1, True)
    assert (camera.fps, camera.min_score, camera.realtime, camera.tiles) == (5.0, 0.4, False, (2, 2))


@pytest.mark.parametrize(
    ("variable", "value", "read", "expected"),
    [
        ("EDGED_MQTT__HOMEASSISTANT", "yes", lambda s: s.mqtt.homeassistant, True),
        ("EDGED_MQTT__SPOOL_MAX_BYTES", "1000", lambda s: s.mqtt.spool_max_bytes, 1000),
        ("EDGED_MODELS__VEHICLES__THREADS", "2", lambda s: s.models["vehicles"].threads, 2),
        ("EDGED_CAMERAS__FRONT__REALTIME", "true", lambda s: s.cameras["front"].realtime, True),
        ("EDGED_CAMERAS__FRONT__TILES", "[2, 1]", lambda s: s.cameras["front"].tiles, (2, 1)),
        (
            "EDGED_CAMERAS__FRONT__ZONES__A",
            '{"points": [[0,0],[1,0],[1,1]], "share": "0.5"}',
            lambda s: s.cameras["front"].zones["a"].share,
            0.5,
        ),
        ("EDGED_MQTT__PROTOCOL", "5", lambda s: type(s.mqtt.protocol), str),
        ("EDGED_DEVICE", "dock-1", lambda s: type(s.device), str),
    ],
)
def test_in_the_environment_all_are_texts(monkeypatch, written, variable, value, read, expected):
    monkeypatch.setenv(variable, value)
    assert read(load_settings(written(CONTRACT)).settings) == expected


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "edged.toml"
    path.write_bytes(b"\xef\xbb\xbf" + CONTRACT.encode())
    assert load_settings(path).settings.device == "gate-7"


def test_a_wrong_value_of_the_environment_names_the_variable(monkeypatch):
    monkeypatch.setenv("EDGED_MQTT__QOS", "9")
    assert refused({}).startswith("environment EDGED_MQTT__QOS: 'mqtt.qos' is '9'")


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("EDGED_MODELS", "models"),
        ("EDGED_MODELS__M__PROVIDERS", "models.m.providers"),
        ("EDGED_CAMERAS__FRONT__ZONES__A__LABELS", "cameras.front.zones.a.labels"),
    ],
)
def test_a_list_of_the_environment_that_is_no_json_says_how_to_write_it(monkeypatch, variable, key):
    monkeypatch.setenv("EDGED_MQTT__QOS", "1")
    monkeypatch.setenv(variable, "[cpu")
    line = refused({})
    assert line.startswith(f"environment {variable}: {key!r} is '[cpu'; allowed: ")
    assert '["openvino", "cpu"]' in line


def test_a_section_that_only_the_environment_begins_is_not_blamed_on_the_file(monkeypatch, written):
    monkeypatch.setenv("EDGED_CAMERAS__BACK__URL", "x.mp4")
    with pytest.raises(ConfigurationError) as error:
        load_settings(written(CONTRACT))
    assert str(error.value) == (
        "environment EDGED_CAMERAS__BACK__URL: 'cameras.back.models' is missing; add EDGED_CAMERAS__BACK__MODELS"
    )


def test_a_part_of_a_list_of_the_environment_is_not_blamed_on_the_file(monkeypatch, written):
    monkeypatch.setenv("EDGED_CAMERAS__FRONT__ZONES__DRIVEWAY__POINTS", "[[0, 0], [1, 0], [2, 2]]")
    with pytest.raises(
        ConfigurationError, match=r"^environment EDGED_CAMERAS__FRONT__ZONES__DRIVEWAY__POINTS"
    ):
        load_settings(written(CONTRACT))


@pytest.mark.parametrize(
    "given",
    [
        {"mqtt": {"url": "http://joe:hidden@broker"}},
        {"mqtt": {"url": "mqtt://joe:hidden/x@broker"}},
        {"mqtt": {"url": "mqtt://joe:hidden@broker:port"}},
        {"mqtt": {"url": ["mqtt://joe:hidden@broker"]}},
        {"updates": {"url": "https://joe:hidden@up dates"}},
        {"mqtt": "mqtt://joe:hidden@broker"},
        {"mqtt": {"password": "hidden"}},
        {"cameras": {"front": {"url": "rtsp://joe:hidden@cam/1", "models": "vehicles"}}},
        {"cameras": {"front": {"url": "rtsp://joe:hidden@cam/1"}}},
        {"cameras": {"front": "rtsp://joe:hidden@cam/1"}},
        {"cameras": [{"url": "rtsp://joe:hidden@cam/1?token=hidden"}]},
    ],
)
def test_no_secret_gets_into_an_error(given):
    assert "hidden" not in refused(given)


def test_a_password_of_the_environment_gets_into_no_error_either(monkeypatch):
    monkeypatch.setenv("EDGED_MQTT__URL", "tcp://joe:hidden@broker")
    assert "hidden" not in refused({})


def test_relative_file_names_count_from_the_folder_of_the_file(tmp_path):
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "edged.toml"
    path.write_text(
        '[mqtt]\nca_file = "ca.pem"\n[store]\npath = "models"\n[models.m]\npath = "m.onnx"\n'
        '[cameras.a]\nurl = "a.mp4"\nmodels = ["m"]\n[cameras.b]\nurl = "rtsp://b"\nmodels = ["m"]\n'
        '[cameras.c]\nurl = "v4l2:/dev/video0"\nmodels = ["m"]\n[cameras.d]\nurl = "/d.mp4"\nmodels = ["m"]\n'
    )
    settings, folder = load_settings(path).settings, tmp_path / "etc"
    assert settings.mqtt.ca_file == str(folder / "ca.pem")
    assert settings.mqtt.cert_file == ""
    assert settings.store.path == folder / "models"
    assert settings.models["m"].path == folder / "m.onnx"
    urls = {name: camera.url for name, camera in settings.cameras.items()}
    assert urls == {"a": str(folder / "a.mp4"), "b": "rtsp://b", "c": "v4l2:/dev/video0", "d": "/d.mp4"}


def sensor(**changes: object):
    return check_settings({"sensors": {"pump": SENSOR | changes}}, name="edged.toml").settings.sensors["pump"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"window": 256}, {"window": 256, "stride": None}),
        ({"window": 1, "stride": 1_000_000}, {"window": 1, "stride": 1_000_000}),
        ({"window": "2s", "stride": "500ms"}, {"window": 2.0, "stride": 0.5}),
        ({"window": 2.0}, {"window": 2.0}),  # a time without a unit is in seconds, and rows are whole
        ({"stride": 8}, {"window": None, "stride": 8}),
        ({"missing": "last"}, {"missing": "last"}),
        ({"missing": 0}, {"missing": 0.0}),
        ({"missing": -1.5}, {"missing": -1.5}),
        ({"above": 2, "below": 2}, {"above": 2.0, "below": 2.0}),
        ({"max_wait": "1m"}, {"max_wait": 60.0}),
        ({"gap": "1h", "read_timeout": 5}, {"gap": 3600.0, "read_timeout": 5.0}),
        ({"delimiter": "\t"}, {"delimiter": "\t"}),
        ({"delimiter": " "}, {"delimiter": " "}),
        ({"format": "text", "fields": ["a"], "columns": ["a", "b"], "echo": ["b"]}, {"columns": ("a", "b")}),
    ],
)
def test_a_sensor_is_read_as_it_is_written(given, read):
    found = sensor(**given)
    assert {key: getattr(found, key) for key in read} == read
    for key, value in read.items():
        assert type(getattr(found, key)) is type(value)


def test_a_window_by_time_and_one_by_rows_are_told_apart_however_they_are_written():
    assert isinstance(sensor(window=2).window, int)
    assert isinstance(sensor(window="2s").window, float)


ROWS_OR_TIME = 'rows, 1 to 1000000, or a time, like "500ms" or "2s"'


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        *(
            ("window", value, ROWS_OR_TIME)
            for value in (0, -1, True, "0s", "many", 1_000_001, [8], float("inf"))
        ),
        *(("stride", value, ROWS_OR_TIME) for value in (0, "2 rows", float("nan"))),
        ("stride", "2s", "rows, as long as window is no time"),
        *(
            ("missing", value, '"error", "last", or a number')
            for value in ("skip", True, 1e300, [0], float("inf"))
        ),
        ("above", float("nan"), "a finite number"),
        ("below", "low", "a number"),
        ("gap", "0s", "more than 0"),
        ("max_wait", "2m", "0 to 60"),
        ("max_wait", -1, "0 to 60"),
        ("queue", 0, "1 to 1000000"),
        ("raise_after", 0, "1 to 1000000"),
        ("clear_after", 0, "1 to 1000000"),
        ("publish", "found", "'every', 'changed' or 'anomaly'"),
        ("format", "xml", "'json', 'csv' or 'text'"),
        ("models", [], "a list of 1 or more"),
        ("models", ["a/b"], "letters, digits"),
        ("delimiter", ";;", "a text of 1 sign at most"),
        *(("delimiter", value, "one sign such as") for value in ("x", "1", '"', "-", ".", "\n", "ß", "#")),
    ],
)
def test_a_wrong_value_of_a_sensor_is_told_in_one_clear_line(key, value, allowed):
    line = refused({"sensors": {"pump": SENSOR | {key: value}}})
    assert line.startswith(f"edged.toml: 'sensors.pump.{key}")
    assert repr(value[0] if key == "models" and value else value) in line
    assert allowed in line.partition("allowed: ")[2]


def test_a_stride_is_in_the_unit_of_the_window():
    assert "'sensors.pump.stride' is 4" in refused(
        {"sensors": {"pump": SENSOR | {"window": "2s", "stride": 4}}}
    )
    assert "'sensors.pump.stride' is '2s'" in refused(
        {"sensors": {"pump": SENSOR | {"window": 4, "stride": "2s"}}}
    )


def test_a_range_in_which_every_value_is_an_anomaly_is_refused():
    line = refused({"sensors": {"pump": SENSOR | {"above": 1.0, "below": 2.0}}})
    assert "'sensors.pump.below' is 2.0; allowed: 1 at most" in line


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("mqtt:factory/+/vibration", None),
        ("MQTT:factory/pump", "mqtt:factory/pump"),
        ("serial:/dev/ttyUSB0?baud=115200", None),
        ("iio:accel?rate=100", None),
        ("http:", None),
        ("-", None),
        ("/var/log/pump.csv", None),
        ("/var/log/a:b://c.csv", "/var/log/a:b:/c.csv"),
        ("pump.csv", "pump.csv"),
    ],
)
def test_an_address_of_a_sensor_is_taken(url, read):
    assert sensor(url=url).url == (read or url)


@pytest.mark.parametrize(
    "url", ["", "http://host/rows", "mqtt://broker/topic", "tcp:host", "modbus:1", "rtsp://joe:hidden@x"]
)
def test_an_address_that_no_sensor_has_is_refused_with_those_that_one_may_have(url):
    line = refused({"sensors": {"pump": SENSOR | {"url": url}}})
    assert "'sensors.pump.url'" in line
    assert "hidden" not in line
    assert not url or "mqtt:TOPIC" in line


def test_a_sensor_needs_an_address_and_a_model():
    assert "'sensors.pump.url' is missing" in refused({"sensors": {"pump": {"models": ["m"]}}})
    assert "'sensors.pump.models' is missing" in refused({"sensors": {"pump": {"url": "-"}}})
    near = refused({"sensors": {"pump": SENSOR | {"windows": 4}}})
    assert "'sensors.pump.windows'; did you mean 'window'?" in near


def test_the_files_of_sensors_count_from_the_folder_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/joe")
    urls = {"a": "a.csv", "b": "~/b.csv", "c": "/c.csv", "d": "-", "e": "mqtt:t", "f": "http:", "g": "iio:x"}
    given = {"sensors": {name: {"url": url, "models": ["m"]} for name, url in urls.items()}}
    found = check_settings(given, name="x", path=tmp_path / "edged.toml").settings.sensors
    assert {name: one.url for name, one in found.items()} == urls | {
        "a": str(tmp_path / "a.csv"),
        "b": "/home/joe/b.csv",
    }


@pytest.mark.parametrize(
    ("url", "path"), [("a.csv", True), ("/x:y", True), ("-", False), ("mqtt:x", False), ("http:", False)]
)
def test_a_file_of_a_sensor_is_told_from_a_device(url, path):
    assert is_sensor_path(url) is path


def test_a_model_that_only_a_sensor_names_needs_no_section_of_its_own():
    assert list(check_settings({"sensors": {"pump": SENSOR}}, name="x").settings.models) == ["pump-anomaly"]


@pytest.mark.parametrize(
    "given",
    [{"window": "2s", "stride": "1s"}, {"window": 8, "missing": 0, "max_wait": "50ms"}, {"missing": "last"}],
)
def test_the_schema_takes_what_is_taken(given):
    schema = json.loads(json.dumps(Settings.model_json_schema()))
    jsonschema.validate({"sensors": {"pump": SENSOR | given}}, schema)


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = check_settings(
        {"store": {"path": "~/models"}}, name="x", path=Path("/etc/edged.toml")
    ).settings
    assert settings.store.path == tmp_path / "models"


def test_a_model_that_a_camera_names_needs_no_section_of_its_own():
    settings = check_settings({"cameras": {"front": CAMERA}}, name="x").settings
    assert list(settings.models) == ["vehicles"]


def test_keys_that_have_no_effect_are_told_each_in_a_line(written):
    assert list(load_settings(written(CONTRACT)).warnings()) == []
    masked = 'gate = "{}"\nmasks = [[[0, 0], [1, 0], [1, 1]]]'
    for gate, count in (("stream", 1), ("pixels", 0), ("auto", 0)):
        text = CONTRACT.replace('gate = "auto"', masked.format(gate))
        found = [
            line for line in load_settings(written(text)).warnings() if "cameras.front.motion.masks" in line
        ]
        assert len(found) == count


def test_updates_are_read_with_their_units_and_off_unless_there_is_an_address():
    assert not Settings().updates.url
    given = {"url": "https://u/e", "root": "keys/root.json", "interval": "5m", "max_rate": "2MB/s"}
    settings = check_settings(
        {"updates": given | {"window": " 22:30 - 04:00 ", "channels": {"m": "beta"}}},
        name="x",
        path=Path("/etc/edged/edged.toml"),
    ).settings
    updates = settings.updates
    assert (updates.root, updates.interval) == (Path("/etc/edged/keys/root.json"), 300.0)
    assert (updates.max_rate, updates.window) == (2_000_000, "22:30-04:00")
    assert (updates.channel, updates.channels) == ("stable", {"m": "beta"})
    assert check_settings({"updates": {"max_rate": ""}}, name="x").settings.updates.max_rate is None


def test_a_channel_of_the_configuration_can_be_published_on_and_no_other():
    pattern = UpdatesSettings.model_json_schema()["properties"]["channel"]["pattern"]
    assert pattern == f"^{CHANNEL.pattern}$"


def test_keys_of_updates_that_have_no_effect_are_told():
    given = {"root": "r", "channels": {"vehicles": "beta", "here": "beta", "typo": "beta"}}
    models = {"here": {"path": "m.onnx"}}
    loaded = check_settings(
        {"updates": given, "models": models, "cameras": {"front": CAMERA}}, name="x", path=Path("edged.toml")
    )
    assert list(loaded.warnings()) == [
        "edged.toml: updates.root has no effect without updates.url",
        "edged.toml: updates.channels.here has no effect: models.path names where it is",
        "edged.toml: updates.channels.typo has no effect: there is no such model",
    ]


def test_settings_without_such_keys_warn_of_nothing():
    given = {"cameras": {"front": CAMERA}, "sensors": {"pump": SENSOR}}
    assert list(check_settings(given, name="x").warnings()) == []


def test_the_file_is_looked_for_where_the_contract_says_and_in_that_order(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    etc = tmp_path / "etc.toml"
    monkeypatch.setattr("edged.settings.CONFIG_LOCATIONS", (Path("edged.toml"), etc))
    with pytest.raises(ConfigurationError, match=r"none found at edged\.toml or .*EDGED_CONFIG"):
        find_config(None)
    etc.touch()
    assert find_config(None) == etc
    (tmp_path / "edged.toml").touch()
    assert find_config(None) == Path("edged.toml")
    monkeypatch.setenv("EDGED_CONFIG", "/from/environment.toml")
    assert find_config(None) == Path("/from/environment.toml")
    assert find_config(Path("/named.toml")) == Path("/named.toml")


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(InputNotFound, match="no such file"):
        load_settings(tmp_path / "edged.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[mqtt\n", r"is not TOML \(.*line 1"), (b"\xff\xfe", "is not UTF-8 text"), (None, "is a folder")],
)
def test_a_file_that_cannot_be_read_says_what_is_wrong_with_it(tmp_path, content, said):
    path = tmp_path / "edged.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as error:
        load_settings(path)
    assert str(path) in str(error.value)


def test_the_schema_is_a_json_schema_that_takes_the_contract_and_refuses_an_unknown_key():
    import tomllib

    schema = json.loads(json.dumps(Settings.model_json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(tomllib.loads(CONTRACT))) == []
    assert list(validator.iter_errors({"mqqt": {}})) != []
    assert list(validator.iter_errors({"mqtt": {"qos": 3}})) != []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("clip.mp4", True),
        ("/videos/a:b.mp4", True),
        ("folder/", True),
        ("rtsp://cam", False),
        ("HTTP://cam", False),
        ("v4l2:/dev/video0", False),
        ("${credential:front}", False),
    ],
)
def test_a_file_is_told_from_a_stream(url, path):
    assert is_path(url) is path


def test_two_readings_of_one_file_are_equal_so_that_a_reload_can_tell_what_differs(written):
    path = written(CONTRACT)
    assert load_settings(path).settings == load_settings(path).settings


def test_settings_cannot_be_changed_after_they_were_checked():
    settings = check_settings({}, name="x").settings
    with pytest.raises(ValueError, match="frozen"):
        settings.mqtt.qos = 2  # type: ignore[misc]


def test_a_misspelled_section_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("EDGED_MQTTT__URL", "mqtt://broker")
    with pytest.raises(ConfigurationError, match="did you mean EDGED_MQTT__URL"):
        check_settings({}, name="command line")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("EDGED_MQTT_URL", "EDGED_MQTT__URL"),
        ("edged_mqtt_qos", "EDGED_MQTT__QOS"),
        ("EDGED_DEVIC", "EDGED_DEVICE"),
        ("EDGED_CAMERAS_FRONT_URL", "EDGED_CAMERAS__FRONT__URL"),
        ("EDGED_UPDATE_URL", "EDGED_UPDATES__URL"),
    ],
)
def test_a_misspelt_key_of_the_environment_names_the_nearest_known_one(monkeypatch, variable, meant):
    monkeypatch.setenv(variable, "1")
    assert refused({}) == (
        f"environment: unknown key {variable.upper()}; did you mean {meant}? __ stands between levels"
    )


def test_a_variable_that_is_like_no_key_is_told_of_and_no_error(monkeypatch):
    monkeypatch.setenv("EDGED_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("EDGED_PORT_9110_TCP_ADDR", "10.0.0.1")
    assert list(check_settings({}, name="x").warnings()) == [
        "environment: EDGED_PORT_9110_TCP_ADDR has no effect: it is no key",
        "environment: EDGED_SERVICE_HOST has no effect: it is no key",
    ]


def test_variables_of_other_commands_and_of_the_tests_are_no_keys(monkeypatch):
    for name in ("CONFIG", "ASSETS", "PUBLISH_KEY", "TEST_HANG", "SOAK_S", "FUZZ_EXAMPLES"):
        monkeypatch.setenv(f"EDGED_{name}", "1")
    assert list(check_settings({}, name="x").warnings()) == []


def test_a_camera_of_an_unknown_kind_is_refused_with_the_kinds_there_are():
    given = {"cameras": {"a": {"url": "ftp://host/clip.mp4", "models": ["m"]}}}
    with pytest.raises(ConfigurationError, match="rtsp"):
        check_settings(given, name="edged.toml")


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGED_MQTT__URL", "mqtt://from-environment")
    given = {"mqtt": {"url": "mqtt://given"}}
    on_command_line = check_settings(given, name="command line")
    assert on_command_line.settings.mqtt.url == "mqtt://given"
    assert on_command_line.origin["mqtt.url"] == "command line"
    in_file = check_settings(given, name="edged.toml", path=tmp_path / "edged.toml")
    assert in_file.settings.mqtt.url == "mqtt://from-environment"
    assert in_file.origin["mqtt.url"] == "environment EDGED_MQTT__URL"


AREA = {"points": [[0, 0], [1, 0], [1, 1]]}


def camera_with(**changes: object) -> CameraSettings:
    return check_settings({"cameras": {"front": CAMERA | changes}}, name="x").settings.cameras["front"]


def test_tracking_is_on_unless_it_is_switched_off():
    assert camera_with().track == TrackSettings() == camera_with(track=True).track
    assert not camera_with(track=False).track.enabled
    assert camera_with(track={"lost": "5s"}).track == TrackSettings(lost=5.0)


@pytest.mark.parametrize(("inertia", "expected"), [(3, 3), ("5", 5), ("1s", 1.0), ("500ms", 0.5), (0.5, 0.5)])
def test_inertia_is_frames_or_a_time(inertia, expected):
    found = camera_with(zones={"a": AREA | {"inertia": inertia}}).zones["a"].inertia
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"zones": {"a": {"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}}}, "zones.a.points", "do not cross"),
        ({"zones": {"a": {"points": [[0, 0], [0.5, 0.5], [1, 1]]}}}, "zones.a.points", "do not cross"),
        ({"zones": {"a": AREA | {"inertia": 0}}}, "zones.a.inertia", "frames, 1 to 3600, or a time"),
        ({"zones": {"a": AREA | {"share": 0}}}, "zones.a.share", "more than 0, 1 at most"),
        ({"lines": {"a": {"points": [[0, 0]]}}}, "lines.a.points", "a list of 2 or more"),
        ({"lines": {"a": {"points": [[0, 0], [0, 0]]}}}, "lines.a.points", "must differ"),
        ({"masks": {"a/b": AREA}}, "masks.a/b", "a name of letters"),
        ({"publish": "events", "track": False}, "track", "about what is followed"),
        ({"track": 3}, "track", "true, false, or a table"),
    ],
)
def test_a_wrong_zone_line_or_mask_is_named(changes, key, allowed):
    with pytest.raises(ConfigurationError) as error:
        camera_with(**changes)
    assert f"cameras.front.{key}" in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize(
    ("rate", "per_s"), [("60/m", 1.0), ("5/s", 5.0), ("100 / h", 100 / 3600), ("0.5/s", 0.5), (3, 3.0)]
)
def test_a_rate_of_messages_is_so_many_a_second(rate, per_s):
    assert camera_with(max_rate=rate).max_rate == pytest.approx(per_s)
    assert camera_with(snapshots={"max_rate": rate}).snapshots.max_rate == pytest.approx(per_s)


def test_there_are_pictures_where_there_is_a_section_of_them():
    assert not camera_with().snapshots.enabled
    assert camera_with(snapshots={}).snapshots.enabled
    assert camera_with(snapshots=True).snapshots == camera_with(snapshots={}).snapshots
    assert not camera_with(snapshots={"enabled": False}).snapshots.enabled


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"max_rate": "60"}, "max_rate", '"60/m"'),
        ({"max_rate": "0/s"}, "max_rate", "more than 0"),
        ({"snapshots": {"quality": 0}}, "snapshots.quality", "1 to 100"),
        ({"snapshots": {"view": "half"}}, "snapshots.view", "'crop'"),
        ({"snapshots": True, "track": False}, "snapshots", "no objects to make pictures of"),
        ({"privacy": {"masks": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}}, "privacy.masks.0", "do not cross"),
        ({"privacy": {"masks": [[[0, 0], [1, 1]]]}}, "privacy.masks.0", "a list of 3 or more"),
        ({"privacy": {"blurr": ["person"]}}, "privacy.blurr", "did you mean 'blur'?"),
    ],
)
def test_a_wrong_rate_picture_or_privacy_is_named(changes, key, allowed):
    with pytest.raises(ConfigurationError) as error:
        camera_with(**changes)
    assert f"cameras.front.{key}" in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize(("kept", "wrong"), [([], False), (["person", "car"], False), (["car"], True)])
def test_what_is_to_be_blurred_must_be_kept_by_a_model(kept, wrong):
    given = {
        "cameras": {"front": CAMERA | {"privacy": {"blur": ["person"]}}},
        "models": {CAMERA["models"][0]: {"labels": kept}},
    }
    if not wrong:
        assert check_settings(given, name="x").settings.cameras["front"].privacy.blur == ("person",)
        return
    with pytest.raises(
        ConfigurationError, match=r"'cameras.front.privacy.blur' names 'person', and models\."
    ):
        check_settings(given, name="x")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EDGED_MQTT_SERVICE_HOST", "10.96.0.7"),
        ("EDGED_MQTT_PORT", "tcp://10.96.0.7:1883"),
        ("EDGED_MQTT_PORT_1883_TCP_PROTO", "tcp"),
        ("EDGED_HTTP_SERVICE_HOST", "10.96.0.7"),
        ("EDGED_STORE_PORT", "tcp://10.96.0.7:80"),
        ("EDGED_MODELS_SERVICE_PORT", "80"),
        ("EDGED_DEVICE_ID", "7"),
        ("EDGED_MODEL", "yolo"),
        ("EDGED_CAMERA", "front"),
    ],
)
def test_what_others_set_for_themselves_is_told_of_and_stops_nothing(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    (line,) = [one for one in check_settings({}, name="command line").warnings() if variable in one]
    assert line == f"environment: {variable} has no effect: it is no key"


def test_the_password_of_an_address_may_hold_a_blank_and_is_not_shown(capsys):
    url = "rtsp://admin:Secret 12@10.0.0.5/s"
    settings = check_settings(
        {"cameras": {"front": CAMERA | {"url": url}}, "models": {"m": {}}}, name="edged.toml"
    )
    assert settings.settings.cameras["front"].url == url
    assert "Secret" not in refused({"cameras": {"front": CAMERA | {"url": "rtsp://admin:Secret 12@:1/s"}}})
    assert "blanks before" in refused({"cameras": {"front": CAMERA | {"url": "  rtsp://10.0.0.5/s"}}})
