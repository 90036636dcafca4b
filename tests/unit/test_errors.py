import inspect

import pytest

from edged import errors
from edged.errors import EdgedError

CODES = {
    "EdgedError": 70,
    "UsageError": 2,
    "BadInput": 65,
    "ModelRejected": 65,
    "KilledWhileLoading": 65,
    "NotAsConfigured": 65,
    "InferenceFailed": 65,
    "InputNotFound": 66,
    "ModelAwaited": 66,
    "Unreachable": 69,
    "SourceLost": 69,
    "BrokerUnreachable": 69,
    "WorkerLost": 69,
    "RuntimeMissing": 69,
    "UpdateUnreachable": 69,
    "CannotWrite": 74,
    "NotAllowed": 77,
    "UpdateRefused": 77,
    "ConfigurationError": 78,
}
"""The contract: a supervisor tells the errors apart by these."""


def test_every_error_has_the_exit_code_of_the_contract():
    tree = {name: leaf for name, leaf in vars(errors).items() if inspect.isclass(leaf)}
    assert {name: leaf.exit_code for name, leaf in tree.items()} == CODES
    assert all(issubclass(leaf, EdgedError) for leaf in tree.values())


def test_the_tree_that_is_drawn_is_the_tree_that_is_there():
    assert errors.__doc__ is not None
    drawn = dict(
        line.strip(" │├└─").split()[:2] for line in errors.__doc__.splitlines() if "  " in line.strip()
    )
    assert {name: int(code) for name, code in drawn.items()} == CODES


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("front", "is away", "wait"), "front: is away; wait"),
        (("front", "is away"), "front: is away"),
        (("a file\nof two lines", "is  bad\r\n\tindeed", "go"), "a file of two lines: is bad indeed; go"),
    ],
)
def test_an_error_is_one_line_of_the_thing_what_is_wrong_and_what_to_do(parts, line):
    assert str(EdgedError(*parts)) == line


def test_what_its_catcher_needs_is_kept_apart():
    error = errors.ModelRejected("model.onnx", "is broken", "export it again")
    assert (error.subject, error.problem, error.remedy) == ("model.onnx", "is broken", "export it again")
