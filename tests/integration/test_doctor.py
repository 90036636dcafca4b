"""`edged doctor` at real brokers, cameras, stores and models: what it finds, and that it disturbs nobody."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_models
from clips import solid_frame, write_clip
from commands import environment
from mosquitto_broker import Listener

from edged.doctor.checks import checks, read
from edged.doctor.examination import examine
from edged.doctor.findings import document
from edged.outbox.folder import FolderLock
from edged.web import LocalEndpoint

Doctor = Callable[..., dict[str, Any]]


SLOW = {"ONNX Runtime", "decoders"}
"""Each asks a process of its own; they are looked at where the command itself is run."""


@pytest.fixture
def doctor(tmp_path: Path, free_port, monkeypatch) -> Doctor:
    """Examines a configuration; what each finding says by kind and subject, and ``exit``, the exit code."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)

    def look(toml: str, *, timeout_s: float = 30.0, load_models: bool | None = None) -> dict[str, Any]:
        path = tmp_path / "edged.toml"
        rest = "" if "[http]" in toml else f'[http]\nlisten = "127.0.0.1:{free_port()}"\n'
        rest += "" if "[mqtt]" in toml else f'[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n'
        path.write_text(f'device = "gate-7"\n[state]\npath = "state"\n[store]\npath = "store"\n{rest}{toml}')
        wanted = [one for one in checks(*read(path), load_models=load_models) if one.subject not in SLOW]
        told = document(examine(wanted, timeout_s=timeout_s), version="1", configuration=str(path))
        assert "hidden" not in json.dumps(told)
        found = {
            f"{one['kind']} {one['subject']}": f"{one['seen']} | {one['remedy']}" for one in told["findings"]
        }
        return {"exit": told["exit_code"], **found}

    return look


def kind(found: dict[str, Any], name: str) -> str:
    """What the only finding of a kind says."""
    (said,) = [said for key, said in found.items() if key.split()[0] == name]
    return said


def mqtt(url: str, **more: object) -> str:
    return "".join([f'[mqtt]\nurl = "{url}"\n', *(f'{key} = "{value}"\n' for key, value in more.items())])


def camera(url: object, name: str = "front", model: str = "m") -> str:
    return f'[cameras.{name}]\nurl = "{url}"\nmodels = ["{model}"]\n'


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def dated_certificate(folder: Path, begins: str, ends: str) -> list[str]:
    """Lines for mosquitto: a certificate for localhost, valid between two moments, that is its own authority."""
    key, request, pem = (folder / f"broker.{kind}" for kind in ("key", "csr", "pem"))
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder}/index.txt\nserial={folder}/serial\nnew_certs_dir={folder}\n"
        "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
        "[e]\nsubjectAltName=DNS:localhost\nbasicConstraints=CA:TRUE\n"
    )
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    dates = ["-startdate", begins, "-enddate", ends]
    openssl(
        "ca",
        "-batch",
        "-selfsign",
        "-config",
        folder / "ca.cnf",
        *dates,
        "-in",
        request,
        "-keyfile",
        key,
        "-out",
        pem,
    )
    return [f"certfile {pem}", f"keyfile {key}"]


# The broker


def test_a_broker_that_takes_us_is_fine_and_its_client_stays_connected(doctor, mosquitto) -> None:
    broker = mosquitto()
    with Listener(broker, "edged/#", name="edged-gate-7") as daemon:
        found = doctor(mqtt(broker.url) + camera("nothing.mp4"))
        assert "takes us, MQTT 5" in kind(found, "broker")
        assert daemon._client.is_connected()
        assert not [line for line in broker.log if "already connected" in line]


def test_passwords_that_are_wrong_or_missing_are_told_apart_from_a_broker_that_is_away(
    doctor, mosquitto, tmp_path, free_port
) -> None:
    secrets = tmp_path / "passwords"
    secrets.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", secrets, "edge", "right"], check=True, capture_output=True)
    broker = mosquitto("allow_anonymous false", f"password_file {secrets}")
    found = doctor(mqtt(broker.url_for("edge", "right")))
    assert (kind(found, "broker"), found["exit"]) == ("takes us, MQTT 5 | ", 0)
    found = doctor(mqtt(broker.url_for("edge", "hidden")))
    assert "bad user name or password" in kind(found, "broker-refused")
    assert found["exit"] == 78
    assert "none is configured" in kind(doctor(mqtt(broker.url)), "broker-refused")
    found = doctor(mqtt(f"mqtt://127.0.0.1:{free_port()}"))
    assert "nothing listens there" in kind(found, "broker-unreachable")
    assert found["exit"] == 69


