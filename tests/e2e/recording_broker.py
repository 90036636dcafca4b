"""A broker that writes each message down before it acknowledges it; a program that is killed like one.

    python recording_broker.py PORT FILE [SHARE]

SHARE of the acknowledgements is left out, as on a bad line. A line of FILE is a message: JSON with topic and payload.
"""

import json
import os
import random
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripted_broker import ACK, Published, Script, ScriptedBroker


def main(port: int, file: Path, lost_share: float) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def record(message: Published) -> int | None:
        line = {"topic": message.topic, "payload": message.payload.decode()}
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        return None if random.random() < lost_share else ACK

    with ScriptedBroker(Script(puback=record), port=port):
        print("listening", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
