"""What a value may be, in plain words, of what pydantic found wrong with it. Pure, without pydantic itself."""

import json
from collections.abc import Mapping
from typing import Any

LIMITS = ("ge", "gt", "le", "lt")
"""Names of limits, as pydantic and annotated-types have them."""
_MAX_EXAMPLE = 40

KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text, in quotes",
    "path": "a path, in quotes",
    "byte_size": 'a size, like "256MiB" or "1GB", or bytes',
    "dict": "a table with keys of its own",
    "model": "a table with keys of its own",
    "dataclass": "a table with keys of its own",
}
"""By the beginning of an error's type."""


def allowed(detail: Mapping[str, Any], limits: Mapping[str, float] | None = None) -> str:
    """What may stand in the place of a value that was refused.

    Args:
        detail: An entry of ``ValidationError.errors()``.
        limits: Of the number that is wanted, as far as they are known; the one that it broke is in ``detail``.
    """
    kind, context, given = str(detail["type"]), detail.get("ctx", {}), detail["input"]
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return between({**(limits or {}), **{name: context[name] for name in LIMITS if name in context}})
    if kind in {"tuple_type", "list_type"}:
        short = isinstance(given, str) and len(given) <= _MAX_EXAMPLE and given.isprintable()
        return f"a list, like {json.dumps([given], ensure_ascii=False)}" if short else "a list, in [ ]"
    if kind in {"too_short", "too_long", "string_too_short", "string_too_long"}:
        count = context.get("min_length", context.get("max_length"))
        bound = "or more" if kind.endswith("short") else "at most"
        if kind.startswith("string"):
            return f"a text of {count} {'sign' if count == 1 else 'signs'} {bound}"
        return f"a list of {count} {bound}"
    found = next((text for name, text in KINDS.items() if kind.startswith(name)), "")
    if limits and found in {KINDS["int"], KINDS["float"]}:
        return f"{found}, {between(limits)}"
    return found or str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")


def between(limits: Mapping[str, float]) -> str:
    """Limits in words.

    >>> between({"ge": 0, "le": 2}), between({"gt": 0, "le": 1}), between({"ge": 1})
    ('0 to 2', 'more than 0, 1 at most', '1 or more')
    """
    if "ge" in limits and "le" in limits:
        return f"{limits['ge']:.12g} to {limits['le']:.12g}"
    parts = {
        "gt": "more than {:.12g}",
        "ge": "{:.12g} or more",
        "lt": "less than {:.12g}",
        "le": "{:.12g} at most",
    }
    return ", ".join(text.format(limits[name]) for name, text in parts.items() if name in limits)