def test_a_password_that_is_a_credential_of_the_service_is_not_called_wrong(
    doctor, mosquitto, tmp_path, monkeypatch
) -> None:
    broker = mosquitto()
    given = mqtt(broker.url.replace("//", "//edge@"), password_file="mqtt-password")
    found = doctor(given)
    assert "CREDENTIALS_DIRECTORY=" in kind(found, "broker-secret")
    assert found["exit"] == 0
    (tmp_path / "mqtt-password").write_text("anything")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "takes us" in kind(doctor(given), "broker")


@pytest.mark.parametrize(
    ("begins", "ends", "finding", "said"),
    [
        ("20200101000000Z", "20210101000000Z", "certificate-expired", "expired at 2021-01-01 00:00:00 UTC"),
        ("20900101000000Z", "20910101000000Z", "certificate-early", "valid from 2090-01-01 00:00:00 UTC"),
    ],
)
def test_a_certificate_out_of_its_time_stands_beside_the_local_clock(
    doctor, mosquitto, tmp_path, begins, ends, finding, said
) -> None:
    broker = mosquitto(*dated_certificate(tmp_path, begins, ends), tls=True)
    found = doctor(mqtt(broker.url, ca_file=tmp_path / "broker.pem"))
    assert said in kind(found, finding)
    assert f"the local clock says {time.strftime('%Y-', time.gmtime())}" in kind(found, finding)
    assert found["exit"] == 69


def test_an_unknown_authority_is_a_matter_of_the_certificate_and_not_of_the_clock(
    doctor, mosquitto, tmp_path
) -> None:
    now = time.time()
    begins, ends = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + days * 86400)) for days in (-1, 3))
    broker = mosquitto(*dated_certificate(tmp_path, begins, ends), tls=True)
    assert "mqtt.ca_file" in kind(doctor(mqtt(broker.url)), "broker-certificate")
    found = doctor(mqtt(broker.url, ca_file=tmp_path / "broker.pem"))
    assert "takes us" in kind(found, "broker")
    assert "renew it" in kind(found, "certificate-ending")


def test_another_box_of_the_same_name_is_found_and_our_own_daemon_is_not_taken_for_one(
    doctor, mosquitto, tmp_path
) -> None:
    broker = mosquitto()
    info = json.dumps({"version": "9.9", "machine": {"cpu": "a chip"}, "started_at": "2026-01-01T00:00:00Z"})
    with Listener(broker, "x") as other:
        other._client.publish("edged/gate-7/status", "online", 1, retain=True).wait_for_publish(5)
        other._client.publish("edged/gate-7/info", info, 1, retain=True).wait_for_publish(5)
        found = doctor(mqtt(broker.url))
        assert "edged 9.9, a chip, since 2026-01-01T00:00:00Z" in kind(found, "twin")
        assert found["exit"] == 0
        lock = FolderLock(tmp_path / "state" / "outbox")
        lock.take()
        try:
            found = doctor(mqtt(broker.url))
        finally:
            lock.release()
    assert "uses the outbox" in kind(found, "daemon")
    assert not [key for key in found if key.startswith("twin")]


def test_an_access_list_without_our_topics_is_found(doctor, mosquitto, tmp_path) -> None:
    (tmp_path / "acl").write_text("topic readwrite other/#\n")
    broker = mosquitto(f"acl_file {tmp_path / 'acl'}")
    found = doctor(mqtt(broker.url))
    assert "edged/gate-7/rsp/doctor (reason 0x87) | let the user read and write edged/gate-7/#" in kind(
        found, "broker-mute"
    )
    (tmp_path / "acl").write_text("topic readwrite edged/gate-7/#\n")
    found = doctor(mqtt(mosquitto(f"acl_file {tmp_path / 'acl'}").url))
    assert found["exit"] == 0


