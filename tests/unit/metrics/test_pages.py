"""The page about metrics, the alerts and the dashboard name what there is."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edged.metrics.catalog import METRICS

DOCS = Path(__file__).parents[3] / "docs"
ALERTS = DOCS / "prometheus" / "alerts.yml"
BOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "edged.json").read_text(encoding="utf-8"))
SERIES = {
    name: {*metric.labels, *more}
    for metric in METRICS
    for name, more in (
        [(f"{metric.name}_{part}", ["le"] if part == "bucket" else []) for part in ("bucket", "sum", "count")]
        if metric.kind == "histogram"
        else [(metric.name, [])]
    )
}
"""Labels of each series."""
SCRAPED = {"instance", "job"}


def queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard, with the title of its panel."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], f"{panel['title']}: {target['legendFormat']}"


def names(text: str) -> set[str]:
    return set(re.findall(r"\bedged_\w+", text))


def test_the_tables_of_the_page_are_up_to_date() -> None:
    command = [sys.executable, "docs/metrics.py", "--check"]
    ended = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_the_page_says_beside_its_tables_there_is() -> None:
    text = re.sub(
        r"<!-- generated.*?<!-- end -->", "", (DOCS / "metrics.md").read_text(encoding="utf-8"), flags=re.S
    )
    assert names(text)
    assert names(text) <= set(SERIES)


def test_every_metric_of_an_alert_there_is() -> None:
    text = re.sub(r"^#.*$", "", ALERTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(names(text)) > 10
    assert names(re.sub(r"do: .*|summary: .*", "", text)) <= set(SERIES)


@pytest.mark.parametrize(("query", "title"), list(queries()), ids=lambda value: value[:40])
def test_a_panel_asks_for_what_there_is_and_shows_labels_that_it_has(query: str, title: str) -> None:
    asked = names(query)
    assert asked <= set(SERIES)
    shown = set(re.findall(r"\{\{(\w+)\}\}", title))
    kept = re.search(r"sum by \(([^)]*)\)", query)
    has = (
        set(kept[1].replace(" ", "").split(","))
        if kept
        else set.union(*(SERIES[one] for one in asked)) | SCRAPED
    )
    assert shown <= has
    assert query.count("(") == query.count(")")
    assert query.count('{instance=~"$instance"}') == len(re.findall(r"\bedged_\w+", query))


def test_the_dashboard_can_be_imported_anywhere_and_shows_every_area() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {"${datasource}"}
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells), "panels lie on one another"
    assert max(x for x, _ in cells) < 24
    asked = names(" ".join(query for query, _ in queries()))
    for beginning in (
        "edged_camera_",
        "edged_frame_",
        "edged_sensor_",
        "edged_model_",
        "edged_mqtt_",
        "edged_outbox_",
    ):
        assert any(name.startswith(beginning) for name in asked)
