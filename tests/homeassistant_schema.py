"""What Home Assistant documents of the announcement of a device, as JSON Schemas.

Written from https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and the pages
https://www.home-assistant.io/integrations/<platform>.mqtt/, for what edged uses of them. It is stricter than Home
Assistant, which ignores keys that it does not know: such a key is a mistake of ours.
"""

from typing import Any

from jsonschema import Draft202012Validator

TEXT = {"type": "string", "minLength": 1}
SUBSCRIBED = {"type": "string", "pattern": r"^[^#+\x00]+$"}
TEMPLATE = {"type": "string", "pattern": r"\{\{|\{%"}
AVAILABILITY = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["topic"],
        "properties": {
            "topic": SUBSCRIBED,
            "value_template": TEMPLATE,
            "payload_available": TEXT,
            "payload_not_available": TEXT,
        },
    },
}
EVERY = {
    "unique_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
    "default_entity_id": {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*$"},
    "name": TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"},
    "availability": AVAILABILITY,
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "enabled_by_default": {"type": "boolean"},
    "entity_picture": TEXT,
    "json_attributes_topic": SUBSCRIBED,
    "json_attributes_template": TEMPLATE,
    "qos": {"enum": [0, 1, 2]},
    "encoding": {"type": "string"},
}
READ_ONLY = {"entity_category": {"const": "diagnostic"}}
SETTABLE = {"entity_category": {"enum": ["config", "diagnostic"]}}
COMMANDED = {"command_topic": SUBSCRIBED, "command_template": TEMPLATE, "retain": {"const": False}}
STATED = {"state_topic": SUBSCRIBED, "value_template": TEMPLATE}
EXPIRING = {"expire_after": {"type": "integer", "minimum": 1}, "force_update": {"type": "boolean"}}


def platform(name: str, *required: str, **keys: object) -> dict[str, Any]:
    """A component with everything in it, or with its platform alone: a removal."""
    return {
        "if": {"properties": {"platform": {"const": name}}},
        "then": {
            "additionalProperties": False,
            "properties": {"platform": {"const": name}, **EVERY, **keys},
            "anyOf": [
                {"required": ["unique_id", "default_entity_id", "name", *required]},
                {"maxProperties": 1},
            ],
        },
    }


COMPONENT = {
    "type": "object",
    "required": ["platform"],
    "properties": {
        "platform": {"enum": ["binary_sensor", "sensor", "switch", "number", "image", "button", "update"]}
    },
    "allOf": [
        platform(
            "binary_sensor",
            "state_topic",
            **STATED,
            **READ_ONLY,
            **EXPIRING,
            device_class={"enum": ["connectivity", "motion", "occupancy", "problem"]},
            payload_on=TEXT,
            payload_off=TEXT,
            off_delay={"type": "integer"},
        ),
        platform(
            "sensor",
            "state_topic",
            **STATED,
            **READ_ONLY,
            **EXPIRING,
            device_class={"enum": ["data_size", "enum", "frequency", "timestamp"]},
            state_class={"enum": ["measurement", "total", "total_increasing"]},
            unit_of_measurement=TEXT,
            suggested_display_precision={"type": "integer"},
            options={"type": "array", "minItems": 1},
        ),
        platform(
            "switch",
            "command_topic",
            **STATED,
            **SETTABLE,
            **COMMANDED,
            device_class={"enum": ["outlet", "switch"]},
            optimistic={"type": "boolean"},
            **dict.fromkeys(("payload_on", "payload_off", "state_on", "state_off"), TEXT),
        ),
        platform(
            "number",
            "command_topic",
            **STATED,
            **SETTABLE,
            **COMMANDED,
            min={"type": "number"},
            max={"type": "number"},
            step={"type": "number", "minimum": 0.001},
            mode={"enum": ["auto", "box", "slider"]},
            optimistic={"type": "boolean"},
            payload_reset=TEXT,
            unit_of_measurement=TEXT,
        ),
        platform(
            "image",
            "image_topic",
            **SETTABLE,
            image_topic=SUBSCRIBED,
            content_type={"const": "image/jpeg"},
            image_encoding={"const": "b64"},
        ),
        platform(
            "button",
            "command_topic",
            **SETTABLE,
            **COMMANDED,
            device_class={"enum": ["identify", "restart", "update"]},
            payload_press=TEXT,
        ),
        platform(
            "update",
            **STATED,
            **SETTABLE,
            command_topic=SUBSCRIBED,
            retain={"const": False},
            payload_install=TEXT,
            device_class={"const": "firmware"},
            display_precision={"type": "integer"},
            latest_version_topic=SUBSCRIBED,
            latest_version_template=TEMPLATE,
            release_summary=TEXT,
            release_url=TEXT,
            title=TEXT,
        ),
    ],
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["device", "origin", "components"],
    "properties": {
        "device": {
            "type": "object",
            "additionalProperties": False,
            "required": ["identifiers", "name"],
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                "configuration_url": {"type": "string", "pattern": "^https?://"},
                **dict.fromkeys(
                    (
                        "name",
                        "manufacturer",
                        "model",
                        "model_id",
                        "sw_version",
                        "hw_version",
                        "serial_number",
                    ),
                    TEXT,
                ),
            },
        },
        "origin": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": TEXT, "sw_version": TEXT, "support_url": TEXT},
        },
        "availability": AVAILABILITY,
        "availability_mode": {"enum": ["all", "any", "latest"]},
        "qos": {"enum": [0, 1, 2]},
        "encoding": {"type": "string"},
        "components": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z0-9_-]+$"},
            "additionalProperties": COMPONENT,
        },
    },
}
VALIDATOR = Draft202012Validator(SCHEMA)

UPDATE_STATE = {  # the JSON that an update's template gives; one key too many, or a null, and all of it is dropped
    "type": "object",
    "additionalProperties": False,
    "required": ["installed_version", "latest_version", "title", "release_summary", "in_progress"],
    "properties": {
        "installed_version": {"type": "string"},
        "latest_version": {"type": "string"},
        "title": {"type": "string"},
        "release_summary": {"type": "string", "maxLength": 255},
        "in_progress": {"type": "boolean"},
    },
}
UPDATE_STATE_VALIDATOR = Draft202012Validator(UPDATE_STATE)
