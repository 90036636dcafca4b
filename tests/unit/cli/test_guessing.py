"""What a command line of ``edged detect`` shows of its model before it is parsed."""

import pytest

from edged.cli.answering import resolved
from edged.cli.guessing import detect_request, guessed


@pytest.fixture
def model(tmp_path):
    """A file that is there; nobody reads it."""
    path = tmp_path / "m.onnx"
    path.write_bytes(b"")
    return str(path)


@pytest.mark.parametrize(
    ("options", "provider", "min_score"),
    [
        (["-m", "MODEL"], None, None),
        (["--model", "MODEL", "--json"], None, None),
        (["--model=MODEL", "--provider=cpu"], ["cpu"], None),
        (["-m", "MODEL", "--provider", "openvino", "--provider", "cpu"], ["openvino", "cpu"], None),
        (["--min-score", "0.5", "-m", "MODEL", "--every", "3"], None, 0.5),
        (["-m", "other.onnx", "-m", "MODEL"], None, None),
    ],
)
def test_it_is_what_the_command_will_load(model, options, provider, min_score):
    arguments = ["detect", "bus.jpg", *(option.replace("MODEL", model) for option in options)]
    assert guessed(arguments) == resolved(detect_request(model, provider, min_score))


def test_of_a_folder_of_versions_it_is_the_one_that_is_served(tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model.onnx").write_bytes(b"")
    request = guessed(["detect", "bus.jpg", "-m", str(tmp_path)])
    assert request is not None
    assert request.path == str(tmp_path / "2")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-m"],
        ["-m", "not-there.onnx"],
        ["-m", "MODEL", "--provider", "gpu"],
        ["-m", "MODEL", "--min-score", "x"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_left_to_the_parser(model, options):
    assert guessed(["detect", "bus.jpg", *(option.replace("MODEL", model) for option in options)]) is None
