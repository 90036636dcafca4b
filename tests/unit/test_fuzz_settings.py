"""Whatever stands in a configuration, it is accepted whole or refused in one line."""

import math

from fuzz.examples import examples
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from edged.errors import ConfigurationError
from edged.service.reloading import changes
from edged.settings import check_settings

NAMES = st.sampled_from(["front", "m", "pump", "", "a b", "x" * 300, "..", "é", "a/b", "#"]) | st.text(
    max_size=6
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "auto",
            "cpu",
            "openvino:GPU",
            "1s",
            "7d",
            "-1s",
            "1e999s",
            "256MiB",
            "9" * 400 + "B",
            "mqtt://h",
            "mqtts://u:p@[::1]:99999",
            "rtsp://u:${credential:x}@h/s",
            "rtsp://h:port",
            "v4l2:/dev/video0",
            "serial:/dev/tty?baud=x",
            "iio:",
            "mqtt:a/#/b",
            "http:",
            "http://[",
            "-",
            "127.0.0.1:9110",
            "every",
            "json",
            "pixels",
            math.inf,
        ]
    )
)
POINTS = st.lists(st.lists(st.floats(-2, 2) | st.integers(-1, 2), max_size=3), max_size=5)
VALUES = st.recursive(
    SCALARS | POINTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def table(*keys: str) -> st.SearchStrategy[dict[str, object]]:
    """Known keys with any value, sometimes an unknown one."""
    return st.dictionaries(st.sampled_from(keys) | NAMES, VALUES, max_size=4)


CAMERA = st.builds(
    lambda more: {"url": "clip.mp4", "models": ["m"], **more},
    table(
        "url",
        "models",
        "fps",
        "max_age",
        "publish",
        "transport",
        "read_timeout",
        "motion",
        "zones",
        "regions",
        "decoder",
    ),
)
SENSOR = st.builds(
    lambda more: {"url": "mqtt:a/b", "models": ["m"], **more},
    table(
        "url",
        "format",
        "fields",
        "window",
        "stride",
        "missing",
        "columns",
        "delimiter",
        "time",
        "echo",
        "max_age",
    ),
)
CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        "device": SCALARS,
        "mqtt": table(
            "url",
            "password_file",
            "protocol",
            "base_topic",
            "qos",
            "spool_max_bytes",
            "spool_max_age",
            "ca_file",
        ),
        "store": table("path", "keep_versions"),
        "state": table("path"),
        "models": st.dictionaries(
            NAMES, table("path", "providers", "min_score", "labels", "threads", "max_memory"), max_size=2
        ),
        "cameras": st.dictionaries(NAMES, CAMERA | VALUES, max_size=2),
        "sensors": st.dictionaries(NAMES, SENSOR | VALUES, max_size=2),
        "http": table("listen"),
    },
)
BEFORE = check_settings(
    {"cameras": {"front": {"url": "clip.mp4", "models": ["m"]}}}, name="edged.toml"
).settings


@settings(max_examples=examples(60), deadline=None)
@given(given_=CONFIGURATIONS)
def test_any_tables_are_accepted_or_refused_in_one_line_that_names_the_file(given_, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "edged.toml"
    try:
        loaded = check_settings(given_, name=str(path), path=path)
    except ConfigurationError as error:
        _is_a_line(error, str(path))
        return
    assert all("\n" not in line for line in loaded.warnings())
    found = loaded.settings
    assert all(camera.fps >= 0 and math.isfinite(camera.fps) for camera in found.cameras.values())
    assert set(found.models) >= {name for camera in found.cameras.values() for name in camera.models}
    change = changes(
        BEFORE, found, fresh=(), served=["m"], used=list(found.models), cameras=BEFORE.cameras, sensors={}
    )
    assert (BEFORE.cameras["front"] == found.cameras.get("front")) == ("front" not in change.gone)


def _is_a_line(error, path):
    assert "\n" not in str(error)
    assert error.subject in {path, "environment"}
    assert error.problem
    assert len(str(error)) < 3000


def test_among_what_is_drawn_is_what_is_accepted():
    def accepted(given_):
        try:
            return bool(check_settings(given_, name="x").settings.cameras)
        except ConfigurationError:
            return False

    quick = settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate])
    found = find(CONFIGURATIONS, accepted, settings=quick)
    assert found["cameras"]
