"""A reader of the messages of a released version reads those of this one: only optional properties come to a schema.

``released/<name>.json`` is each schema as it was released last. A release that adds properties replaces the copy; a
change that breaks readers gets a new number, and both copies stay.
"""

import json
from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest
from schema_breaks import breaks

from edged.mqtt.schemas import FOLDER

RELEASED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "released").glob("*.json"))
}

SCHEMA = {
    "$defs": {
        "Found": {
            "type": "object",
            "properties": {
                "label": {"type": "string"},
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "box": {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}] * 2,
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
            "required": ["label", "score"],
        }
    },
    "type": "object",
    "properties": {
        "schema": {"const": "edged.example/1", "type": "string"},
        "state": {"enum": ["online", "offline"], "type": "string"},
        "reason": {
            "enum": ["full"],
            "type": "string",
            "description": "Why. Later versions may add others.",
        },
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "why": {"type": "string", "default": ""},
        "fps": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "found": {"type": "array", "items": {"$ref": "#/$defs/Found"}},
        "best": {"anyOf": [{"$ref": "#/$defs/Found"}, {"type": "null"}], "default": None},
        "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
    },
    "required": ["schema", "state", "id", "found"],
}


def changed(path: str, value: object) -> dict:
    """``SCHEMA`` with the value at a path replaced; None takes it away."""
    schema = deepcopy(SCHEMA)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    node = schema
    for parent in parents:
        node = node[parent]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return schema


@pytest.mark.parametrize("name", RELEASED)
def test_a_reader_of_a_released_schema_reads_messages_of_the_present_one(name):
    present = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert breaks(RELEASED[name], present) == [], "raise the number in the schema's name"


def test_every_schema_of_the_first_version_is_kept():
    assert {"detections-1", "info-1", "camera_state-1", "model_state-1", "health-1", "gap-1"} <= set(RELEASED)


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(RELEASED[name])
    assert RELEASED[name]["properties"]["schema"]["const"] == "edged." + name.replace("-", "/")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("properties/why", None, "message.why: is gone"),
        ("$defs/Found/properties/label", None, "message.found[].label: is gone"),
        ("required", ["schema", "state", "id"], "message.found: need not be there any more"),
        ("$defs/Found/required", ["label"], "message.found[].score: need not be there any more"),
        ("required", [*SCHEMA["required"], "why"], "message.why: must be there now"),
        ("properties/schema/const", "edged.example/2", "message.schema: may be ['edged.example/2'] now"),
        ("properties/state/enum", ["online", "offline", "asleep"], "message.state: may be ['asleep'] now"),
        ("properties/state/enum", None, "message.state: may be anything now"),
        ("properties/id/pattern", "^[0-9a-f]+$", "message.id: pattern is"),
        ("properties/id/pattern", None, "message.id: pattern is None now"),
        ("properties/id/format", "uuid", "message.id: format is 'uuid' now"),
        ("properties/id/type", "integer", "message.id: may be of type ['integer'] now"),
        ("properties/id/type", ["string", "null"], "message.id: may be of type ['null'] now"),
        ("properties/why/type", None, "message.why: may be of type"),
        ("properties/why/default", "fine", "message.why: its absence means 'fine' now, not ''"),
        ("properties/fps/anyOf", [{"type": "number"}, {"type": "string"}], "message.fps: may be of type"),
        ("properties/counts/additionalProperties/type", "number", "message.counts.<name>: may be of type"),
        ("properties/counts/additionalProperties", None, "message.counts.<name>: may be anything now"),
        ("properties/counts/additionalProperties/minimum", -1, "message.counts.<name>: minimum is -1 now"),
        ("properties/found/items", None, "message.found[]: may be anything now"),
        ("$defs/Found/properties/score/maximum", None, "message.found[].score: maximum is None now"),
        ("$defs/Found/properties/score/maximum", 100, "message.found[].score: maximum is 100 now"),
        ("$defs/Found/properties/box/prefixItems/1", {"type": "number"}, "message.found[].box[1]: may be of"),
        ("$defs/Found/properties/box/prefixItems", [{"type": "integer"}], "box: 1 items are described now"),
        ("$defs/Found/properties/box/maxItems", 4, "message.found[].box: maxItems is 4 now"),
        ("$defs/Found/properties/box/minItems", 1, "message.found[].box: minItems is 1 now"),
        ("properties/best/anyOf/0", {"type": "object"}, "message.best.label: is gone"),
    ],
)
def test_what_a_reader_relies_on_is_not_taken_away(path, value, complaint):
    found = breaks(SCHEMA, changed(path, value))
    assert any(complaint in line for line in found), found


def test_a_break_in_a_shape_that_is_used_twice_is_told_of_at_both_places():
    found = breaks(SCHEMA, changed("$defs/Found/properties/score/type", "string"))
    assert {line.partition(":")[0] for line in found} == {"message.found[].score", "message.best.score"}


def test_a_new_property_must_be_optional():
    new = changed("properties/track", {"type": "integer"})
    assert breaks(SCHEMA, new) == []
    new["required"] = [*new["required"], "track"]
    assert breaks(SCHEMA, new) == [
        "message.track: is new and must be there; messages that still wait in an outbox lack it"
    ]


def test_nothing_may_be_added_where_the_reader_was_told_so():
    closed = changed("additionalProperties", False)
    assert breaks(closed, changed("properties/track", {"type": "integer"}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/why/description", "Other words."),
        ("properties/why/title", "Why"),
        ("properties/track", {"$ref": "#/$defs/Found"}),
        ("$defs/Found/properties/colour", {"type": "string"}),
        ("properties/reason/enum", ["full", "old"]),
        ("properties/state/enum", ["online"]),
        ("$defs/Found/properties/score/type", "integer"),
        ("$defs/Found/properties/score/maximum", 0.5),
        ("properties/fps/anyOf", [{"type": "number"}]),
        ("properties/best", SCHEMA["properties"]["best"] | {"description": "The best one."}),
    ],
)
def test_other_words_new_optional_properties_and_narrower_values_break_nothing(path, value):
    assert breaks(SCHEMA, changed(path, value)) == []


def test_a_shape_may_be_called_otherwise_or_written_in_place():
    inlined = deepcopy(SCHEMA)
    inlined["properties"]["found"]["items"] = inlined["$defs"]["Found"]
    assert breaks(SCHEMA, inlined) == []
    assert breaks(inlined, SCHEMA) == []


@pytest.mark.parametrize("name", RELEASED)
def test_taking_any_property_of_a_released_schema_away_is_noticed(name):
    released = RELEASED[name]
    for inner in (released, *released.get("$defs", {}).values()):
        for key in inner["properties"]:
            broken = deepcopy(released)
            for shape in (broken, *broken.get("$defs", {}).values()):
                if shape["title"] == inner["title"]:
                    del shape["properties"][key]
            assert any(line.endswith(f".{key}: is gone") for line in breaks(released, broken))
