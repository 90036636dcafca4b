"""The entities that Home Assistant makes of a device.

Pure. Keys are written out, as in Home Assistant's documentation of each platform. A component keeps its identifier and
its platform for ever. To give up one, leave it out here: the caller tells Home Assistant that it is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edged.mqtt.homeassistant_names import can_be_a_topic, entity_id, identifier, literal, shown
from edged.mqtt.homeassistant_templates import (
    COMMAND,
    EXPIRES_S,
    LONGEST_STATE,
    Config,
    arguments,
    attributes,
    availability,
    available,
    fresh,
    on,
    update,
)
from edged.mqtt.topics import Topics


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity.

    Attributes:
        platform: ``sensor``, ``switch`` …
        path: What it is of, and what it says: ``("camera", "front", "connection")``.
        name: For people; Home Assistant puts the device's before it.
        options: Of its platform.
    """

    platform: str
    path: tuple[str, ...]
    name: str
    options: Config = field(default_factory=dict)


def components(entities: Iterator[Entity], topics: Topics, device_id: str) -> dict[str, Config]:
    """The components of a device's configuration, by identifier."""
    found: dict[str, Config] = {}
    taken: set[str] = set()
    for entity in entities:
        key = identifier(*entity.path)
        found[key] = {
            "platform": entity.platform,
            "unique_id": f"{device_id}--{key}",
            "default_entity_id": entity_id(entity.platform, f"{topics.device} {entity.name}", key, taken),
            "name": entity.name,
            **entity.options,
        }
    return found


def of_device(topics: Topics) -> Iterator[Entity]:
    """What concerns the whole device."""
    yield Entity(
        "binary_sensor",
        ("device", "connection"),
        "Connection",
        {
            "state_topic": topics.status,
            "value_template": on("value == 'online'"),
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "availability": [],  # always: it would say nothing else than its availability
        },
    )
    yield _figure(
        topics,
        ("device", "cpu"),
        "CPU",
        "value_json.cpu_percent",
        {"unit_of_measurement": "%", "icon": "mdi:chip"},
    )
    yield _figure(
        topics,
        ("device", "memory"),
        "Memory",
        "(value_json.memory_bytes / 1048576) | round(1)",
        {"unit_of_measurement": "MiB", "device_class": "data_size", "suggested_display_precision": 0},
    )
    yield _figure(
        topics,
        ("device", "waiting"),
        "Waiting results",
        "value_json.spool.entries",
        {"icon": "mdi:tray-full"},
    )
    yield _figure(
        topics,
        ("device", "dropped"),
        "Dropped results",
        "value_json.spool.dropped",
        {"state_class": "total_increasing", "icon": "mdi:tray-remove"},
    )
    yield Entity(
        "binary_sensor",
        ("device", "outbox_problem"),
        "Outbox problem",
        {
            **_from_health(topics, fresh(on("value_json.spool.why | default('')"))),
            "device_class": "problem",
            **attributes(topics.health, {"reason": "value_json.spool.why | default('')"}),
        },
    )
    last = f"(value_json.errors | default([]) | first | default('none'))[:{LONGEST_STATE}]"
    yield Entity(
        "sensor",
        ("device", "last_error"),
        "Last error",
        {**_from_health(topics, f"{{{{ {last} }}}}"), "icon": "mdi:alert-circle-outline"},
    )
    yield Entity(
        "button",
        ("device", "reload"),
        "Reload configuration",
        {
            "command_topic": topics.command("reload"),
            "payload_press": "{}",
            **COMMAND,
            "entity_category": "config",
            "icon": "mdi:reload",
        },
    )


