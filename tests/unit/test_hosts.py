"""Names that a stranger cannot have had registered."""

import pytest

from edged.hosts import is_local


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:9110", "10.0.0.5:1", "[::1]:9110", "[::1]", "localhost:9110", "LOCALHOST",
        "edged.localhost", "gate-7", "gate-7:9110", "gate-7.local", "gate-7.lan:80", "x.home.arpa", "box.internal",
        "gate.plant.example", "x",
    ],
)  # fmt: skip
def test_an_address_or_a_name_of_a_local_network_is_local(host):
    assert is_local(host, own="gate.plant.example")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:9110", "localhost.evil.example", "127.0.0.1.evil.example",
        "evil.example.", "lan.evil.example",
        "evilgate.plant.example", "[::1", "::1", "a:b:c", "", ":9110", "127.0.0.1:999999",
        "1.2.3.4@evil.example", "evillocal.co",
    ],
)  # fmt: skip
def test_a_name_that_somebody_may_have_registered_is_not(host):
    assert not is_local(host, own="gate.plant.example")
