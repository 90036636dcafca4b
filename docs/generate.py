"""Writes the tables of ``mqtt.md`` anew: topics from ``edged.mqtt.topics``, fields from the JSON Schemas.

``python docs/generate.py`` writes; with ``--check`` it writes nothing and ends with 1 where something would change.

Each table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``, where NAME is ``topics`` or that of a
schema such as ``edged.gap/1``. What stands around them is written by hand. Words for a field belong into
``edged/mqtt/shapes``, from where ``python -m edged.mqtt.schemas`` brings them into its schema; a field without any
is an error.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edged.mqtt.schemas import FOLDER, SHAPES
from edged.mqtt.topics import JPEG, JSON, TABLE, TEXT, Meaning

PAGE = Path(__file__).parent / "mqtt.md"

Schema = dict[str, Any]

_BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_CONTENT = {JPEG: "JPEG", JSON: "JSON", TEXT: "text"}


class CannotGenerateError(Exception):
    """Says in one line what to mend."""


class Field(NamedTuple):
    """A row about a field; ``path`` is dotted, ``[]`` stands for each item, ``<name>`` for any name."""

    path: str
    kind: str
    required: bool
    says: str


def page_with_tables(page: str, tables: dict[str, str]) -> str:
    """The page with each block filled from its table.

    Raises:
        CannotGenerateError: A block without a table, or a table without exactly one block.
    """
    blocks = [match[2] for match in _BLOCK.finditer(page)]
    for name in {*blocks, *tables}:
        if name not in tables:
            raise CannotGenerateError(f"there is nothing called {name}; take its block away")
        if blocks.count(name) != 1:
            raise CannotGenerateError(
                f"there must be one block <!-- generated: {name} --> … <!-- end -->, not {blocks.count(name)}"
            )
    return _BLOCK.sub(lambda match: f"{match[1]}\n{tables[match[2]]}\n{match[4]}", page)


def all_tables() -> dict[str, str]:
    """Every table in Markdown, by the name of its block."""
    tables = {"topics": topics_table()}
    for name in sorted(SHAPES):
        schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        tables[schema["title"]] = fields_table(schema)
    return tables


def topics_table() -> str:
    """One row a topic."""
    rows = [
        (f"`{row.pattern}`", row.qos, _yes(row.retained), row.says, _payload(row.meaning)) for row in TABLE
    ]
    return _markdown(("topic", "QoS", "retained", "payload", "schema"), rows)


def fields_table(schema: Schema) -> str:
    """One row a field, those of inner objects below the one they are in."""
    rows = [
        (f"`{field.path}`", field.kind, _yes(field.required), field.says)
        for field in fields(schema, schema.get("$defs", {}))
    ]
    return _markdown(("field", "type", "required", "is"), rows)


def fields(shape: Schema, definitions: dict[str, Schema], prefix: str = "") -> Iterator[Field]:
    """The fields of an object and of all objects in it, in the order of the schema.

    Raises:
        CannotGenerateError: A field without a description.
    """
    for name, given in shape["properties"].items():
        field, path = _resolved(given, definitions), f"{prefix}{name}"
        says = field.get("description", "")
        if not says:
            raise CannotGenerateError(f"{path} has no description; write one in edged/mqtt/shapes")
        yield Field(path, _kind(field, definitions), name in shape.get("required", ()), _as_cell(says))
        yield from _inner_fields(field, definitions, path)


def _inner_fields(field: Schema, definitions: dict[str, Schema], path: str) -> Iterator[Field]:
    for inner, mark in (
        (field, ""),
        (field.get("items"), "[]"),
        (field.get("additionalProperties"), ".<name>"),
    ):
        resolved = _resolved(inner, definitions) if isinstance(inner, dict) else {}
        if "properties" in resolved:
            yield from fields(resolved, definitions, f"{path}{mark}.")


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Without null, which is never sent, and without a reference; what stands beside either counts first."""
    beside = {key: value for key, value in schema.items() if key not in {"anyOf", "$ref"}}
    if "$ref" in schema:
        return definitions[schema["$ref"].rsplit("/", 1)[1]] | beside
    branches = [branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"]
    return _resolved(branches[0], definitions) | beside if branches else schema


def _kind(schema: Schema, definitions: dict[str, Schema]) -> str:
    """What a value is, such as ``integer ≥ 1`` or ``list of text``."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{member}`" for member in schema["enum"])
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])} {_kind(schema['prefixItems'][0], definitions)}s"
    kind = {"string": "text", "array": "list"}.get(schema["type"], str(schema["type"]))
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            branches = inner.get("anyOf", [inner])
            kinds = [_kind(_resolved(branch, definitions), definitions) for branch in branches]
            return f"{kind} of {' or '.join(dict.fromkeys(kinds))}"
    return kind + _bounds(schema)


def _bounds(schema: Schema) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None and highest is not None:
        return f" {lowest}–{highest}"
    return "" if lowest is None else f" ≥ {lowest}"


def _payload(meaning: Meaning) -> str:
    if not meaning.schema:
        return _CONTENT[meaning.content_type]
    file = meaning.schema.removeprefix("edged.").replace("/", "-")
    return f"[`{meaning.schema}`](../edged/schema/{file}.json)"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _as_cell(description: str) -> str:
    """``It is.`` → ``it is``; an abbreviation keeps its capitals."""
    text = description.removesuffix(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def renew(path: Path, tables: Callable[[], Mapping[str, str]], remedy: str) -> int:
    """Write a page anew, or with ``--check`` say whether it is up to date; the exit code.

    Args:
        path: Of the page.
        tables: Makes what it is to hold, by name.
        remedy: What writes it.
    """
    parser = argparse.ArgumentParser(description=f"Writes the tables of docs/{path.name} anew.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where something would change")
    check = parser.parse_args().check
    page = path.read_text(encoding="utf-8")
    try:
        written = page_with_tables(page, tables())
    except CannotGenerateError as error:
        sys.stderr.write(f"{path.name}: {error}\n")
        return 1
    if check and written != page:
        before = {match[2]: match[3] for match in _BLOCK.finditer(page)}
        stale = [match[2] for match in _BLOCK.finditer(written) if match[3] != before[match[2]]]
        sys.stderr.write(f"{path.name}: not up to date: {', '.join(stale)}; run {remedy}\n")
        return 1
    if written != page:
        path.write_text(written, encoding="utf-8")
    return 0


def main() -> int:
    """Write the page, or say whether it is up to date."""
    return renew(PAGE, all_tables, "make docs")


if __name__ == "__main__":
    sys.exit(main())
