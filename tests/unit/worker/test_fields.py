"""Which field of a row goes into which input, for every layout of inputs that is served."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import InferenceFailed, ModelRejected
from edged.manifest import InputManifest, RowRecipe, TensorSpec
from edged.worker.description import RowUse
from edged.worker.fields import MAX_BATCH, MAX_LANE_VALUES, RowPlan, plan_rows, trial_windows


def spec(*shape: int | str | None, name: str = "x", dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, shape, dtype)


def plan(
    *specs: TensorSpec, uses: tuple[RowUse, ...] = (), metadata: object = None, **given: object
) -> RowPlan:
    return plan_rows(specs, InputManifest(**given), metadata or {}, uses)  # type: ignore[arg-type]


def sensor(fields: int = 0, window: int = 0, *, fixed: bool = True) -> RowUse:
    return RowUse("pump", tuple("abcdefgh"[:fields]), window, fixed)


def rows(windows: int, length: int, fields: int) -> np.ndarray:
    """Numbers that say where they stand: 100 * window + 10 * row + field."""
    w, r, f = np.mgrid[0:windows, 0:length, 0:fields]
    return (100 * w + 10 * r + f).astype(np.float64)


XYZ = {"fields": ("x", "y", "z")}

LAYOUTS = {
    "a row": ([spec("N", 4)], {}, (), (1, 4, True)),
    "a row of one field": ([spec("N", 1)], {}, (), (1, 1, True)),
    "numbers alone": ([spec("N")], {}, (), (1, 1, True)),
    "a row without a batch": ([spec(4)], {}, (), (1, 4, False)),
    "one row": ([spec(1, 4)], {}, (), (1, 4, False)),
    "one row, of a sensor of rows": ([spec(1, 4)], {}, (sensor(window=1),), (1, 4, False)),
    "a flat window, as the model says": ([spec(None, 768)], {"window": 256}, (), (256, 3, True)),
    "a flat window, as a sensor says": ([spec(None, 768)], {}, (sensor(window=256),), (256, 3, True)),
    "a flat window, by its fields": ([spec(None, 768)], XYZ, (), (256, 3, True)),
    "a flat window, as a sensor says both": ([spec(None, 768)], {}, (sensor(3, 256),), (256, 3, True)),
    "a flat window without a batch": ([spec(768)], {"window": 256}, (), (256, 3, False)),
    "a window": ([spec("N", 256, 3)], {}, (), (256, 3, True)),
    "a window, more fields than rows": ([spec("N", 4, 8)], {}, (), (4, 8, True)),
    "fields first, by their number": ([spec("N", 3, 256)], XYZ, (), (256, 3, True)),
    "fields first, by a sensor's": ([spec("N", 3, 256)], {}, (sensor(3),), (256, 3, True)),
    "fields first, by the window": ([spec("N", 3, 256)], {"window": 256}, (), (256, 3, True)),
    "a window without a batch": ([spec(256, 3)], {}, (), (256, 3, False)),
    "fields first without a batch": ([spec(3, 256)], XYZ, (), (256, 3, False)),
    "a window of one batch": ([spec(1, 256, 3)], {}, (), (256, 3, False)),
    "a window of a single field": ([spec("N", 256, 1)], {"fields": ("v",)}, (), (256, 1, True)),
    "a column": ([spec("N", 256, 1)], {}, (), (256, 1, True)),
    "fields of a single row": ([spec("N", 1, 4)], {}, (), (1, 4, True)),
    "a channel of a single field": ([spec("N", 1, 256)], {"window": 256}, (), (256, 1, True)),
    "a window among ones": ([spec("N", 1, 256, 3)], {}, (), (256, 3, True)),
    "an open window": ([spec("N", None, 3)], {}, (), (0, 3, True)),
    "an open window, as the model says": ([spec("N", None, 3)], {"window": 64}, (), (64, 3, True)),
    "an open window with fields first": ([spec("N", 3, None)], {}, (sensor(window=50),), (0, 3, True)),
    "an open window of a single field": ([spec("N", None, 1)], {}, (), (0, 1, True)),
    "an open channel": ([spec("N", 1, "time")], {"fields": ("v",)}, (), (0, 1, True)),
    "any number of fields": ([spec(None, None)], XYZ, (), (1, 3, True)),
    "any number of fields, of a sensor": ([spec(None, None)], {}, (sensor(2, 5),), (5, 2, True)),
    "sizes of -1": ([spec(-1, 3)], {}, (), (1, 3, True)),
    "an input a field": ([spec("N", name=n) for n in "abc"], {}, (), (1, 3, True)),
    "columns": ([spec("N", 1, name=n) for n in "abc"], {}, (), (1, 3, True)),
    "columns of a sensor of rows": ([spec("N", 1, name=n) for n in "abc"], {}, (sensor(window=1),), (1, 3, True)),
    "some fields an input": ([spec("N", 3, name="a"), spec("N", 3, name="b")], {}, (), (1, 6, True)),
    "a window an input": ([spec("N", 8, name="a"), spec("N", 16, name="b")], {"window": 8}, (), (8, 3, True)),
    "long windows an input": ([spec("N", 8, 1, name="a"), spec("N", 8, 2, name="b")], {}, (), (8, 3, True)),
    "an open window an input": ([spec("N", None, name=n) for n in "ab"], {}, (), (0, 2, True)),
}  # fmt: skip


@pytest.mark.parametrize(("specs", "given", "uses", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout_is_understood_as_rows_of_fields(specs, given, uses, expected):
    recipe = plan(*specs, uses=uses, **given).recipe
    window, fields, batched = expected
    assert (recipe.window, recipe.features, recipe.batch > 1) == (window, fields, batched)


@pytest.mark.parametrize(("specs", "given", "uses", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_what_is_fed_has_the_declared_shape_and_lost_nothing(specs, given, uses, expected):
    window, fields, batched = expected
    planned = plan(*specs, uses=uses, **given)
    numbers = rows(2 if batched else 1, window or 7, fields)
    feeds = planned.feeds(numbers, ())
    assert sorted(np.concatenate([array.ravel() for array in feeds.values()])) == sorted(numbers.ravel())
    for one in specs:
        array = feeds[one.name]
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.ndim == len(one.shape)
        assert all(
            size == declared
            for size, declared in zip(array.shape, one.shape, strict=True)
            if isinstance(declared, int) and declared > 0
        )


def test_a_row_is_fed_as_it_is():
    assert plan(spec("N", 2)).feeds(rows(2, 1, 2), ())["x"].tolist() == [[0, 1], [100, 101]]


def test_a_flat_window_has_its_rows_one_after_the_other():
    fed = plan(spec("N", 6), window=3).feeds(rows(2, 3, 2), ())["x"]
    assert fed.tolist() == [[0, 1, 10, 11, 20, 21], [100, 101, 110, 111, 120, 121]]


def test_a_window_has_a_row_a_line():
    fed = plan(spec("N", 3, 2)).feeds(rows(1, 3, 2), ())["x"]
    assert fed.tolist() == [[[0, 1], [10, 11], [20, 21]]]


def test_fields_first_has_a_field_a_line():
    fed = plan(spec("N", 2, 3), fields=("a", "b")).feeds(rows(2, 3, 2), ())["x"]
    assert fed.tolist() == [[[0, 10, 20], [1, 11, 21]], [[100, 110, 120], [101, 111, 121]]]


def test_without_a_batch_a_window_stands_alone():
    assert plan(spec(3, 2)).feeds(rows(1, 3, 2), ())["x"].tolist() == [[0, 1], [10, 11], [20, 21]]
    assert plan(spec(2)).feeds(rows(1, 1, 2), ())["x"].tolist() == [0, 1]
    assert plan(spec(1, 2)).feeds(rows(1, 1, 2), ())["x"].tolist() == [[0, 1]]


def test_an_open_window_takes_any_number_of_rows():
    planned = plan(spec("N", None, 2))
    for length in (1, 4):
        assert planned.feeds(rows(3, length, 2), ())["x"].shape == (3, length, 2)


def test_inputs_of_several_types_each_get_their_field():
    specs = [
        spec(None, name="t"),
        spec(None, 1, name="n", dtype="int64"),
        spec(None, 1, name="kind", dtype="str"),
        spec(None, name="on", dtype="bool"),
        spec(None, name="place", dtype="str"),
    ]
    planned = plan(*specs)
    assert planned.recipe == RowRecipe(
        5, ("t", "n", "kind", "on", "place"), (2, 4), 1, MAX_BATCH, "float64", 3 * MAX_BATCH
    )
    numbers = np.array([[[0.5, 2**53, 1]], [[1.5, -7, 0]]])
    feeds = planned.feeds(numbers, [[["a", "here"]], [["b", ""]]])
    assert {name: (array.dtype.name, array.tolist()) for name, array in feeds.items()} == {
        "t": ("float32", [0.5, 1.5]),
        "n": ("int64", [[2**53], [-7]]),
        "kind": ("object", [["a"], ["b"]]),
        "on": ("bool", [True, False]),
        "place": ("object", ["here", ""]),
    }


def test_fields_of_numbers_and_of_texts_may_come_as_two_blocks():
    planned = plan(spec(None, 2, name="words", dtype="str"), spec(None, 3, name="numbers"))
    assert (planned.recipe.features, planned.recipe.texts, planned.recipe.names) == (5, (0, 1), ())
    feeds = planned.feeds(np.array([[[1.0, 2, 3]]]), [[["a", "b"]]])
    assert feeds["words"].tolist() == [["a", "b"]]
    assert feeds["numbers"].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("shape", [(None,), (None, 1)])
def test_a_model_may_take_texts_only(shape):
    planned = plan(spec(*shape, dtype="str"))
    recipe = planned.recipe
    assert (recipe.features, recipe.texts, recipe.at_once(1)) == (1, (0,), MAX_BATCH)
    fed = planned.feeds(np.zeros((2, 1, 0)), [[["a"]], [["b"]]])["x"]
    assert fed.reshape(-1).tolist() == ["a", "b"]
    assert fed.shape == (2, *shape[1:])


@pytest.mark.parametrize(
    "texts", [(), [[["a"]]], [[["a", "b"]], [["a", "b"]]], [[[]], [[]]], [[["a"]], [["a", "b"]]]]
)
def test_texts_that_are_not_as_many_as_they_must_be_are_an_error(texts):
    with pytest.raises(InferenceFailed, match="takes 1 text a row"):
        plan(spec(None, 1, dtype="str")).feeds(np.zeros((2, 1, 0)), texts)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 256), ("uint8", -1), ("int64", 2.0**63), ("int32", np.nan), ("int8", np.inf), ("int8", 1e300)],
)
def test_a_number_that_an_integer_cannot_hold_is_an_error_not_another_number(dtype, value):
    planned = plan(spec("N", 2, dtype=dtype))
    with pytest.raises(InferenceFailed, match=rf"takes {dtype} in 'x'"):
        planned.feeds(np.array([[[0.0, value]]]), ())


def test_integers_are_fed_to_their_bounds():
    fed = plan(spec("N", 2, dtype="uint8")).feeds(np.array([[[0.0, 255.0]]]), ())["x"]
    assert (fed.dtype, fed.tolist()) == (np.uint8, [[0, 255]])


@given(data=st.data(), windows=st.integers(0, 3), length=st.integers(1, 5), fields=st.integers(1, 4))
def test_whatever_is_fed_can_be_taken_back_to_rows(data, windows, length, fields):
    names = tuple("abcd"[:fields])
    layout = data.draw(st.sampled_from(["flat", "window", "fields first", "each", "open"]))
    numbers = rows(windows, length, fields)
    if layout == "flat":
        fed = plan(spec("N", length * fields), fields=names, window=length).feeds(numbers, ())["x"]
        back = fed.reshape(windows, length, fields)
    elif layout == "window":
        back = plan(spec("N", length, fields), uses=(RowUse("s", names, length),)).feeds(numbers, ())["x"]
    elif layout == "fields first" and length != fields:
        fed = plan(spec("N", fields, length), fields=names, window=length).feeds(numbers, ())["x"]
        back = fed.transpose(0, 2, 1)
    elif layout == "each" and fields > 1:
        feeds = plan(*(spec("N", length, name=n) for n in names), window=length).feeds(numbers, ())
        back = np.stack([feeds[n] for n in names], axis=2)
    else:
        back = plan(spec("N", None, fields)).feeds(numbers, ())["x"]
    assert np.array_equal(back, numbers)


def test_names_come_from_model_toml_then_from_the_inputs_then_from_the_metadata():
    said = {"feature_names": "['a', \"it's\"]"}
    two = [spec("N", name="p"), spec("N", name="q")]
    assert plan(spec("N", 2), metadata=said, fields=("v", "w")).recipe.names == ("v", "w")
    assert plan(*two, metadata=said, fields=("v", "w")).recipe.names == ("v", "w")
    assert plan(*two, metadata=said).recipe.names == ("p", "q")
    assert plan(spec("N", 2), metadata=said).recipe.names == ("a", "it's")
    assert plan(spec("N", 2)).recipe.names == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x,y", ("x", "y")),
        (" x , y ", ("x", "y")),
        ('["x", "y"]', ("x", "y")),
        ("('x', 'y')", ("x", "y")),
        ("2", ()),
        ("0,1", ()),
        ("x", ()),
        ("x,y,z", ()),
        ("x,", ()),
        ("[1, 2]", ()),
        ('{"x": 1}', ()),
        ("[" * 100_000, ()),
        ("[x", ()),
    ],
)
def test_names_in_metadata_are_taken_where_they_are_as_many_as_the_fields(text, names):
    recipe = plan(spec("N", 2), metadata={"features": text}).recipe
    assert (recipe.features, recipe.window, recipe.names) == (2, 1, names)


def test_names_in_metadata_settle_what_a_shape_leaves_open():
    assert plan(spec("N", None), metadata={"fields": "x,y"}).recipe.features == 2
    assert plan(spec("N", 2, 9), metadata={"fields": "x,y"}).recipe.window == 9


def test_model_toml_comes_before_the_sensor():
    assert plan(spec("N", 12), window=4, uses=(RowUse("s"),)).recipe.features == 3
    with pytest.raises(ModelRejected, match=r"takes 3 fields, sensors\.pump\.fields names 2"):
        plan(spec("N", 12), window=4, uses=(sensor(2),))


def test_numbers_are_scaled_field_by_field():
    planned = plan(spec("N", 2), scale=2.0, mean=(1, 10), std=(1, 4))
    assert planned.scaled(np.array([[[3.0, 7.0]]])).tolist() == [[[5.0, 1.0]]]
    one = plan(spec("N", 2), mean=1, std=2)
    assert one.scaled(np.array([[[3.0, 7.0]]])).tolist() == [[[1.0, 3.0]]]


def test_of_a_flat_window_each_row_is_scaled_alike():
    planned = plan(spec("N", 4), window=2, mean=(0, 10))
    assert planned.scaled(np.array([[[1.0, 11], [2, 12]]])).tolist() == [[[1, 1], [2, 2]]]


def test_what_needs_no_scaling_is_not_copied():
    numbers = rows(1, 1, 2)
    assert plan(spec("N", 2)).scaled(numbers) is numbers


def test_a_scale_for_each_field_counts_those_of_numbers():
    planned = plan(spec("N", name="a", dtype="str"), spec("N", name="b"), spec("N", name="c"), mean=(1, 2))
    assert planned.mean == (1, 2)


@pytest.mark.parametrize(
    ("specs", "given", "uses", "said"),
    [
        ([], {}, (), "takes no input"),
        ([spec()], {}, (), r"takes a single number \(x float32 \[\]\)"),
        ([spec("N", 2, dtype="complex64")], {}, (), r"takes no rows \(x complex64 \[\?, 2\]\)"),
        ([spec("N", name="a"), spec("N", name="b", dtype="bfloat16")], {}, (), "takes no rows"),
        ([spec(None, None)], {}, (), r"leaves open how many fields.*say fields in \[input\]"),
        ([spec("N", None, None)], {}, (), "leaves open how many rows and fields"),
        ([spec("N", 2, None, 3)], {}, (), "leaves open how many rows and fields"),
        ([spec("N", 1 << 25)], {}, (), "takes 33,554,432 values at once"),
        ([spec("N", 150_528)], {}, (), "takes 150,528 fields a row"),
        ([spec("N", 4)], {"fields": ("a", "b", "c")}, (), r"takes 4 fields, \[input\] fields names 3"),
        ([spec("N", 4)], {"window": 3}, (), r"takes 4 values.*no whole number for each of 3 rows"),
        ([spec("N", 100, 3)], {"window": 256}, (), r"windows of 100 rows, \[input\] window says 256"),
        ([spec("N", 4)], {"mean": (1, 2)}, (), r"takes 4 numbers a row, \[input\] mean has 2"),
        ([spec("N", 1)], {"std": (1, 2)}, (), r"takes 1 number a row, \[input\] std has 2"),
        ([spec("N", 8, 1, name="a"), spec("N", name="b")], {}, (), "takes 8 rows in a and 1 row in b at once"),
        ([spec("N", None, name="a"), spec("N", name="b")], {}, (), "takes any number of rows in a and 1 row in b"),
        ([spec("N", 4)], {}, (sensor(3),), r"takes 4 fields, sensors\.pump\.fields names 3"),
        ([spec("N", 4)], {}, (sensor(2),), r"takes 4 fields, sensors\.pump\.fields names 2.*or say the window"),
        ([spec("N", 4)], {}, (sensor(4, 2),), r"windows of 1 row, that of sensors\.pump has 2.*window = 1, or leave"),
        ([spec("N", 256, 3)], {}, (sensor(window=1),), r"windows of 256 rows, that of sensors\.pump has 1"),
        ([spec("N", 256, 3)], {}, (sensor(fixed=False),), r"256 rows, and that of sensors\.pump is a time"),
        ([spec("N", name=n) for n in "abc"], {}, (sensor(window=2),), r"windows of 1 row, that of sensors\.pump has 2"),
        ([spec("N", 9, 3)], {}, (RowUse("a", (), 9), sensor(window=8)), r"sensors\.pump has 8"),
        ([spec(None, None)], XYZ, (sensor(window=10**7),), "takes 30,000,000 values at once; use a shorter"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said_in_clear_words(specs, given, uses, said):
    with pytest.raises(ModelRejected, match=said):
        plan(*specs, uses=uses, **given)


def test_a_window_that_is_a_time_fits_an_open_one():
    assert plan(spec("N", None, 3), uses=(sensor(fixed=False), sensor(window=9))).recipe.window == 0


@pytest.mark.parametrize(
    ("window", "length", "at_once"),
    [(1, 1, MAX_BATCH), (1024, 1024, 341), (0, 1, MAX_BATCH), (0, 1024, 341), (0, 2**20, 0)],
)
def test_as_many_windows_go_at_once_as_fit_into_a_lane(window, length, at_once):
    recipe = plan(spec("N", window or None, 3)).recipe if window != 1 else plan(spec("N", 3)).recipe
    assert recipe.at_once(length) == at_once
    assert recipe.at_once(length) * length * 3 <= recipe.values <= MAX_LANE_VALUES
    assert recipe.shape == (recipe.values,)


def test_a_single_window_may_be_larger_than_a_lane_usually_is():
    recipe = plan(spec("N", 1 << 20, 2)).recipe
    assert (recipe.batch, recipe.at_once(1 << 20), recipe.values) == (1, 1, 1 << 21)


@pytest.mark.parametrize(
    ("dtype", "travels"),
    [("float32", "float32"), ("float16", "float32"), ("uint8", "float32"), ("bool", "float32"),
     ("float64", "float64"), ("int64", "float64"), ("int32", "float64")],
)  # fmt: skip
def test_numbers_travel_so_that_the_model_can_have_them_whole(dtype, travels):
    assert plan(spec("N", 2, dtype=dtype)).recipe.dtype == travels


def test_a_trial_is_the_same_every_time_and_fits():
    uses = (sensor(window=5), sensor(window=9))
    planned = plan(spec("N", None, 2), uses=uses)
    numbers, texts = trial_windows(planned, uses, 3)
    assert (numbers.shape, texts) == ((3, 9, 2), ())
    assert np.array_equal(numbers, trial_windows(planned, uses, 3)[0])
    assert len(np.unique(numbers)) == numbers.size


def test_a_trial_gives_integers_a_zero_and_texts_something():
    planned = plan(
        spec("N", 2, name="w", dtype="str"),
        spec("N", name="n", dtype="int64"),
        spec("N", 2, name="x"),
        scale=100,
    )
    numbers, texts = trial_windows(planned, (), 2)
    assert numbers.shape == (2, 1, 3)
    assert (numbers[:, :, 0] == 0).all()
    assert (numbers[:, :, 1:] > 0).all()
    assert texts == ((("a", "a"),),) * 2
    assert planned.feeds(planned.scaled(numbers), texts)["n"].tolist() == [0, 0]