def of_camera(topics: Topics, camera: str, labels: tuple[str, ...], *, has_motion: bool) -> Iterator[Entity]:
    """What concerns one camera; names begin with the camera's, so that they stand together."""
    yield from _camera_state(topics, camera)
    while_online = {
        "availability": [
            *availability(topics),
            available(topics.camera_state(camera), "value_json.state == 'online'"),
        ],
        "availability_mode": "all",
    }
    if has_motion:
        yield Entity(
            "binary_sensor",
            ("camera", camera, "motion"),
            f"{camera} motion",
            {"state_topic": topics.motion(camera), "device_class": "motion", **while_online},
        )
    for label in filter(can_be_a_topic, dict.fromkeys(labels)):
        yield Entity(
            "sensor",
            ("camera", camera, "count", label),
            f"{camera} {shown(label)} count",
            {
                "state_topic": topics.count(camera, label),
                "state_class": "measurement",
                "icon": "mdi:counter",
                **while_online,
            },
        )
    yield from _camera_rates(topics, camera)
    yield Entity(
        "image",
        ("camera", camera, "snapshot"),
        f"{camera} snapshot",
        {"image_topic": topics.snapshot(camera), "content_type": "image/jpeg"},
    )
    yield Entity(
        "button",
        ("camera", camera, "take_snapshot"),
        f"{camera} take snapshot",
        {
            "command_topic": topics.command("camera/snapshot"),
            "payload_press": arguments(name=camera),
            **COMMAND,
            "icon": "mdi:camera",
            **while_online,
        },
    )


def of_sensor(topics: Topics, sensor: str, says: tuple[str, ...], *, alarms: bool) -> Iterator[Entity]:
    """What concerns one sensor of rows; names begin with the sensor's, so that they stand together.

    Args:
        topics: Of the device.
        sensor: Its name.
        says: Keys of ``result``.
        alarms: Whether something says what an anomaly is.
    """
    state, result = topics.sensor_state(sensor), topics.sensor_result(sensor)
    online = "value_json.state == 'online'"
    yield Entity(
        "binary_sensor",
        ("sensor", sensor, "connection"),
        f"{sensor} connection",
        {
            "state_topic": state,
            "value_template": on(online),
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            **attributes(
                state,
                {
                    "sensor_state": "value_json.state",
                    "reason": "value_json.why | default('')",
                    "since": "value_json.since",
                    "rows": "value_json.rows",
                    "last_rejected": "(value_json.last_rejected | default({})).reason | default('')",
                },
            ),
        },
    )
    yield Entity(
        "sensor",
        ("sensor", sensor, "rejected"),
        f"{sensor} rejected rows",
        {
            "state_topic": state,
            "value_template": "{{ value_json.rejected | default(0) }}",
            "state_class": "total_increasing",
            "entity_category": "diagnostic",
            "icon": "mdi:table-row-remove",
        },
    )
    while_online = {
        "availability": [*availability(topics), available(state, online)],
        "availability_mode": "all",
    }
    if alarms:
        yield Entity(
            "binary_sensor",
            ("sensor", sensor, "alarm"),
            f"{sensor} alarm",
            {
                "state_topic": state,
                "value_template": on("value_json.alarm | default(false)"),
                "device_class": "problem",
                **while_online,
            },
        )
    for key in says:
        number = {"state_class": "measurement", "icon": "mdi:chart-line"}
        options: Config = {"icon": "mdi:label-outline"} if key == "label" else number
        shortened = f"[:{LONGEST_STATE}]" if key == "label" else ""
        newest = f"value_json.results.get('{key}', []) | last"  # of many in one message
        one = f"(value_json.result.{key} if value_json.result is defined else ({newest}))"
        said = f"{{{{ ({one} | default('')){shortened} }}}}"  # nothing: another model says it
        yield Entity(
            "sensor",
            ("sensor", sensor, key),
            f"{sensor} {key}",
            {
                "state_topic": result,
                "value_template": fresh(said),
                **options,
                **while_online,
            },
        )
    yield _figure(
        topics,
        ("sensor", sensor, "row_rate"),
        f"{sensor} row rate",
        f"value_json.sources | selectattr('name', 'eq', {literal(sensor)}) | map(attribute='captured_per_s') "
        "| list | last | default('')",  # the last of this name: a camera may have it, too, and comes before
        {"unit_of_measurement": "rows/s", "icon": "mdi:speedometer"},
    )


