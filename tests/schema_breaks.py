"""What a new JSON Schema of a message would break for a reader who knows the one that was released.

Pure. The reader ignores properties that it does not know, and relies on everything else: that what was always there
still is, and that no value comes which could not come before. So a schema may gain optional properties and become
narrower; anything else raises the number in its name. A keyword that this module does not know counts as a break when
it changes: better a false alarm than a broken reader.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

OPEN = "ater versions may add"
"""An enumeration whose released description says so may gain members."""

NOTES = {"$schema", "$defs", "title", "description", "examples"}
FLOORS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
CEILINGS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
COMPARED = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems"}


def breaks(released: Schema, new: Schema) -> list[str]:
    """Each break in one line that begins with the place, such as ``detections[].score: …``; [] where there is none."""
    return list(_Comparison(released, new).of(released, new, "message"))


class _Comparison:
    def __init__(self, released: Schema, new: Schema) -> None:
        self._released, self._new = released.get("$defs", {}), new.get("$defs", {})

    def of(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        if "default" in old and old.get("default") != new.get("default"):
            yield f"{place}: its absence means {new.get('default')!r} now, not {old['default']!r}"
        olds, news = list(_alternatives(old, self._released)), list(_alternatives(new, self._new))
        for one in news:
            # What is compared with an alternative of another type says nothing, if there is one of its own type.
            alike = [before for before in olds if _types(one) <= _types(before)] or olds
            yield from min((list(self._one(before, one, place)) for before in alike), key=len)

    def _one(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        if not _types(new) <= _types(old):
            yield f"{place}: may be of type {sorted(_types(new) - _types(old))} now"
            return
        yield from _values(old, new, place)
        yield from _bounds(old, new, place)
        for keyword in sorted((set(old) | set(new)) - NOTES - FLOORS - CEILINGS - COMPARED - {"default"}):
            if old.get(keyword) != new.get(keyword):
                yield f"{place}: {keyword} is {new.get(keyword)!r} now, not {old.get(keyword)!r}"
        yield from self._objects(old, new, place)
        yield from self._lists(old, new, place)

    def _objects(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        known, offered = old.get("properties", {}), new.get("properties", {})
        must, will = set(old.get("required", ())), set(new.get("required", ()))
        for name in known:
            inner = f"{place}.{name}"
            if name not in offered:
                yield f"{inner}: is gone"
                continue
            if name in must - will:
                yield f"{inner}: need not be there any more"
            if name in will - must:
                yield f"{inner}: must be there now; messages that still wait in an outbox may lack it"
            yield from self.of(known[name], offered[name], inner)
        for name in sorted(set(offered) - set(known)):
            if name in will:
                yield f"{place}.{name}: is new and must be there; messages that still wait in an outbox lack it"
            if old.get("additionalProperties") is False:
                yield f"{place}.{name}: is new where nothing could be added"
        yield from self._inner(old, new, "additionalProperties", f"{place}.<name>")

    def _lists(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        olds, news = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(olds) != len(news):
            yield f"{place}: {len(news)} items are described now, not {len(olds)}"
        for position, (before, now) in enumerate(zip(olds, news, strict=False)):
            yield from self.of(before, now, f"{place}[{position}]")
        yield from self._inner(old, new, "items", f"{place}[]")

    def _inner(self, old: Schema, new: Schema, keyword: str, place: str) -> Iterator[str]:
        """``items`` and ``additionalProperties``: a schema, or true (the default), or false."""
        before, now = old.get(keyword, True), new.get(keyword, True)
        if now is False or before is True:
            return
        if before is False or now is True:
            yield f"{place}: may be anything now"
            return
        yield from self.of(before, now, place)


def _alternatives(schema: Schema, definitions: dict[str, Schema]) -> Iterator[Schema]:
    """The schema with references followed, once for each branch of ``anyOf`` and each of several types."""
    if "$ref" in schema:
        # What stands beside a reference is said of this use of it, such as its description.
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        yield from _alternatives(target | beside, definitions)
    elif "anyOf" in schema:
        for branch in schema["anyOf"]:
            beside = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
            yield from _alternatives(beside | branch, definitions)
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield schema | {"type": kind}
    else:
        yield schema


def _types(schema: Schema) -> set[str]:
    """Every JSON type where none is named; a number includes integers."""
    kind = schema.get("type")
    if kind is None:
        return {"string", "number", "integer", "boolean", "object", "array", "null"}
    return {"number", "integer"} if kind == "number" else {kind}


def _values(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, now = _members(old), _members(new)
    if before is None or ("enum" in old and OPEN in old.get("description", "")):
        return
    if now is None:
        yield f"{place}: may be anything now, not only {before}"
    elif more := [value for value in now if value not in before]:
        yield f"{place}: may be {more} now"


def _members(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keyword in sorted((FLOORS | CEILINGS) & set(old)):
        limit = new.get(keyword)
        if limit is None or (limit < old[keyword] if keyword in FLOORS else limit > old[keyword]):
            yield f"{place}: {keyword} is {limit} now, not {old[keyword]}"
