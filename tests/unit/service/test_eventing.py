"""What a run before left behind is taken up, whatever the file holds."""

import json
from pathlib import Path

import pytest

from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.publisher import Sender
from edged.service.counting import Counts, Key
from edged.service.eventing import Eventing
from edged.service.open_events import FILE

GOOD = {"source": "front", "label": "person", "zones_ever": ["yard"]}


@pytest.mark.parametrize(
    "strange",
    ["", "[]", "3", "{}", "[" * 100_000, json.dumps(GOOD | {"zones_ever": 3}), json.dumps({"label": "car"})],
)
def test_an_end_that_is_none_costs_only_itself(tmp_path: Path, strange: str) -> None:
    ends = [strange, json.dumps(GOOD)]
    lines = [
        {"do": "end", "id": f"e{at}", "topic": "t", "qos": 1, "message": end} for at, end in enumerate(ends)
    ]
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    gone: list[tuple[str, list[Key]]] = []
    eventing = Eventing(
        Sender(Topics("edged", "box"), 1),
        MemoryOutbox(10**6, 3600),
        tmp_path,
        Counts(),
        on_counted=lambda: None,
        on_gone=lambda camera, keys: gone.append((camera, keys)),
    )
    eventing.start({})
    eventing.close(5)
    assert gone == [("front", [("", "person"), ("yard", "person")])]
