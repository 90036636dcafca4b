"""Writes the tables of ``metrics.md`` anew: from ``edged.metrics.catalog``, and from the shape of ``/status``.

``python docs/metrics.py`` writes; with ``--check`` it writes nothing and ends with 1 where something would change.
Words for a metric belong into the catalog, those for a field into ``edged/service/status.py``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from generate import fields_table, renew

from edged.metrics.catalog import METRICS, Metric
from edged.service.status import SCHEMA, StatusMessage

PAGE = Path(__file__).parent / "metrics.md"
GROUPS = {
    "cameras": ("edged_camera_", "edged_frame_"),
    "sensors": ("edged_sensor_",),
    "models": ("edged_model_", "edged_worker_"),
    "updates": ("edged_update_",),
    "broker": ("edged_mqtt_", "edged_outbox_"),
    "daemon": ("edged_",),
}
"""The first whose beginning a name has."""


def tables() -> dict[str, str]:
    """Every table in Markdown, by the name of its block."""
    found: dict[str, list[Metric]] = {group: [] for group in GROUPS}
    for metric in METRICS:
        found[next(group for group, begins in GROUPS.items() if metric.name.startswith(begins))].append(
            metric
        )
    return {group: "".join(_lines(metrics)) for group, metrics in found.items()} | {SCHEMA: _status()}


def _lines(metrics: list[Metric]) -> Iterator[str]:
    yield "| metric | type | labels | is |\n|---|---|---|---|\n"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.says} |\n"


def _status() -> str:
    """Of the device itself; what is as on a topic stands on the page of that."""
    schema = StatusMessage.model_json_schema(by_alias=True)
    schema["required"] = ["schema", *schema["required"]]  # it is filled in by itself, and never missing
    for field in ("health", "cameras", "sensors", "models"):
        described = schema["properties"][field]
        schema["properties"][field] = {"type": "object", "description": described["description"]}
    return fields_table(schema)


def main() -> int:
    """Write the page, or say whether it is up to date."""
    return renew(PAGE, tables, "make docs")


if __name__ == "__main__":
    sys.exit(main())
