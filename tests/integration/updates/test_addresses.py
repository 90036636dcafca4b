"""Where a repository may be, and what lies between it and a box."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from http_server import Request, Server
from repository_server import RepositoryServer
from signed_repository import FOLDERS, MODEL, NOW_S
from update_box import QUICK


def test_what_follows_a_question_mark_goes_with_every_request(box, server, repository):
    """Signed addresses of cloud stores; the secret is shown to nobody."""
    box.url = f"{server.url}/?sig=se%2Bcret&se=2027"
    asked: list[str] = []
    respond = server.respond
    server.respond = lambda request: (asked.append(request.path), respond(request))
    box.restart()
    assert (box.take() / "model.onnx").read_bytes() == MODEL
    assert asked
    assert all(path.startswith("/repo/") and path.endswith("?sig=se%2Bcret&se=2027") for path in asked)


def test_user_and_password_of_the_address_are_sent_and_never_shown(box, server, repository):
    box.url = server.url.replace("//", "//joe:pass-word@")
    box.restart().refresh()
    assert all(request.headers["Authorization"] for request in server.web.requests)
    del server.files["metadata/timestamp.json"]
    error = box.waits("missing")
    assert "joe:***@" in str(error)
    assert "pass-word" not in str(error)


def test_a_proxy_of_the_environment_is_used(box, server, repository, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    server.prefix = "http://models.invalid/m"
    box.url = "http://models.invalid/m"
    box.restart()
    assert (box.take() / "model.onnx").read_bytes() == MODEL


def test_redirects_are_followed(box, server, repository):
    """Stores that keep targets elsewhere; ranges go along."""
    elsewhere = RepositoryServer(dict(server.files), prefix="/cdn")
    with elsewhere:
        target = repository.tar_of(2)
        server.harm[target] = lambda request, content: request.answer(
            302, b"", Location=f"{elsewhere.url}/{target}"
        )
        elsewhere.cut_every = 200_000
        assert (box.take() / "model.onnx").read_bytes() == MODEL
        assert elsewhere.sent[target] == len(server.files[target])


def test_redirects_that_lead_round_and_round(box, server, repository):
    server.harm["metadata/timestamp.json"] = lambda request, content: request.answer(
        302, b"", Location=request.path
    )
    box.waits("unreachable")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_proxy_that_packs_what_it_passes_on(box, server, repository, folder):
    for path in [*server.files, "metadata/2.root.json"]:
        if path.startswith(folder):
            server.harm[path] = lambda request, content: request.answer(
                200, b"\x1f\x8b..", Content_Encoding="gzip"
            )
    box.waits("no repository", box.take)


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_answer_without_content(box, server, repository, folder):
    for path in [*server.files, "metadata/2.root.json"]:
        if path.startswith(folder):
            server.harm[path] = lambda request, content: request.answer(204)
    box.waits("no repository", box.take)


def certificate(path: Path, *, begins: datetime, ends: datetime) -> ssl.SSLContext:
    """Of the loopback, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("valid", ["now", "no more", "not yet"])
def test_over_tls_a_wrong_clock_is_named_and_not_the_certificate(box, server, tmp_path, monkeypatch, valid):
    """The certificate is judged by the real clock, for which the box's stands here in the other direction."""
    now, day = datetime.now(UTC), timedelta(days=1)
    begins = {"now": now - day, "no more": now - 3 * day, "not yet": now + day}[valid]
    context = certificate(tmp_path / "tls.pem", begins=begins, ends=begins + 2 * day)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
    box.client.refresh()
    with Server(tls=context) as web:
        web.answers = server.web.answers
        box.url = web.url(server.prefix)
        box.restart()
        if valid == "now":
            assert len(box.client.refresh()) == 1
            return
        error = box.waits("unreachable")  # a clock that may be right: it is the certificate
        assert "certificate" in error.problem
        box.now_s = NOW_S + 80 * 365 * 86400 if valid == "no more" else 0.0
        box.refuses("clock")


def test_headers_that_never_end(box, server, repository):
    def endless(request: Request, content: bytes) -> None:
        request.drip(b"HTTP/1.1 200 OK\r\n" + b"X-More: yes\r\n" * 1000)

    server.harm["metadata/timestamp.json"] = endless
    box.limits = replace(QUICK, answer_s=0.5)
    box.restart()
    box.waits("unreachable")
