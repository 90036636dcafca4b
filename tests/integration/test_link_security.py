"""Who may talk to whom: TLS with its own authority, client certificates, user and password, and no secret in a log."""

import subprocess
from pathlib import Path

import pytest
from mosquitto_broker import Listener, until
from structlog.testing import capture_logs

from edged.errors import ConfigurationError
from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT = TOPICS.detections("front")


def options(url: str, **more) -> LinkOptions:
    return LinkOptions(broker_address(url), client_id="edged-gate-7", **more)


def outbox() -> MemoryOutbox:
    return MemoryOutbox(1 << 20, 3600.0)


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA made for one test, and what it signs."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        openssl(*request, "-keyout", self._key, "-out", self.certificate)

    def sign(self, name: str, alternative: str = "") -> tuple[Path, Path]:
        """A certificate for `name` and its key."""
        certificate, key, request = (self._folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request
        )
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative or 'DNS:' + name}\n")
        by = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions]
        openssl("x509", "-req", "-in", request, "-out", certificate, "-days", "2", *by)
        return certificate, key


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def listener_lines(authority: Authority, name: str = "localhost") -> list[str]:
    certificate, key = authority.sign(name)
    return [f"cafile {authority.certificate}", f"certfile {certificate}", f"keyfile {key}"]


def test_results_arrive_over_tls_with_a_private_authority(mosquitto, authority):
    broker, box = mosquitto(*listener_lines(authority), tls=True), outbox()
    ca = str(authority.certificate)

    def trust(client) -> None:
        client.tls_set(ca_certs=ca)

    with (
        Listener(broker, FRONT, configure=trust) as listener,
        Link(options(broker.url, ca_file=ca), topics=TOPICS, outbox=box) as link,
    ):
        for number in range(500):
            box.append(FRONT, b'{"number": %d}' % number, qos=1)
        assert link.drain(10)
        assert listener.wait_for(lambda: len(listener.messages) == 500)


def test_a_certificate_of_an_unknown_authority_is_refused_and_the_remedy_said(mosquitto, authority):
    broker = mosquitto(*listener_lines(authority), tls=True)
    with Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "certificate is not accepted" in link.state.why, 10)
        assert "mqtt.ca_file" in link.state.why
        assert not link.connected_once


def test_a_certificate_for_another_name_is_refused(mosquitto, authority):
    broker = mosquitto(*listener_lines(authority, "elsewhere"), tls=True)
    ca = str(authority.certificate)
    with Link(options(broker.url, ca_file=ca), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "certificate is not accepted" in link.state.why, 10)
        assert "name in mqtt.url" in link.state.why


def test_a_client_certificate_opens_the_door_and_its_absence_is_named(mosquitto, authority):
    broker = mosquitto(*listener_lines(authority), "require_certificate true", tls=True)
    ca = str(authority.certificate)
    certificate, key = authority.sign("gate-7")
    with Link(options(broker.url, ca_file=ca), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "wants a client certificate" in link.state.why, 10)
        assert "mqtt.cert_file" in link.state.why
    ours = options(broker.url, ca_file=ca, cert_file=str(certificate), key_file=str(key))
    with Link(ours, topics=TOPICS, outbox=outbox()) as link:
        assert link.drain(10)
        assert link.connected


def test_tls_to_a_port_that_is_plain_is_named(mosquitto):
    broker = mosquitto()
    with Link(options(broker.url.replace("mqtt:", "mqtts:")), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "TLS:" in link.state.why, 15)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_certificate_file_that_cannot_be_used_ends_the_start(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    link = Link(options("mqtts://localhost:1", ca_file=str(file)), topics=TOPICS, outbox=outbox())
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        link.start()
    link.stop(1.0)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_named_and_appears_nowhere(mosquitto, tmp_path, protocol):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "joe", "right"], check=True)
    passwords.chmod(0o644)
    broker = mosquitto(f"password_file {passwords}", "allow_anonymous false")
    wrong = options(broker.url_for("joe", "wr0ng-s3cret"), protocol=protocol)
    with capture_logs() as lines, Link(wrong, topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: link.state.refused, 10)
        assert link.state.why.startswith("refused: bad user name or password")
        assert "mqtt.password_file" in link.state.why
        assert link.drain(30) is False
    assert any("refused" in line.get("why", "") for line in lines)
    assert "wr0ng-s3cret" not in repr(lines) + repr(wrong) + link.state.why


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_right_password_opens_and_none_at_all_is_named(mosquitto, tmp_path, protocol):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "joe", "right"], check=True)
    passwords.chmod(0o644)
    broker = mosquitto(f"password_file {passwords}", "allow_anonymous false")
    with Link(
        options(broker.url_for("joe", "right"), protocol=protocol), topics=TOPICS, outbox=outbox()
    ) as link:
        assert link.drain(10)
    with Link(options(broker.url, protocol=protocol), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "none is configured" in link.state.why, 10)


def test_a_changed_password_counts_at_the_next_connection_without_a_restart(mosquitto, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "joe", "new"], check=True)
    passwords.chmod(0o644)
    broker, known = mosquitto(f"password_file {passwords}", "allow_anonymous false"), ["old"]
    given = options(broker.url.replace("//", "//joe@"), password=lambda: known[0])
    with Link(given, topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: link.state.refused, 10)
        known[0] = "new"
        assert until(lambda: link.connected, 20)


def test_what_an_access_list_forbids_is_said_and_the_others_go_on(mosquitto, tmp_path):
    allowed = tmp_path / "acl"
    allowed.write_text("topic readwrite edged/gate-7/camera/front/#\ntopic write edged/gate-7/status\n")
    allowed.chmod(0o644)
    broker, box = mosquitto(f"acl_file {allowed}"), outbox()
    with (
        capture_logs() as lines,
        Listener(broker, "edged/gate-7/camera/front/#") as listener,
        Link(options(broker.url, protocol="5"), topics=TOPICS, outbox=box) as link,
    ):
        box.append(TOPICS.detections("back"), b'{"id":"1"}', qos=1)
        box.append(TOPICS.detections("front"), b'{"id":"2"}', qos=1)
        assert link.drain(10)
        assert listener.wait_for(lambda: len(listener.messages) == 1)
    said = [line["why"] for line in lines if "set aside" in line["event"]]
    assert said == ["the broker does not take it (reason 0x87)"]
    assert box.dropped == 1
