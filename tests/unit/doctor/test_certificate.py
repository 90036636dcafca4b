import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.doctor.certificate import validity


def element(tag: int, content: bytes) -> bytes:
    count = len(content)
    length = bytes([count]) if count < 128 else b"\x82" + count.to_bytes(2, "big")
    return bytes([tag]) + length + content


def certificate(before: bytes, after: bytes, *, version: bool = True) -> bytes:
    fields = element(0xA0, element(2, b"\2")) if version else b""
    fields += element(2, b"\x01") + element(0x30, b"") + element(0x30, b"\0" * 200)
    fields += element(0x30, before + after)
    return element(0x30, element(0x30, fields + element(0x30, b"")))


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_the_times_of_a_certificate_of_openssl_are_read(tmp_path: Path) -> None:
    pem, der = tmp_path / "c.pem", tmp_path / "c.der"
    subject = ["-subj", "/CN=x", "-keyout", tmp_path / "k", "-out", pem, "-days", "3"]
    for command in (
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject],
        ["x509", "-in", pem, "-outform", "DER", "-out", der],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    found = validity(der.read_bytes())
    assert found is not None
    assert found.not_after_s - found.not_before_s == 3 * 86400
    assert abs(found.not_before_s - datetime.now(UTC).timestamp()) < 60


@pytest.mark.parametrize("version", [True, False])
def test_both_forms_of_a_time_are_read(version: bool) -> None:
    der = certificate(element(0x17, b"991231235959Z"), element(0x18, b"20500102030405Z"), version=version)
    found = validity(der)
    assert found is not None
    assert (found.not_before_s, found.not_after_s) == (at(1999, 12, 31, 23, 59, 59), at(2050, 1, 2, 3, 4, 5))


@given(st.binary(max_size=60))
def test_what_is_no_certificate_has_no_times(der: bytes) -> None:
    assert validity(der) is None


@given(st.integers(0, 255))
def test_a_certificate_cut_short_has_no_times(length: int) -> None:
    whole = certificate(element(0x17, b"200101000000Z"), element(0x17, b"300101000000Z"))
    assert validity(whole[: min(length, len(whole) - 1)]) is None