# The cameras


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_cameras_are_opened_side_by_side_and_each_says_what_is_wrong(
    doctor, rtsp_server, assets, free_port, silent_port, tmp_path
) -> None:
    port, video = free_port(), assets / "videos" / "one_by_one_person.mp4"
    rtsp_server(port, {"front": video}, "--user", "joe", "--password", "hidden")
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 5000)
    found = doctor(
        camera(f"rtsp://joe:hidden@127.0.0.1:{port}/front")
        + camera(f"rtsp://joe:wrong-hidden@127.0.0.1:{port}/front", "wrong")
        + camera(f"rtsp://joe:hidden@127.0.0.1:{port}/none", "none")
        + camera(f"rtsp://127.0.0.1:{silent_port}/1", "silent")
        + 'read_timeout = "1s"\n'
        + camera(f"rtsp://127.0.0.1:{free_port()}/1", "refused")
        + camera("gone.mp4", "gone")
        + camera("broken.mp4", "broken")
        + camera("rtsp://joe:${credential:front}@10.0.0.1/1", "secret")
    )
    assert "768x432, h264, 10 frames a second" in found["camera cameras.front"]
    assert "refuses the user or password" in found["camera-refused cameras.wrong"]
    assert "404" in found["camera-missing cameras.none"]
    assert "no answer from 127.0.0.1 within" in found["camera-unreachable cameras.silent"]
    assert "refuses the connection" in found["camera-unreachable cameras.refused"]
    assert "no such file" in found["camera-missing cameras.gone"]
    assert "camera-undecodable cameras.broken" in found
    assert "CREDENTIALS_DIRECTORY" in found["camera-secret cameras.secret"]


def test_the_time_for_everything_is_kept_whatever_a_camera_does(doctor, silent_port) -> None:
    began_s = time.monotonic()
    found = doctor(camera(f"rtsp://127.0.0.1:{silent_port}/1") + 'read_timeout = "60s"\n', timeout_s=1)
    assert time.monotonic() - began_s < 10
    assert "no frame after 1 s" in kind(found, "camera-unfinished")


# Store and models


def test_a_model_is_loaded_as_the_daemon_would_and_a_bad_one_says_why(doctor, tmp_path) -> None:
    write_clip(tmp_path / "clip.mp4", [solid_frame(64, 64, (80, 128, 128))] * 3)
    (tmp_path / "store" / "good" / "1").mkdir(parents=True)
    (tmp_path / "store" / "bad" / "1").mkdir(parents=True)
    toy_models.light_detector(tmp_path / "store" / "good" / "1" / "model.onnx")
    (tmp_path / "store" / "bad" / "1" / "model.onnx").write_bytes(b"\x08\x07" * 50)
    found = doctor(
        camera("clip.mp4", "a", "good") + camera("clip.mp4", "b", "bad") + camera("clip.mp4", "c", "gone")
    )
    assert "version 1 runs on" in found["model models.good"]
    assert "model-unservable models.bad" in found
    assert "is not in the store" in found["model-missing models.gone"]
    assert found["exit"] == 78
    found = doctor(camera("clip.mp4", "a", "good"), load_models=False)
    assert "model-skipped models.good" in found


def test_versions_that_were_rejected_are_told_with_their_reason(doctor, tmp_path) -> None:
    from edged.modelstore.digests import onnx_digest
    from edged.modelstore.records import Rejection, write_rejection

    for version in ("1", "2"):
        (tmp_path / "store" / "m" / version).mkdir(parents=True)
        toy_models.light_detector(tmp_path / "store" / "m" / version / "model.onnx")
    folder = tmp_path / "store" / "m"
    digest = onnx_digest(folder / "2")
    write_rejection(folder, Rejection(version=2, digest=digest, step="golden", reason="sees no bus"))
    found = doctor(camera("gone.mp4"))
    assert "version 2 was rejected at golden: sees no bus" in kind(found, "model-rejected")
    assert "version 1 runs on" in kind(found, "model")
    write_rejection(
        folder, Rejection(version=1, digest=onnx_digest(folder / "1"), step="probation", reason="slow")
    )
    assert "model-all-rejected models.m" in doctor(camera("gone.mp4"), load_models=False)


