import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelRejected
from edged.fit import Fit
from edged.manifest import InputRecipe, RowRecipe, TensorSpec
from edged.worker.choice import Choice, Tried
from edged.worker.description import LoadRequest, ModelDescription, RowUse

texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
triples = st.tuples(numbers, numbers, numbers)
pictures = st.builds(InputRecipe, mean=triples, std=triples, scale=numbers, fit=st.sampled_from(Fit))
rows = st.builds(
    RowRecipe,
    names=st.lists(texts, max_size=3).map(tuple),
    texts=st.lists(st.integers(), max_size=3).map(tuple),
)
uses = st.lists(st.builds(RowUse, texts, fields=st.lists(texts, max_size=3).map(tuple)), max_size=3).map(
    tuple
)
specs = st.lists(
    st.builds(TensorSpec, texts, st.lists(st.none() | texts | st.integers()).map(tuple), texts), max_size=3
).map(tuple)
descriptions = st.builds(
    ModelDescription,
    notes=st.lists(texts, max_size=3).map(tuple),
    labels=st.lists(texts, max_size=3).map(tuple),
    input=pictures | rows,
    inputs=specs,
    outputs=specs,
    trial=specs,
    operators=st.dictionaries(texts, st.integers(), max_size=3),
    step_ms=st.dictionaries(texts, numbers, max_size=3),
    choice=st.none()
    | st.builds(
        Choice, tried=st.lists(st.builds(Tried, ms=numbers, cpu_ms=st.none()), max_size=3).map(tuple)
    ),
    min_score=numbers,
    iou=numbers,
    load_ms=numbers,
    latency_ms=numbers,
    batch_ms=st.dictionaries(texts, numbers, max_size=3),
    opsets=st.dictionaries(texts, st.integers(), max_size=3),
    metadata=st.dictionaries(texts, texts, max_size=3),
    provider_asked=st.lists(texts, max_size=3).map(tuple),
    provider_nodes=st.dictionaries(texts, st.integers(), max_size=3),
    provider_refused=st.lists(texts, max_size=3).map(tuple),
    providers_available=st.lists(texts, max_size=3).map(tuple),
    runtime=st.dictionaries(texts, texts, max_size=3),
)


@given(descriptions)
def test_a_description_is_the_same_after_it_travelled_as_json(description):
    assert ModelDescription.from_dict(json.loads(json.dumps(description.to_dict()))) == description


@given(
    st.builds(
        LoadRequest,
        path=texts,
        providers=st.lists(texts).map(tuple),
        min_score=st.none() | numbers,
        serves=st.sampled_from(["any", "pictures", "rows"]),
        rows=uses,
    )
)
def test_a_request_is_the_same_after_it_travelled_as_json(request):
    assert LoadRequest.from_json(request.to_json()) == request


def test_a_description_has_no_default_that_could_hide_what_was_not_filled_in():
    assert [
        field.name
        for field in dataclasses.fields(ModelDescription)
        if field.default is not dataclasses.MISSING
    ] == []


@given(descriptions)
def test_a_description_is_of_pictures_or_of_rows_and_says_which(description):
    of_rows = isinstance(description.input, RowRecipe)
    assert (description.rows if of_rows else description.picture) is description.input
    with pytest.raises(ModelRejected, match="is for rows" if of_rows else "is for pictures"):
        _ = description.picture if of_rows else description.rows
