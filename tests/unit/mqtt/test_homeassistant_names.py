import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edged.mqtt.homeassistant_names import identifier, literal, slug

JINJA = ImmutableSandboxedEnvironment()
QUICKLY = settings(deadline=None, max_examples=50)


@pytest.mark.parametrize("name", ["front", "gate-7", "Front_door", "7", "a" * 64])
def test_an_identifier_stays_as_it_is(name: str) -> None:
    assert slug(name) == name


@QUICKLY
@given(st.text())
def test_a_slug_is_an_identifier(text: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]+", slug(text))
    assert "--" not in slug(text)


NEAR = st.text(alphabet="ab_-. é", max_size=6)


@QUICKLY
@given(st.lists(NEAR, unique=True, max_size=50))
def test_different_texts_have_different_slugs(texts: list[str]) -> None:
    assert len({slug(text) for text in texts}) == len(texts)


@QUICKLY
@given(st.text())
def test_what_was_made_from_a_text_is_never_what_another_text_is_as_it_is(text: str) -> None:
    made = slug(text)
    assert made == text or slug(made) != made


@QUICKLY
@given(st.lists(st.lists(NEAR, min_size=1, max_size=4).map(tuple), unique=True, max_size=30))
def test_different_paths_have_different_identifiers(paths: list[tuple[str, ...]]) -> None:
    assert len({identifier(*path) for path in paths}) == len(paths)


@QUICKLY
@given(st.text())
def test_a_literal_is_the_text(text: str) -> None:
    assert JINJA.from_string(f"{{{{ {literal(text)} == text }}}}").render(text=text) == "True"
