"""What tests of several layers share: the real material, the real RTSP server, free ports, commands."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from commands import Done, environment
from hypothesis import HealthCheck, settings
from mosquitto_broker import Mosquitto
from real_parts import unavailable

from edged import cli

# Machines are shared: how long an example takes says nothing of the code, and tests assert no speed.
settings.register_profile("edged", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edged")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory) -> Iterator[None]:
    """What is measured of a model is kept for this run, and nothing of earlier ones is known."""
    with pytest.MonkeyPatch.context() as here:
        here.delenv("CACHE_DIRECTORY", raising=False)
        here.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real models, pictures and videos; ``EDGED_ASSETS`` names another."""
    folder = Path(os.environ.get("EDGED_ASSETS") or SHARED / "assets")
    if not folder.is_dir():
        unavailable(f"no assets at {folder}: name their folder in EDGED_ASSETS")
    return folder


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports of the loopback that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


RtspServer = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def rtsp_server() -> Iterator[RtspServer]:
    """Starts RTSP servers that are ready when the call returns; ends those that are left.

    Called as ``rtsp_server(port, {"front": video}, "--user", "joe", …)``.
    """
    script = SHARED / "tools" / "rtsp_server.py"
    if not script.is_file():
        unavailable(f"no RTSP server at {script}")
    started: list[subprocess.Popen[str]] = []

    def start(port: int, mounts: dict[str, Path], *options: str) -> "subprocess.Popen[str]":
        command = ["/usr/bin/python3", str(script), "--port", str(port), *options]
        command += [f"{name}={path}" for name, path in mounts.items()]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(server)
        assert server.stdout is not None
        if server.stdout.readline().strip() != "ready":
            unavailable(
                "the RTSP server does not start: are gir1.2-gst-rtsp-server-1.0 and python3-gi installed?"
            )
        return server

    yield start
    for server in started:
        server.terminate()
    for server in started:
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout:
            server.stdout.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers, called as `Mosquitto` without its folder; ends those that are left."""
    started: list[Mosquitto] = []

    def start(*lines: str, **options: bool) -> Mosquitto:
        started.append(Mosquitto(tmp_path / f"mosquitto-{len(started)}", *lines, **options))
        return started[-1]

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def edged(tmp_path, monkeypatch, capsys) -> Iterator[Callable[..., Done]]:
    """Runs a command in ``tmp_path``, as a user would, but in this process: it takes a fifth of the time."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    monkeypatch.setattr(cli, "_hush_native_code", lambda: None)  # it takes the descriptor from pytest too
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, **more: str) -> Done:
        with monkeypatch.context() as here:
            for name, value in more.items():
                here.setenv(name, value)
            here.setattr(sys, "argv", ["edged", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return Done(sys.argv, int(ended.value.code or 0), *capsys.readouterr())

    yield run
    structlog.reset_defaults()