def of_model(topics: Topics, model: str) -> Iterator[Entity]:
    """What concerns one model."""
    state = topics.model_state(model)
    yield Entity(
        "sensor",
        ("model", model, "version"),
        f"{model} version",
        {
            "state_topic": state,
            "value_template": "{{ (value_json.active | default({})).version | default('None') }}",
            "entity_category": "diagnostic",
            "icon": "mdi:tag-outline",
            **attributes(
                state,
                {
                    "provider": "value_json.provider | default('')",
                    "reason": "value_json.why | default('')",
                    "pinned": "value_json.pinned | default(none)",
                    "previous": "(value_json.previous | default({})).version | default(none)",
                    "probation": "value_json.probation | default('')",
                },
            ),
        },
    )
    yield Entity(
        "update",
        ("model", model, "update"),
        f"{model} update",
        {
            "state_topic": state,
            "value_template": update(model),
            "command_topic": topics.command("model/update"),
            "payload_install": arguments(name=model),
            **COMMAND,
            "entity_category": "config",
        },
    )


def _camera_state(topics: Topics, camera: str) -> Iterator[Entity]:
    state = topics.camera_state(camera)
    yield Entity(
        "binary_sensor",
        ("camera", camera, "connection"),
        f"{camera} connection",
        {
            "state_topic": state,
            "value_template": on("value_json.state == 'online'"),
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            **attributes(
                state,
                {
                    "camera_state": "value_json.state",  # ``state`` is a word of Home Assistant's own
                    "reason": "value_json.why | default('')",
                    "since": "value_json.since",
                    "width": "value_json.width | default(none)",
                    "height": "value_json.height | default(none)",
                    "announced_fps": "value_json.fps | default(none)",
                },
            ),
        },
    )
    yield Entity(
        "switch",
        ("camera", camera, "enabled"),
        f"{camera} enabled",
        {
            "state_topic": state,
            "value_template": on("value_json.enabled | default(value_json.state != 'disabled')"),
            "state_on": "ON",
            "state_off": "OFF",
            "command_topic": topics.command("camera/enable"),
            "payload_on": arguments(name=camera, enabled=True),
            "payload_off": arguments(name=camera, enabled=False),
            **COMMAND,
            "entity_category": "config",
            "icon": "mdi:cctv",
        },
    )
    yield Entity(
        "number",
        ("camera", camera, "min_score"),
        f"{camera} minimum score",
        {
            "state_topic": state,
            "value_template": "{{ value_json.min_score | default(0) }}",  # absent where all are kept
            "command_topic": topics.command("camera/min_score"),
            "command_template": f"{{{{ {{'name': {literal(camera)}, 'min_score': value | round(2)}} | to_json }}}}",
            **COMMAND,
            "min": 0,
            "max": 1,
            "step": 0.01,
            "mode": "slider",
            "entity_category": "config",
            "icon": "mdi:filter-outline",
        },
    )


def _camera_rates(topics: Topics, camera: str) -> Iterator[Entity]:
    def of_source(key: str) -> str:
        mine = f"value_json.sources | selectattr('name', 'eq', {literal(camera)})"
        return f"{mine} | map(attribute='{key}') | first | default('')"

    yield _figure(
        topics,
        ("camera", camera, "frame_rate"),
        f"{camera} frame rate",
        of_source("captured_per_s"),
        {"unit_of_measurement": "fps", "icon": "mdi:filmstrip"},
    )
    yield _figure(
        topics,
        ("camera", camera, "result_rate"),
        f"{camera} result rate",
        of_source("published_per_s"),
        {"unit_of_measurement": "results/s", "icon": "mdi:speedometer"},
    )


def _figure(topics: Topics, path: tuple[str, ...], name: str, expression: str, options: Config) -> Entity:
    template = fresh(f"{{{{ {expression} }}}}")
    return Entity(
        "sensor", path, name, {**_from_health(topics, template), "state_class": "measurement", **options}
    )


def _from_health(topics: Topics, template: str) -> Config:
    return {
        "state_topic": topics.health,
        "value_template": template,
        "expire_after": EXPIRES_S,
        "entity_category": "diagnostic",
    }
