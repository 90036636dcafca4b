"""Names of classes."""

import pytest

from edged.decode.labels import COCO, MAX_NAMES_CHARS, metadata_labels, resolve_labels
from edged.detection import label_of
from edged.errors import ModelRejected


def test_a_file_that_names_nothing_has_no_labels() -> None:
    assert metadata_labels({}) == ()
    assert metadata_labels({"names": "  "}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "{0: 'person', 1: \"driver's car\"}",
        '["person", "driver\'s car"]',
        '{"0": "person", "1": "driver\'s car"}',
    ],
)
def test_names_are_read_as_exporters_write_them(text: str) -> None:
    assert metadata_labels({"names": text}) == ("person", "driver's car")


@pytest.mark.parametrize(
    "text",
    [
        "{0: 'person', 2: 'car'}",
        "__import__('os').system('true')",
        "person, car",
        "7",
        "{0: 'person'",
        "[" * 5000,
        "'" + "x" * MAX_NAMES_CHARS + "'",
        "{[]: 1}",
    ],
)
def test_names_that_cannot_be_read_are_no_guess(text: str) -> None:
    with pytest.raises(ModelRejected, match="labels = "):
        metadata_labels({"names": text})


def test_given_names_are_used() -> None:
    assert resolve_labels(["a", "b"], 2) == (("a", "b"), ())
    assert resolve_labels(["a", "b"], 0) == (("a", "b"), ())


def test_too_few_names_are_refused_with_both_numbers() -> None:
    with pytest.raises(ModelRejected, match=r"80 classes.* 2"):
        resolve_labels(["a", "b"], 80)


def test_80_classes_without_names_are_those_of_coco() -> None:
    names, notes = resolve_labels((), 80)
    assert (names[0], names[2], names[79]) == ("person", "car", "toothbrush")
    assert len(set(COCO)) == 80
    assert "COCO" in notes[0]


def test_other_classes_without_names_are_numbers() -> None:
    names, notes = resolve_labels((), 3)
    assert names == ("0", "1", "2")
    assert "labels.txt" in notes[0]
    assert resolve_labels((), 0)[0] == ()


def test_a_class_beyond_the_names_is_shown_by_its_number() -> None:
    assert label_of(["a"], 0) == "a"
    assert label_of(["a"], 7) == "7"
    assert label_of([], -1) == "-1"
