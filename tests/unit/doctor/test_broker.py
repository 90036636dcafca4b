from dataclasses import replace

import pytest

from edged.doctor.broker import BrokerFacts, findings
from edged.doctor.certificate import Validity
from edged.errors import BrokerUnreachable, ConfigurationError, NotAllowed

NOW_S, DAY_S = 1_795_000_000.0, 86400.0
FINE = BrokerFacts("mqtts://broker.lan:8883", "edged/gate-7/#", NOW_S, protocol="5")
UNVERIFIED = BrokerUnreachable(
    "broker", "TLS: the broker's certificate is not accepted", "name the authority"
)


def seen(facts: BrokerFacts, *, runs: bool = False) -> dict[str, str]:
    return {one.kind: f"{one.seen} | {one.remedy}" for one in findings(facts, device="gate-7", runs=runs)}


def test_a_broker_that_takes_us_is_fine() -> None:
    assert seen(FINE) == {"broker": "takes us, MQTT 5 | "}


@pytest.mark.parametrize(
    ("error", "by_tls", "kind", "code"),
    [
        (
            BrokerUnreachable("b", "nothing listens there", "start the broker"),
            False,
            "broker-unreachable",
            69,
        ),
        (
            NotAllowed("b", "refused: bad user name or password", "correct mqtt.url"),
            False,
            "broker-refused",
            78,
        ),
        (ConfigurationError("ca.pem", "is not usable", "mqtt.ca_file names PEM"), False, "broker-files", 78),
        (UNVERIFIED, True, "broker-certificate", 69),
    ],
)
def test_each_way_to_fail_has_its_kind(error, by_tls: bool, kind: str, code: int) -> None:
    (found,) = findings(replace(FINE, error=error, by_tls=by_tls), device="gate-7", runs=False)
    assert (found.kind, found.exit_code) == (kind, code)
    assert (found.seen, found.remedy) == (error.problem, error.remedy)


def test_a_certificate_that_is_not_valid_yet_stands_beside_the_local_clock() -> None:
    early = Validity(NOW_S + DAY_S, NOW_S + 10 * DAY_S)
    told = seen(replace(FINE, error=UNVERIFIED, by_tls=True, certificate=early))["certificate-early"]
    assert "valid from 2026-11-19" in told
    assert "local clock says 2026-11-18" in told
    assert "set-ntp" in told


def test_a_certificate_that_has_expired_stands_beside_the_local_clock() -> None:
    old = Validity(NOW_S - 10 * DAY_S, NOW_S - DAY_S)
    told = seen(replace(FINE, error=UNVERIFIED, by_tls=True, certificate=old))["certificate-expired"]
    assert "expired at 2026-11-17" in told
    assert "renew it" in told


def test_a_valid_certificate_of_a_stranger_is_no_matter_of_the_clock() -> None:
    good = Validity(NOW_S - DAY_S, NOW_S + DAY_S)
    assert list(seen(replace(FINE, error=UNVERIFIED, by_tls=True, certificate=good))) == [
        "broker-certificate"
    ]


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    soon = Validity(NOW_S - DAY_S, NOW_S + 3 * DAY_S)
    assert set(seen(replace(FINE, certificate=soon))) == {"broker", "certificate-ending"}
    later = Validity(NOW_S - DAY_S, NOW_S + 30 * DAY_S)
    assert set(seen(replace(FINE, certificate=later))) == {"broker"}


def test_another_box_of_the_same_name_is_seen_by_its_status() -> None:
    online = replace(FINE, status="online", told="edged 0.1.0, since yesterday")
    assert "edged 0.1.0, since yesterday" in seen(online)["twin"]
    assert "twin" not in seen(online, runs=True)
    assert "twin" not in seen(replace(FINE, status="offline"))


def test_an_access_list_that_hides_our_topics_is_a_warning() -> None:
    barred = seen(replace(FINE, barred="refuses the subscription to 'edged/gate-7/+'"))
    assert "edged/gate-7/#" in barred["broker-acl"]


def test_an_access_list_that_takes_nothing_from_us_is_an_error() -> None:
    found = list(findings(replace(FINE, mute="refuses what is published"), device="gate-7", runs=True))
    assert [(one.kind, one.exit_code) for one in found] == [("broker", 0), ("broker-mute", 78)]


def test_a_credential_that_was_not_given_is_no_refusal() -> None:
    assert list(seen(replace(FINE, secret="mqtt-password"))) == ["broker-secret"]
