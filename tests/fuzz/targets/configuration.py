"""A configuration file, read at the start and at each reload."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.service.reloading import changes
from edged.settings import load_settings
from fuzz.targets import Target

ROOT = Path(__file__).parents[3]

SMALL = b"""device = "gate-7"
[mqtt]
url = "mqtts://edge:secret@broker.lan:8883"
spool_max_bytes = "256MiB"
spool_max_age = "7d"
[store]
path = "models"
[models.vehicles]
path = "m.onnx"
providers = ["openvino:GPU", "cpu"]
min_score = 0.4
labels = ["car"]
max_memory = "1GiB"
[cameras.front]
url = "rtsp://user:${credential:front}@10.0.0.5/stream1"
models = ["vehicles"]
fps = 5
max_age = "1s"
publish = "changed"
[cameras.front.motion]
gate = "pixels"
masks = [[[0.1, 0.5], [0.9, 0.5], [0.9, 1.0]]]
[cameras.front.zones.driveway]
points = [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0]]
labels = ["car"]
[sensors.pump]
url = "serial:/dev/ttyUSB0?baud=115200"
format = "csv"
fields = ["x", "y"]
window = 256
stride = 128
missing = 0.5
models = ["vehicles"]
[sensors.mill]
url = "mqtt:factory/+/vibration"
window = "10s"
models = ["vehicles"]
[http]
listen = "127.0.0.1:9110"
"""
TOKENS = (
    b'"', b"'", b'"""', b"=", b"[", b"]", b"[[", b"]]", b"{", b"}", b".", b",", b"\n", b"#", b"true",
    b"inf", b"nan", b"1979-05-27T07:32:00Z", b"\\u0000", b"${credential:x}", b"${env:HOME}", b"rtsp://",
    b"v4l2:", b"iio:", b"http:", b"[::1]:99999", b"cameras", b"models", b"sensors", b"mqtt", b"-", b"1e400",
    b"0x", b'"10s"', b"[cameras.front.regions]",
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    path = folder / "edged.toml"
    path.write_bytes(SMALL)
    before = load_settings(path).settings

    def run(content: bytes) -> str:
        path.write_bytes(content)
        loaded = load_settings(path)
        assert all("\n" not in line for line in loaded.warnings())
        changed = changes(
            before,
            loaded.settings,
            fresh=(),
            served=list(before.models),
            used=list(loaded.settings.models),
            cameras=before.cameras,
            sensors=before.sensors,
        )
        return "accepted" if changed.sections else "unchanged"

    yield Target("configuration", (SMALL, (ROOT / "configs" / "edged.toml").read_bytes()), TOKENS, run)
