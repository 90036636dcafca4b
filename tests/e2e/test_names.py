"""Names that nobody can resolve for a while, of the broker and of a camera: both are there once the name is."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_models
from camera_doubles import mjpeg_server
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto

BROKER, CAMERA = "broker.test", "camera.test"
WITHIN = """
mount --bind {hosts} /etc/hosts && mount --bind {order} /etc/nsswitch.conf && exec "$@"
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bind mounts")


@pytest.fixture
def own_names(tmp_path: Path) -> tuple[tuple[str, ...], Path]:
    """What a program is started with so that a file alone names hosts for it, and that file."""
    hosts, order = tmp_path / "hosts", tmp_path / "nsswitch.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    order.write_text("hosts: files\n")
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    within = (*unshare, "sh", "-c", WITHIN.format(hosts=hosts, order=order), "sh")
    if subprocess.run([*within, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file over another")
    return within, hosts


def test_a_name_that_resolves_again_later_is_connected_to(
    own_names: tuple[tuple[str, ...], Path], mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    within, hosts = own_names
    broker = mosquitto()
    toy_models.toy_detector(tmp_path / "m.onnx")
    with mjpeg_server() as port, Listener(broker, "edged/#") as listener:
        cameras = {"front": {"url": f"http://{CAMERA}:{port}/x", "models": ["m"]}}
        url = f"mqtt://{BROKER}:{broker.port}"
        config = write_config(
            tmp_path / "edged.toml", url, cameras=cameras, models={"m": tmp_path / "m.onnx"}
        )
        with Daemon("-c", str(config), wrapper=within) as daemon:
            assert daemon.says(CAMERA), daemon.log
            assert daemon.says(BROKER), daemon.log
            assert not listener.messages
            with hosts.open("a") as names:  # the same file goes on: a new one would not be seen inside
                names.write(f"127.0.0.1 {BROKER} {CAMERA}\n")
            topic = "edged/box/camera/front/detections"
            assert listener.wait_for(lambda: bool(listener.payloads(topic)), 30), daemon.log
            assert daemon.end() == 0
