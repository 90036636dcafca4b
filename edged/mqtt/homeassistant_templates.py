"""How Home Assistant reads our messages and writes our commands: templates in Jinja, and the options around them.

Pure. A template sees the message as ``value``, and as ``value_json`` where it is JSON. A field that may be absent has a
default in it, as a template that fails leaves an entity as it was.
"""

import json
from collections.abc import Mapping
from typing import Any

from edged.mqtt.homeassistant_names import literal
from edged.mqtt.topics import Topics

Config = dict[str, Any]
"""Options of a component, or a part of them, as they go into JSON."""

EXPIRES_S = 200
"""A figure of ``health``, which comes every 60 s, counts for so long."""

LONGEST_STATE = 255
"""Characters of a state, or of a summary; Home Assistant refuses more."""

COMMAND = {"qos": 1, "retain": False}
"""How a command is sent; stated with each, as not every Home Assistant hands ``qos`` down."""


def availability(topics: Topics) -> list[Config]:
    """The device is available while its status is ``online``; ``stopped`` is not."""
    return [available(topics.status, "value == 'online'")]


def fresh(template: str) -> str:
    """Nothing for a message that waited: what was an hour ago is not what is."""
    return f"{{% if not value_json.replayed | default(false) %}}{template}{{% endif %}}"


def on(condition: str) -> str:
    """``ON`` or ``OFF``, as binary sensors and switches expect."""
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def available(topic: str, condition: str) -> Config:
    """``online`` and ``offline`` are what Home Assistant compares with unless told otherwise."""
    return {"topic": topic, "value_template": f"{{{{ 'online' if {condition} else 'offline' }}}}"}


def attributes(topic: str, expressions: Mapping[str, str]) -> Config:
    """What an entity carries besides its state, by name."""
    pairs = ", ".join(f"'{name}': {expression}" for name, expression in expressions.items())
    return {
        "json_attributes_topic": topic,
        "json_attributes_template": f"{{{{ {{{pairs}}} | to_json }}}}",
    }


def arguments(**named: object) -> str:
    """A command's payload."""
    return json.dumps(named, ensure_ascii=False)


def update(title: str) -> str:
    """What an update is told by a model's state: the newest version that is known and was not rejected.

    It gives every key each time, none of them null: Home Assistant keeps what a key said before, and drops the whole
    message for a null, or for a key that it does not know.
    """
    return _UPDATE.replace("TITLE", literal(title))


# ``value_json.update`` would be the method of a dict.
_UPDATE = (
    "{% set active = (value_json.active | default({})).version | default(0) %}"
    "{% set trying = value_json.candidate | default({}) %}"
    "{% set waiting = value_json.waiting | default({}) | map('int') | list %}"
    "{% set rejected = value_json.rejected | default([]) %}"
    "{% set afar = value_json.get('update', {}) %}"
    "{% set doing = afar.state | default('') %}"
    "{% set offered = afar.version | default(0) if doing in ['offered', 'downloading', 'staged'] else 0 %}"
    "{% set before = (value_json.previous | default({})).version | default(0) %}"
    "{% set others = [trying.version | default(0), before, offered] %}"
    "{% set standing = (others + waiting) | reject('in', rejected | map(attribute='version') | list) | list %}"
    "{% set latest = ([active] + standing) | max %}"
    "{% set refused = rejected | selectattr('version', 'gt', active) | sort(attribute='version') | last %}"
    "{% if trying.version is defined %}"
    "{% set about = 'Version ' ~ trying.version ~ ' is being tried: ' ~ trying.step %}"
    "{% elif doing == 'downloading' %}"
    "{% set share = 100 * (afar.bytes | default(0)) / ([afar.of | default(1), 1] | max) %}"
    "{% set about = 'Version ' ~ offered ~ ' is being downloaded: ' ~ share | round(0, 'floor') | int ~ ' %' %}"
    "{% elif latest > active and latest in waiting %}"
    "{% set about = 'Version ' ~ latest ~ ' has not arrived: ' ~ value_json.waiting[latest | string] %}"
    "{% elif latest > active and value_json.pinned is defined %}"
    "{% set about = 'Version ' ~ value_json.pinned ~ ' is pinned; installing takes the pin away.' %}"
    "{% elif refused is defined %}"
    "{% set about = 'Version ' ~ refused.version ~ ' was rejected: ' ~ refused.reason %}"
    "{% elif doing in ['offered', 'refused', 'unreachable'] %}"
    "{% set about = 'Updates: ' ~ doing ~ ' ' ~ afar.reason | default('') %}"
    "{% else %}{% set about = '' %}{% endif %}"
    "{{ {'installed_version': (active or 'none') | string, 'latest_version': (latest or 'none') | string,"
    " 'title': TITLE, 'release_summary': about[:" + str(LONGEST_STATE) + "],"
    " 'in_progress': trying.version is defined or doing == 'downloading'} | to_json }}"
)
