"""`edged watch` as people and scripts use it, against a real broker."""

import json
import os
import subprocess
import sys

import pytest
from mosquitto_broker import free_port, until

from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT = TOPICS.detections("front")


def watch(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "edged", "watch", *arguments]
    wide = os.environ | {"COLUMNS": "120"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=wide)


@pytest.fixture
def linked(mosquitto):
    broker, box = mosquitto(), MemoryOutbox(1 << 20, 60.0)
    options = LinkOptions(broker_address(broker.url), client_id="edged-gate-7")
    with Link(options, topics=TOPICS, outbox=box) as link:
        assert link.drain(10)
        yield broker, box, link


def test_json_gives_one_line_a_message_and_says_what_was_retained(linked):
    broker, box, link = linked
    with watch("--mqtt", broker.url, "--json", "--seconds", "30") as process:
        first = json.loads(process.stdout.readline())
        assert first == {"topic": TOPICS.status, "payload": "online", "retained": True}
        box.append(FRONT, b'{"id": "a", "sequence": 1, "detections": []}', qos=1)
        box.append(FRONT, b"\xff\xfe", qos=1)
        gap = {"schema": "edged.gap/1", "id": "g", "topic": FRONT, "reason": "full", "count": 3, "later": [1]}
        for _ in range(2):
            box.append(TOPICS.gap, json.dumps(gap).encode(), qos=1)
        assert link.drain(5)
        second, third, *gaps = (json.loads(process.stdout.readline()) for _ in range(4))
        process.terminate()
    assert second == {
        "topic": FRONT,
        "payload": {"id": "a", "sequence": 1, "detections": []},
        "retained": False,
    }
    assert third["payload"] == {"base64": "//4="}
    assert gaps == [{"topic": TOPICS.gap, "payload": gap, "retained": False}] * 2


def test_the_table_shows_rates_gaps_duplicates_replays_and_what_was_found(linked):
    broker, box, link = linked
    with watch("--mqtt", broker.url, "--seconds", "4") as process:
        assert until(lambda: any("Sending SUBACK" in line for line in broker.log), 10)
        link.set_state(TOPICS.camera_state("front"), b'{"state": "online", "why": ""}')
        for identity, sequence, count in (("a", 0, 0), ("b", 1, 1), ("b", 1, 1), ("c", 5, 2)):
            found = [{"label": "person", "score": 0.9}] * count
            payload = {"id": identity, "sequence": sequence, "replayed": True, "detections": found}
            box.append(FRONT, json.dumps(payload).encode(), qos=1)
        said, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    device, camera = (line.split() for line in said.splitlines() if "gate-7" in line)
    assert device == ["gate-7", "online"]
    assert camera[:3] == ["gate-7", "camera/front", "online"]
    assert camera[4:] == ["3", "3", "1", "3", "0", "2", "person"]


def test_the_table_shows_what_was_dropped_and_why_and_counts_a_gap_once(linked):
    broker, box, link = linked
    with watch("--mqtt", broker.url, "--seconds", "4") as process:
        assert until(lambda: any("Sending SUBACK" in line for line in broker.log), 10)
        link.set_state(TOPICS.camera_state("front"), b'{"state": "online", "why": ""}')
        for identity, topic, count, reason in (
            ("g1", FRONT, 40, "full"),
            ("g1", FRONT, 40, "full"),
            ("g2", FRONT, 2, "old"),
            ("g3", "", 7, "damaged"),
        ):
            payload = {"id": identity, "topic": topic, "count": count, "reason": reason}
            box.append(TOPICS.gap, json.dumps(payload).encode(), qos=1)
        for identity, sequence in (("a", 0), ("b", 1), ("d", 3), ("c", 2)):  # the third overtakes the fourth
            payload = {"id": identity, "sequence": sequence, "detections": [], "replayed": identity != "d"}
            box.append(FRONT, json.dumps(payload).encode(), qos=1)
        said, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    device, camera = (line.split() for line in said.splitlines() if "gate-7" in line)
    assert device == ["gate-7", "online;", "dropped:", "damaged", "7"]
    assert camera[:6] == ["gate-7", "camera/front", "online;", "dropped:", "full,", "old"]
    assert camera[7:] == ["4", "0", "0", "3", "42", "nothing"]


def test_a_sensor_is_shown_with_what_its_model_says_and_its_alarm(linked):
    broker, box, link = linked
    said = {"label": "inner", "class_id": 1, "scores": {"normal": 0.04, "inner": 0.96}, "alarm": True}
    with (
        watch("--mqtt", broker.url, "--seconds", "4") as table,
        watch("--mqtt", broker.url, "--json", "--seconds", "4") as lines,
    ):
        assert until(lambda: sum("Sending SUBACK" in line for line in broker.log) >= 2, 10)
        link.set_state(TOPICS.sensor_state("motor"), b'{"state": "online", "why": "", "alarm": true}')
        for identity, sequence in (("a", 0), ("b", 2)):
            payload = {"id": identity, "sequence": sequence, "result": said}
            box.append(TOPICS.sensor_result("motor"), json.dumps(payload).encode(), qos=1)
        drawn, complaints = table.communicate(timeout=20)
        told = [json.loads(line) for line in lines.communicate(timeout=20)[0].splitlines()]
    assert table.returncode == 0, complaints
    (sensor,) = (line.split() for line in drawn.splitlines() if "sensor/motor" in line)
    assert sensor[:4] == ["gate-7", "sensor/motor", "online;", "alarm"]
    assert sensor[5:] == ["2", "1", "0", "0", "0", "inner", "0.96"]
    results = [one["payload"]["result"] for one in told if one["topic"] == TOPICS.sensor_result("motor")]
    assert results == [said, said]
    assert TOPICS.sensor_state("motor") in [one["topic"] for one in told]


def test_a_broker_out_of_reach_is_one_line_and_69():
    with watch("--mqtt", f"mqtt://localhost:{free_port()}") as process:
        said, complaints = process.communicate(timeout=20)
    assert process.returncode == 69
    assert said == ""
    assert complaints.count("\n") == 1
    assert "nothing listens there" in complaints


def test_a_refused_password_is_one_line_and_77(mosquitto, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "joe", "right"], check=True)
    passwords.chmod(0o644)
    broker = mosquitto(f"password_file {passwords}", "allow_anonymous false")
    with watch("--mqtt", broker.url_for("joe", "wr0ng"), "--json") as process:
        said, complaints = process.communicate(timeout=20)
    assert process.returncode == 77
    assert said == ""
    assert complaints.count("\n") == 1
    assert "wr0ng" not in complaints


def test_a_wrong_address_is_wrong_usage():
    with watch("--mqtt", "http://joe:secret@localhost") as process:
        _, complaints = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--mqtt" in complaints
    assert "secret" not in complaints


def test_watching_goes_on_when_the_broker_comes_back(mosquitto):
    broker = mosquitto()
    options = LinkOptions(broker_address(broker.url), client_id="edged-gate-7")
    with Link(options, topics=TOPICS, outbox=MemoryOutbox(1 << 20, 60.0)) as link:
        assert link.drain(10)
        with watch("--mqtt", broker.url, "--json", "--seconds", "60") as process:
            assert json.loads(process.stdout.readline())["payload"] == "online"
            broker.kill()
            assert "the connection broke" in process.stderr.readline()
            broker.start()
            assert json.loads(process.stdout.readline())["payload"] == "online"
            process.terminate()
