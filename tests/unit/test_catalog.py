"""The catalogue that is shipped: complete, unambiguous, and true of every file that is at hand."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import edged
from edged.catalog import Catalog, Entry, load_catalog
from edged.decode.detect import FAMILIES

DATA = tomllib.loads((Path(edged.__file__).parent / "catalog.toml").read_text(encoding="utf-8"))
ENTRIES = load_catalog().model
SERVED = {family.name for family in FAMILIES}


def named(entry: Entry) -> str:
    return entry.name


def test_there_is_something_to_choose_from():
    assert len(ENTRIES) >= 12
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    assert len({entry.sha256 for entry in ENTRIES}) == len(ENTRIES)
    assert len({entry.url for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=named)
def test_an_entry_is_complete(entry):
    assert len(entry.sha256) == 64
    assert entry.size_bytes > 10_000
    assert entry.url.endswith(".onnx")
    assert entry.digest.commit
    assert entry.digest.says in {"file", "pointer"} or entry.size is not None
    assert entry.licence in {"Apache-2.0", "MIT", "BSD-3-Clause", "AGPL-3.0"}


@pytest.mark.parametrize("entry", ENTRIES, ids=named)
def test_a_decoder_of_its_family_is_here(entry):
    assert entry.family in SERVED


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.digest.says == "file"], ids=named)
def test_the_digest_of_a_file_at_hand_is_its_digest_and_its_licence_is_stated(entry, assets):
    sources: list[dict[str, Any]] = json.loads((assets / "sources.json").read_text(encoding="utf-8"))
    wanted = (entry.digest.repository, entry.digest.path, entry.digest.commit)
    (source,) = (one for one in sources if (one["repo"], one["path"], one["commit"]) == wanted)
    content = (assets / source["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    assert len(content) == entry.size_bytes
    assert source["licence"] == entry.licence
    assert entry.digest.commit in entry.url


def changed(**values: Any) -> dict[str, Any]:
    """A catalogue of one entry with other values; None takes a key away."""
    entry = DATA["model"][0] | values
    return {"model": [{key: value for key, value in entry.items() if value is not None}]}


def test_an_entry_that_is_right_is_taken():
    Catalog.model_validate(changed())


@pytest.mark.parametrize(
    "values",
    [
        {"sha256": "abc"},
        {"sha256": "A" * 64},
        {"sha256": None},
        {"url": "http://host/" + "a" * 40 + "/m.onnx"},
        {"url": "https://raw.githubusercontent.com/owner/name/main/m.onnx"},
        {"url": "https://joe:secret@host/" + "a" * 40 + "/m.onnx"},
        {"licence": ""},
        {"licence": None},
        {"publisher": "the author"},
        {"bytes": 0},
        {"digest": None},
        {"digest": {"repository": "a/b", "path": "c", "commit": "main", "says": "file"}},
        {"name": "Yolox Nano"},
        {"name": "../yolox"},
        {"name": "yolox_nano"},
        {"labels": []},
        {"labels": "imagenet"},
        {"task": "segment"},
        {"licens": "MIT"},
    ],
    ids=str,
)
def test_an_entry_that_is_wrong_or_wanting_is_not_taken(values):
    with pytest.raises(ValidationError):
        Catalog.model_validate(changed(**values))


def test_a_name_stands_once():
    with pytest.raises(ValidationError, match="names stand twice"):
        Catalog.model_validate({"model": [DATA["model"][0]] * 2})


def test_an_entry_is_found_by_its_name_and_a_near_one_is_suggested():
    catalog = load_catalog()
    assert catalog.find("yolox-nano") is ENTRIES[0]
    assert catalog.find("yolox") is None
    assert catalog.nearest("yolox_nano") == "yolox-nano"
    assert catalog.nearest("Yolo26") in {"yolo26n", "yolo26s"}
    assert catalog.nearest("/some/file") is None


def test_labels_that_edged_cannot_know_are_written_a_line_each():
    catalog = load_catalog()
    people, coco = catalog.find("yolo26n-person-256-int8"), catalog.find("yolox-nano")
    assert people is not None
    assert coco is not None
    assert (people.labels_txt, coco.labels_txt) == (b"person\n", None)
