from typing import Any

import pytest

from edged.service.arguments import BOOLEAN, QUALITY, SCORE_OR_NULL, VERSION, WIDTH, Argument, one_of, problem

WANTED = {"name": one_of(["front", "back"]), "enabled": BOOLEAN}


def test_right_arguments_are_no_problem() -> None:
    assert problem({"name": "back", "enabled": False}, WANTED) == ""
    assert problem({}, {}) == ""
    assert problem({}, {"width": WIDTH.optional}) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, '"name" is missing; configured are front, back'),
        ({"name": "front"}, '"enabled" is missing; true or false is wanted'),
        ({"name": "side", "enabled": True}, '"name" is "side"; configured are front, back'),
        ({"name": ["front"], "enabled": True}, '"name" is ["front"]; configured are front, back'),
        ({"name": "front", "enabled": None}, '"enabled" is null; true or false is wanted'),
        (
            {"name": "front", "enabled": True, "Enabled": True},
            "unknown argument 'Enabled'; known are name, enabled",
        ),
    ],
)
def test_the_first_problem_is_said_with_what_is_allowed(arguments: dict[str, Any], said: str) -> None:
    assert problem(arguments, WANTED) == said


def test_a_line_does_not_grow_with_what_was_sent() -> None:
    assert len(problem({"x" * 60_000: 1}, WANTED)) < 200
    assert len(problem({"name": "x" * 60_000}, WANTED)) < 200


@pytest.mark.parametrize(
    ("argument", "right", "wrong"),
    [
        (BOOLEAN, [True, False], [0, 1, "true", None, []]),
        (SCORE_OR_NULL, [None, 0, 1, 0.5], [True, -0.1, 1.1, "0.5", float("nan"), float("inf"), [0.5]]),
        (VERSION, [1, 10**9 - 1], [0, 10**9, 1.0, True, "1", None]),
        (WIDTH, [1, 65535], [0, 65536, -1, 640.0, True, None]),
        (QUALITY, [1, 100], [0, 101, 85.5, True, "85", None]),
        (one_of([]), [], ["", "front", None]),
    ],
)
def test_what_fits(argument: Argument, right: list[Any], wrong: list[Any]) -> None:
    assert [value for value in right if not argument.fits(value)] == []
    assert [value for value in wrong if argument.fits(value)] == []
