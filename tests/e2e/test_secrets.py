"""No secret gets out: everything that a run with known secrets leaves anywhere is searched for them."""

import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from daemons import Daemon, children
from managers import Datagrams, journal_stream
from mosquitto_broker import Listener, Mosquitto, until
from sensorboxes import two_classes

Brokers = Callable[..., Mosquitto]

SECRETS = {
    "broker": "Zaunkoenig-77",
    "in the url": "Rotkehlchen:88@x",
    "token": "Gimpel-99-token",
    "credential": "Stieglitz 11/?#",
    "whole": "Wiedehopf-22",
    "posted": "Pirol-33-pirol",
}
"""Where each is given."""


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port where every request is refused with words that repeat it, as web servers do."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403, f"no: {self.path}"[:200])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


def leaks(text: bytes) -> list[str]:
    """Which secrets stand there, as they are or as an address writes them."""
    forms = {
        name: {secret, secret.replace(":", "%3A").replace("@", "%40")} for name, secret in SECRETS.items()
    }
    forms["credential"] |= {"Stieglitz", "Stieglitz%2011%2F%3F%23"}
    forms["in the url"] |= {"Rotkehlchen"}
    return [name for name, some in forms.items() if any(form.encode() in text for form in some)]


class Run:
    """A daemon with all these secrets, and everything that it let out."""

    def __init__(self, folder: Path, broker: Mosquitto, *, refusing: int, closed: int, endpoint: int) -> None:
        self.folder, self.broker, self.endpoint = folder, broker, f"http://127.0.0.1:{endpoint}"
        credentials = folder / "credentials"
        credentials.mkdir()
        (credentials / "front").write_text(SECRETS["credential"] + "\n")
        (credentials / "whole").write_text(f"rtsp://joe:{SECRETS['whole']}@127.0.0.1:{closed}/1")
        (folder / "mqtt-password").write_text(SECRETS["broker"] + "\n")
        self.environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
        two_classes(folder / "m.onnx")
        (folder / "rows.csv").write_text("a,b\n")
        cameras = {
            "closed": f"rtsp://joe:{SECRETS['in the url']}@127.0.0.1:{closed}/1",
            "refused": f"http://127.0.0.1:{refusing}/video.mp4?token={SECRETS['token']}",
            "odd": f"http://127.0.0.1:{refusing}/${{credential:front}}/video.mp4",
            "credential": f"rtsp://joe:${{credential:front}}@127.0.0.1:{closed}/1",
            "whole": "${credential:whole}",
        }
        lines = [
            'device = "box"',
            "[http]",
            f'listen = "127.0.0.1:{endpoint}"',
            "[mqtt]",
            f'url = "mqtt://edge@127.0.0.1:{broker.port}"',
        ]
        lines += ['password_file = "mqtt-password"', "[models.parcel-codes]", 'providers = ["cpu"]']
        lines += ["[models.m]", f'path = "{folder / "m.onnx"}"', 'providers = ["cpu"]']
        lines += ["[sensors.s]", f'url = "{folder / "rows.csv"}"', 'format = "csv"', 'models = ["m"]']
        for name, url in cameras.items():
            lines += [f"[cameras.{name}]", f'url = "{url}"', 'models = ["parcel-codes"]']
        self.config = folder / "edged.toml"
        self.config.write_text("\n".join(lines) + "\n")
        self.wrong = f'\n[cameras.wrong]\nurll = "rtsp://joe:{SECRETS["posted"]}@10.0.0.1/1"\n'

    def daemon(self, *arguments: str, stderr: IO[bytes], stdout: Path, **environment: str) -> Daemon:
        shell = ("sh", "-c", f'exec "$0" "$@" > {stdout}')
        return Daemon(
            *arguments,
            "-c",
            str(self.config),
            wrapper=shell,
            stderr=stderr,
            **environment,
            **self.environment,
        )

    def answers(self) -> Iterator[bytes]:
        """Of the local endpoint."""
        for path in ("healthz", "readyz", "status", "metrics", "nothing"):
            try:
                with urllib.request.urlopen(f"{self.endpoint}/{path}", timeout=10) as answer:
                    yield answer.read()
            except urllib.error.HTTPError as error:
                yield error.read()

    def state_files(self) -> Iterator[bytes]:
        for path in (self.folder / "state").rglob("*"):
            if path.is_file():
                yield path.name.encode() + path.read_bytes()


@pytest.mark.parametrize("arguments", [("--debug",), ()], ids=["debug", "journald"])
def test_no_secret_gets_out_anywhere(
    mosquitto: Brokers,
    tmp_path: Path,
    refusing: int,
    free_port: Callable[[], int],
    arguments: tuple[str, ...],
) -> None:
    run = Run(tmp_path, mosquitto(), refusing=refusing, closed=free_port(), endpoint=free_port())
    out, errors = tmp_path / "out", tmp_path / "errors"
    processes: list[bytes] = []
    with Datagrams() as journal, errors.open("wb") as stderr, Listener(run.broker) as listener:
        under = {"JOURNAL_STREAM": journal_stream(stderr.fileno()), "EDGED_TEST_JOURNAL": journal.path}
        environment = {} if arguments else under
        with run.daemon(*arguments, stderr=stderr, stdout=out, **environment) as daemon:

            def said() -> str:
                return errors.read_text() + b"\n".join(journal.heard).decode()

            for name in ("closed", "refused", "odd", "credential", "whole"):
                offline = f"camera offline camera={name}"
                assert until(lambda offline=offline: offline in said(), 30), said()
            for pid in (daemon.process.pid, *children(daemon.process.pid)):
                processes += [Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")]
            run.config.write_text(run.config.read_text() + run.wrong)
            daemon.process.send_signal(1)
            assert until(lambda: "reload refused" in said(), 15), said()
            state, answers = list(run.state_files()), list(run.answers())
            assert daemon.end(10) == 0, said()
        assert listener.wait_for(lambda: b"stopped" in listener.payloads("edged/box/status"))
        messages = [message.topic.encode() + message.payload for message in listener.messages]
        assert any(b"offline" in message for message in messages)
        assert len(processes) >= 2
        assert any(b"offline" in answer for answer in answers)
        everything = {
            "standard output": [out.read_bytes()],
            "standard error": [errors.read_bytes()],
            "journal": journal.heard,
            "messages": messages,
            "state": [*state, *run.state_files()],
            "processes": processes,
            "local endpoint": answers,
        }
    found = {(where, name) for where, texts in everything.items() for text in texts for name in leaks(text)}
    assert not found
    assert "***" in said()
