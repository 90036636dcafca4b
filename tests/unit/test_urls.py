import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.errors import ConfigurationError
from edged.urls import BrokerAddress, broker_address, keep_secret, read_credential, redacted, with_credentials

SIGNS = string.ascii_letters + string.digits + "!$%&'()*+,-.;=_~@:/?#[]\"\\{}|^<>"
passwords = st.text(SIGNS, min_size=1, max_size=20).map(lambda text: f"<{text}>Secret")
users = st.text(string.ascii_letters + string.digits + "._-@%", max_size=12)
schemes = st.sampled_from(["rtsp", "rtsps", "http", "https", "mqtt", "mqtts", "RTSP"])


@given(
    scheme=schemes,
    user=users,
    password=passwords,
    rest=st.sampled_from(["cam", "10.0.0.5:554/stream1", "[fe80::1]:554/a?b=c", "cam/x@y"]),
    before=st.sampled_from(["", "cannot open ", "'", "('"]),
    after=st.sampled_from(["", " (timed out)", "', 5)", ": no route\nto host"]),
)
@example(scheme="rtsp", user="joe@home", password="<x>Secret", rest="cam", before="", after="")
@example(scheme="rtsp", user="", password="<a@b/c:d>Secret", rest="cam", before="", after="")
def test_a_password_never_survives_whatever_stands_around_it(scheme, user, password, rest, before, after):
    assert password not in redacted(f"{before}{scheme}://{user}:{password}@{rest}{after}")
    assert "Secret" not in redacted(f"{before}{scheme}://{user}:{password}@{rest}{after}")


@given(
    name=st.sampled_from(["token", "password", "pwd", "Key", "auth"]),
    value=st.text(string.ascii_letters, min_size=6),
)
def test_a_secret_in_a_query_never_survives(name, value):
    shown = redacted(f"http://cam/video?size=1&{name}={value}SECRET&fps=5")
    assert "SECRET" not in shown
    assert "fps=5" in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words, an address joe@example.org and 12:30",
        "rtsp://cam:554/stream1",
        "rtsp://joe@cam:554/stream1",
        "/videos/a@b.mp4",
        "v4l2:/dev/video0",
        "rtsp://cam/1 failed for joe@home: refused",
    ],
)
def test_a_text_without_a_password_stays_as_it_is(text):
    assert redacted(text) == text


def test_the_user_and_the_host_stay_readable():
    assert redacted("rtsp://joe:pa:ss@cam/1?token=9") == "rtsp://joe:***@cam/1?token=***"
    assert redacted("rtsp://joe@home:secret@cam/1") == "rtsp://joe@home:***@cam/1"


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    assert redacted(redacted(text)) == redacted(text)


def test_a_credential_is_filled_in_without_its_line_end(monkeypatch, tmp_path):
    (tmp_path / "front-password").write_text("pa:ss\r\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    filled = with_credentials("rtsp://joe:${credential:front-password}@cam", "cameras.front.url")
    assert filled == "rtsp://joe:pa:ss@cam"
    assert with_credentials("rtsp://cam", "cameras.front.url") == "rtsp://cam"


@pytest.mark.parametrize("written", [None, b"\xff\xfe"], ids=["missing", "not text"])
def test_a_credential_that_cannot_be_read_is_named_with_its_remedy(monkeypatch, tmp_path, written):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    if written:
        (tmp_path / "front").write_bytes(written)
    with pytest.raises(ConfigurationError, match=r"cameras\.front\.url.*'front'.*LoadCredential=front:FILE"):
        read_credential("front", "cameras.front.url")


def test_without_credentials_the_error_says_how_to_pass_them(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError, match="CREDENTIALS_DIRECTORY"):
        read_credential("front", "cameras.front.url")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883, tls=False)),
        ("mqtts://broker", BrokerAddress("broker", 8883, tls=True)),
        ("mqtt://10.0.0.5:2000/", BrokerAddress("10.0.0.5", 2000, tls=False)),
        ("mqtts://[fe80::1]:9000", BrokerAddress("fe80::1", 9000, tls=True)),
        ("mqtt://joe:p%40ss@b", BrokerAddress("b", 1883, tls=False, user="joe", password="p@ss")),
        ("mqtt://joe@b", BrokerAddress("b", 1883, tls=False, user="joe")),
    ],
)
def test_the_address_of_a_broker_is_read(url, address):
    assert broker_address(url) == address


def test_an_address_is_shown_without_user_and_password():
    address = broker_address("mqtts://joe:secret@[fe80::1]")
    assert str(address) == "mqtts://[fe80::1]:8883"
    assert "secret" not in repr(address)
    assert "joe" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "broker",
        "http://broker",
        "mqtt://",
        "mqtt://broker:port",
        "mqtt://broker:99999",
        "mqtt://broker:0",
        "mqtt://[fe80::1",
        "mqtt://broker/topic",
        "mqtt://broker?x=1",
        "mqtt://joe:hidden/ret@broker",
        "mqtt://joe:hidden#ret@broker",
        "mqtt://[joe:hidden@broker",
        "mqtt://joe:hidden@bro ker",
    ],
)
def test_what_is_no_address_is_refused_with_the_right_form_and_without_a_password(url):
    with pytest.raises(ValueError, match="write mqtt://host:1883") as refused:
        broker_address(url)
    assert "hidden" not in str(refused.value)


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr("edged.urls._secrets", [])
    return keep_secret


def test_a_secret_that_is_known_is_found_outside_addresses_too(kept):
    kept("Zaun könig/7")
    assert redacted("it said: Zaun könig/7!") == "it said: ***!"
    assert redacted("it asked for /Zaun%20k%C3%B6nig%2F7/x") == "it asked for /***/x"


def test_of_an_address_only_what_is_secret_in_it_is_kept(kept):
    kept("rtsp://joe:pass-word@cam:554/main?token=tok-en-1&x=y")
    assert (
        redacted("joe at cam:554/main says pass-word and tok-en-1") == "joe at cam:554/main says *** and ***"
    )


@pytest.mark.parametrize("short", ["", "a", "12345", "mqtt://joe@host", "mqtt://joe:123@host"])
def test_what_is_too_short_to_be_told_from_other_words_is_not_looked_for(kept, short):
    kept(short)
    assert redacted("12345 a joe host 123") == "12345 a joe host 123"


def test_of_secrets_that_hold_each_other_nothing_is_left(kept):
    kept("secret")
    kept("secret-and-more")
    assert redacted("secret-and-more, secret") == "***, ***"
