"""What the daemon talks to: in a network of its own it connects to what was configured and to nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mosquitto_broker import require_mosquitto
from real_parts import unavailable

pytestmark = pytest.mark.assets

SCRIPT = """
set -eu
ip link set lo up
{mosquitto} -c {folder}/mosquitto.conf 2>/dev/null & broker=$!
trap 'kill $broker' EXIT
for _ in $(seq 100); do (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.05; done
strace -f -qq -e trace=connect,bind,listen,sendto,sendmsg -e signal=none -o {folder}/trace \\
    {python} -m edged run --once -c {folder}/edged.toml
"""
INET = re.compile(r"(connect|bind)\(\d+, \{sa_family=AF_INET6?, (.*?)\}")
PORT = 18830


def test_the_daemon_connects_to_its_broker_and_to_nothing_else(assets: Path, tmp_path: Path) -> None:
    for program in ("strace", "unshare", "ip", "bash"):
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed")
    if subprocess.run(
        ["unshare", "-r", "-n", "ip", "link", "set", "lo", "up"], capture_output=True
    ).returncode:
        unavailable("this system lets nobody make a network namespace")
    (tmp_path / "mosquitto.conf").write_text(f"user root\nlistener {PORT} 127.0.0.1\nallow_anonymous true\n")
    (tmp_path / "edged.toml").write_text(
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{PORT}"\n[http]\nlisten = ""\n'
        f'[models.m]\npath = "{assets}/models/yolox_nano_416.onnx"\n'
        f'[cameras.c]\nurl = "{assets}/videos/person_bicycle_car_7s.mp4"\nmodels = ["m"]\nfps = 2\n'
    )
    script = SCRIPT.format(mosquitto=require_mosquitto(), folder=tmp_path, port=PORT, python=sys.executable)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    command = ["unshare", "-r", "-n", "bash", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=environment)
    assert done.returncode == 0, done.stderr
    trace = (tmp_path / "trace").read_text()
    reached = {(call, address) for call, address in INET.findall(trace)}
    broker = f'sin_port=htons({PORT}), sin_addr=inet_addr("127.0.0.1")'
    assert ("connect", broker) in reached
    assert {pair for pair in reached if pair != ("connect", broker)} == set()
    assert "listen(" not in trace