def test_nothing_is_written_anywhere(doctor, tmp_path) -> None:
    (tmp_path / "store").mkdir()
    before = {path for path in tmp_path.rglob("*") if path.name != "edged.toml"}
    doctor(camera("gone.mp4"))
    assert {path for path in tmp_path.rglob("*") if path.name != "edged.toml"} == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="acts as another user: needs root")
def test_a_store_and_a_state_of_another_user_are_found(free_port) -> None:
    import tempfile

    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        (folder / "store").mkdir(mode=0o700)
        (folder / "state").mkdir(mode=0o755)
        (folder / "edged.toml").write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n[http]\nlisten = ""\n'
            '[state]\npath = "state"\n[store]\npath = "store"\n' + camera("gone.mp4")
        )
        program = "import os; from edged.cli import main; import edged.doctor.checks, edged.cli.doctor, rich.table; "
        program += "os.setgroups([]); os.setgid(65534); os.setuid(65534); main()"
        command = [sys.executable, "-c", program, "doctor", "--json", "-c", str(folder / "edged.toml")]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment(HOME="/"), cwd=folder
        )
        told = {
            one["kind"]: f"{one['seen']} | {one['remedy']}" for one in json.loads(done.stdout)["findings"]
        }
    finally:
        shutil.rmtree(folder)
    assert "belongs to root" in told["store-unreadable"]
    assert "belongs to root, and may not be written by nobody" in told["state-unwritable"]
    assert f"sudo chown -R nobody {folder}/state" in told["state-unwritable"]
    assert done.returncode == 78


# The machine, and people


def test_a_port_that_another_program_has_is_found(doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        listen = f"127.0.0.1:{server.getsockname()[1]}"
        found = doctor(f'[http]\nlisten = "{listen}"\n')
        assert f"something that is not edged answers on {listen}" in kind(found, "endpoint-stolen")
        assert found["exit"] == 78


def test_a_port_that_the_edged_of_another_device_has_is_found(doctor) -> None:
    def look(device: str) -> dict[str, Any]:
        with LocalEndpoint(
            "127.0.0.1:0", healthy=list, ready=list, status=lambda: {"device": device}
        ) as other:
            return doctor(f'[http]\nlisten = "127.0.0.1:{other.port}"\n')

    found = look("yard")
    assert "edged of the device yard answers on" in kind(found, "endpoint-stolen")
    assert kind(found, "no-daemon")
    assert "is ready" in kind(look("gate-7"), "daemon")


def test_the_command_tells_programs_one_object_and_people_a_table(edged, tmp_path, free_port) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(f'[mqtt]\nurl = "mqtt://joe:hidden@127.0.0.1:{free_port()}"\n[http]\nlisten = ""\n')
    done = edged("doctor", "--json", "-c", path)
    told = json.loads(done.stdout)
    assert (told["schema"], told["exit_code"], done.returncode) == ("edged.doctor/1", 69, 69)
    assert {"runtime", "providers", "telemetry-off", "state"} <= {one["kind"] for one in told["findings"]}
    table = edged("doctor", "-c", path, COLUMNS="200")
    assert "→ start the broker, or correct mqtt.url" in table.stdout
    assert "hidden" not in done.stdout + table.stdout + done.stderr + table.stderr


def test_a_wrong_configuration_is_a_finding_beside_those_about_the_machine(edged, tmp_path) -> None:
    path = tmp_path / "edged.toml"
    path.write_text("devise = 1\n")
    done = edged("doctor", "-c", path, COLUMNS="200")
    assert done.returncode == 78
    assert "did you mean 'device'?" in done.stdout
    assert "ONNX Runtime" in done.stdout
    assert edged("doctor", "-c", tmp_path / "none.toml").returncode == 78


def test_without_a_configuration_the_machine_is_looked_at(edged, monkeypatch) -> None:
    monkeypatch.setattr("edged.settings.CONFIG_LOCATIONS", ())
    done = edged("doctor", COLUMNS="200")
    assert done.returncode == 0
    assert "none was found" in done.stdout
    assert "edged run --camera URL --model PATH" in done.stdout
