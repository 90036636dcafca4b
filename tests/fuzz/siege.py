"""A whole daemon under attack from all sides at once, and looked at from outside only.

    mosquitto ── commands and rows that went wrong ──→ edged run ←── HTTP requests that went wrong
                                                          ↑
                                       SIGHUP with configurations that went wrong

What must hold: the same process all the time, an answer to ``ping`` and 200 on ``/healthz`` at the end, no line about a
bug in its log, memory within bounds, every configuration that is wrong refused.
"""

import contextlib
import http.client
import json
import random
import signal
import socket
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import toy_models
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto, free_port, until
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fuzz.guidance import Finding
from fuzz.mutation import mutated
from fuzz.targets import commands, configuration, rows
from fuzz.targets import http as requests

MAX_GROWTH_BYTES = 128 << 20
PAUSE_S = 0.02
"""Between two messages: more than 20 commands a second are refused unread."""
BUGS = ("a bug", "Traceback", "Fatal Python error", "nobody understands")
ANSWERS_WITHIN_S = 20.0


def besiege(folder: Path, *, seed: int, seconds: float) -> tuple[str, list[Finding]]:
    """Attack for so long; the line and the findings."""
    broker, port = Mosquitto(folder / "broker"), free_port()
    toy_models.toy_detector(folder / "m.onnx")
    config = folder / "edged.toml"
    whole = _configuration(broker.url, port, folder)
    config.write_bytes(whole)
    counts = {"commands": 0, "rows": 0, "requests": 0, "reloads": 0}
    stop = threading.Event()
    try:
        with Daemon("-c", str(config)) as daemon, Listener(broker, "edged/box/#") as listener:
            pid = daemon.process.pid
            assert until(lambda: _healthy(port), 30), daemon.log
            before = _resident_bytes(pid)
            attackers = [
                threading.Thread(target=attack, args=(random.Random(f"{seed}/{attack.__name__}"), stop, counts, *rest))
                for attack, *rest in (
                    (_command, broker.port), (_row, broker.port), (_request, port), (_reload, daemon, config, whole),
                )
            ]  # fmt: skip
            for attacker in attackers:
                attacker.start()
            stop.wait(seconds) if daemon.process.poll() is None else None
            stop.set()
            for attacker in attackers:
                attacker.join(30)
            config.write_bytes(whole)
            findings = _looked_at(daemon, listener, broker.port, port, before)
            code = daemon.end(20) if daemon.process.poll() is None else daemon.process.returncode
            if code:
                findings.append(
                    Finding("siege", f"the daemon ended with {code}", b"", "\n".join(daemon.log[-20:]))
                )
    finally:
        broker.stop()
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"siege: {said} in {seconds:.0f} s; {len(findings)} findings", findings


def _looked_at(daemon: Daemon, listener: Listener, broker: int, port: int, before: int) -> list[Finding]:
    log = "\n".join(daemon.log)
    found = [
        Finding("siege", line[:200], b"", log[-3000:])
        for line in daemon.log if any(bug in line for bug in BUGS)
    ][:5]  # fmt: skip
    if daemon.process.poll() is not None:
        return [
            *found,
            Finding("siege", f"the daemon ended with {daemon.process.returncode}", b"", log[-3000:]),
        ]
    daemon.send(signal.SIGHUP)
    if not until(lambda: _healthy(port), ANSWERS_WITHIN_S):
        found.append(Finding("siege", "it is not healthy any more", b"", log[-3000:]))
    with _publisher(broker) as client:
        answered = len([one for one in listener.messages if one.topic == "edged/box/rsp/ping"])

        def pings() -> bool:
            client.publish("edged/box/cmd/ping", b"", qos=1)
            time.sleep(0.3)
            return len([one for one in listener.messages if one.topic == "edged/box/rsp/ping"]) > answered

        if not until(pings, ANSWERS_WITHIN_S):
            found.append(Finding("siege", "it does not answer to ping any more", b"", log[-3000:]))
    if (grown := _resident_bytes(daemon.process.pid) - before) > MAX_GROWTH_BYTES:
        found.append(Finding("siege", f"it grew by {grown >> 20} MiB", b""))
    return found


def _configuration(url: str, port: int, folder: Path) -> bytes:
    return f"""device = "box"
[mqtt]
url = "{url}"
[store]
path = "store"
[state]
path = "state"
[http]
listen = "127.0.0.1:{port}"
[models.m]
path = "m.onnx"
providers = ["cpu"]
[cameras.front]
url = "nothing.mp4"
models = ["m"]
[sensors.pump]
url = "mqtt:factory/pump"
models = ["bearing"]
[sensors.mill]
url = "http:"
format = "csv"
models = ["bearing"]
[models.bearing]
path = "{Path(__file__).parents[2] / "models" / "bearing-vibration" / "1"}"
providers = ["cpu"]
""".encode()


def _command(chance: random.Random, stop: threading.Event, counts: dict[str, int], port: int) -> None:
    """What a stranger on the broker sends; mosquitto passes on what MQTT allows."""
    with _publisher(port) as client:
        while not stop.wait(PAUSE_S):
            content = mutated(chance, chance.choice(commands.SEEDS), tokens=commands.TOKENS)
            topic, response, payload = [*content.split(b"\x01", 2), b"", b""][:3]
            if chance.random() < 0.7:
                topic = b"edged/box/cmd/" + chance.choice(list(commands.ASKED)).encode()
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = response[:1000]
            with contextlib.suppress(ValueError):
                properties.ResponseTopic = response.decode(errors="ignore").replace("\x00", "") or "me"
                name = topic.decode(errors="ignore").replace("\x00", "")
                client.publish(
                    name,
                    payload,
                    qos=chance.choice((0, 1)),
                    retain=chance.random() < 0.02,
                    properties=properties,
                )
                counts["commands"] += 1


def _row(chance: random.Random, stop: threading.Event, counts: dict[str, int], port: int) -> None:
    with _publisher(port) as client:
        while not stop.wait(PAUSE_S / 4):
            client.publish(
                "factory/pump", mutated(chance, chance.choice(rows.SEEDS)[1:], tokens=rows.TOKENS), qos=0
            )
            counts["rows"] += 1


def _request(chance: random.Random, stop: threading.Event, counts: dict[str, int], port: int) -> None:
    seeds = [seed.replace(b"/sensor/pump", b"/sensor/mill") for seed in requests.SEEDS]
    while not stop.wait(PAUSE_S / 4):
        content = mutated(chance, chance.choice(seeds), tokens=requests.TOKENS)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2.0) as sock:
            sock.sendall(content)
            if chance.random() < 0.9:
                sock.shutdown(socket.SHUT_WR)
                sock.recv(65536)
            counts["requests"] += 1


def _reload(
    chance: random.Random,
    stop: threading.Event,
    counts: dict[str, int],
    daemon: Daemon,
    config: Path,
    whole: bytes,
) -> None:
    """Only what follows the paths and addresses goes wrong, so that the daemon stays where it is."""
    head, mark, tail = whole.partition(b"[cameras.front]")
    while not stop.wait(0.5):
        wrong = mutated(chance, mark + tail, tokens=configuration.TOKENS)
        if b"/" in wrong.replace(b"/models/bearing-vibration/1", b""):
            wrong = wrong.replace(b"/", b"_")
        config.write_bytes(head + wrong)
        if daemon.process.poll() is None:
            daemon.send(signal.SIGHUP)
            counts["reloads"] += 1


@contextlib.contextmanager
def _publisher(port: int):  # type: ignore[no-untyped-def]
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status == 200 and bool(json.loads(answer.read())["ok"])
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    return 0
