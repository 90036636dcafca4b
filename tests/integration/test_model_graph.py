"""`edged model inspect --graph`: Netron on the loopback, kept from calling home; told where it is not installed."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import toy_models

NETRON = """
import http.server, threading

def start(file, address):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(file.encode())
        def log_message(self, *_):
            pass
    global server
    server = http.server.HTTPServer((address[0], address[1] or 0), Handler)
    return server.server_address

def wait():
    server.handle_request()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_models.toy_detector(tmp_path / "m.onnx")


def graph(model: Path, site: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "edged", "model", "inspect", str(model), "--graph", "--provider", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_page_is_on_the_loopback_and_may_load_nothing_from_elsewhere(tmp_path: Path, model: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "netron.py").write_text(NETRON)
    with graph(model, tmp_path / "site") as shown:
        assert shown.stderr is not None
        address = shown.stderr.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=10) as page:  # the address was just looked at
            assert page.read().decode() == str(model)
            assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert shown.wait(timeout=30) == 0


def test_without_netron_it_says_how_to_get_it(tmp_path: Path, model: Path) -> None:
    (tmp_path / "site" / "netron").mkdir(parents=True)
    (tmp_path / "site" / "netron" / "__init__.py").write_text("raise ImportError('not here')\n")
    with graph(model, tmp_path / "site") as shown:
        printed, complaint = shown.communicate(timeout=60)
    assert shown.returncode == 69
    assert "servable     yes" in printed
    assert complaint.splitlines() == ["edged: --graph: needs Netron; pip install 'edged[netron]'"]
