import json
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.rows import Rows
from edged.sources import csvrows, jsonrows, rowformat
from edged.sources.rowformat import MAX_ROW_BYTES, RowParser, RowSpec

ARRIVED = 1_800_000_000.0
MAY_1 = 1_398_902_400.0
FIELDS = ("x", "y")


def read(spec: RowSpec, *payloads: bytes | str, origin: str = ""):
    """All rows of the payloads, and the rejected ones as "line: reason"."""
    parser, parts, rejected = RowParser(spec), [], []
    for payload in payloads:
        raw = payload.encode() if isinstance(payload, str) else payload
        rows, bad = parser.parse(raw, at_s=ARRIVED, origin=origin)
        parts.append(rows)
        rejected += bad
    return plain(parts), [f"{row.line}: {row.reason}" for row in rejected]


def plain(parts: list[Rows]):
    return [
        (
            rows.numbers[n].tolist(),
            rows.texts[n] if rows.texts else (),
            float(rows.at_s[n]),
            dict(rows.echoes[n]) if rows.echoes else {},
        )
        for rows in parts
        for n in range(len(rows))
    ]


def numbers(read_rows):
    rows, rejected = read_rows
    assert rejected == []
    return [row[0] for row in rows]


@contextmanager
def one_by_one():
    """Without the path that reads many rows at once."""
    with pytest.MonkeyPatch.context() as patch:

        def each(items, block, one):
            for item in items:
                one(item)

        patch.setattr(csvrows, "by_parts", each)
        patch.setattr(jsonrows, "by_parts", each)
        yield


# CSV


@pytest.mark.parametrize(
    "payload",
    [
        "x,y\n1,2\n3,4\n",
        "y;x\r\n2;1\r\n4;3\r\n",
        "\ufeffx\ty\n1\t2\n\n# a comment\n3\t4",
        '"x","y"\n"1","2"\n3, 4\n',
        "time,y,other,x\nsoon,2,?,1\nsoon,4,?,3\n",
        "1,2\n3,4\n",
        "x,y\n1,2\nx,y\n3,4\n",
        "x,y\n1,2\ny,x\n4,3\n",
        "+1.0e0,.2e1\n3.,4\n",
        "Booting v2\nx,y\n1,2\n3,4\n",
    ],
)
def test_named_values_of_csv_are_found_however_they_are_laid_out(payload):
    rows, _ = read(RowSpec("csv", 2, FIELDS), payload)
    assert [row[0] for row in rows] == [[1, 2], [3, 4]]


def test_without_names_all_columns_count_but_the_time_and_what_is_echoed():
    spec = RowSpec("csv", 2, echo=("id",))
    rows, rejected = read(
        spec, "DateTime,Time,a,id,b\n5/1/2014 0:00,1398902400,1,m7,2\n5/1/2014 0:00,1398902400,3,8,4\n"
    )
    assert rejected == []
    assert rows == [([1, 2], (), MAY_1, {"id": "m7"}), ([3, 4], (), MAY_1, {"id": 8})]


def test_columns_name_the_values_of_csv_without_a_header():
    spec = RowSpec("csv", 2, FIELDS, columns=("when", "y", "x"), time="when")
    rows, rejected = read(spec, "2014-05-01 00:00,2,1\n")
    assert rows == [([1, 2], (), MAY_1, {})]
    assert rejected == []


def test_a_header_that_lacks_a_field_says_so_and_no_row_under_it_is_guessed():
    rows, rejected = read(RowSpec("csv", 2, FIELDS), "x,z\n1,2\n")
    assert rows == []
    reason = "there is no column named y; name the wanted ones with fields"
    assert rejected == [f"1: {reason}", f"2: {reason}"]


def test_a_header_holds_for_one_device_only():
    parser = RowParser(RowSpec("csv", 2, FIELDS))
    for origin, payload in (("a", b"y,x\n2,1\n"), ("b", b"1,2\n"), ("a", b"2,1\n")):
        rows, rejected = parser.parse(payload, at_s=ARRIVED, origin=origin)
        assert rejected == []
        assert rows.numbers.tolist() == [[1, 2]]


def test_another_header_in_the_midst_holds_for_many_rows_read_at_once_too():
    lines = ["x,y", *["1,2"] * 10, "y,x", *["1,2"] * 20]
    at_once = read(RowSpec(format="csv", fields=FIELDS), "\n".join(lines))
    assert numbers(at_once) == [[1.0, 2.0]] * 10 + [[2.0, 1.0]] * 20


@pytest.mark.parametrize(
    ("head", "taken"),
    [
        ("y,x\n1,2\n", [[4.0, 3.0]]),
        ("\ufeff# pump\n\nready\r\ny,x\r\n5,6\r\n", [[4.0, 3.0]]),
        ("1,2\n5,6\n", [[3.0, 4.0]]),
        ("", [[3.0, 4.0]]),
    ],
)
def test_rows_from_the_midst_of_a_stream_are_read_under_the_header_it_began_with(head, taken):
    rows, rejected = RowParser(RowSpec(format="csv", fields=FIELDS)).parse(
        b"3,4\n", at_s=0, head=head.encode()
    )
    assert (rows.numbers.tolist(), rejected) == (taken, [])


def test_rows_from_the_midst_of_a_stream_are_rejected_as_those_before_them_under_a_header_that_lacks_a_field():
    parser = RowParser(RowSpec(format="csv", fields=FIELDS))
    rows, rejected = parser.parse(b"3,4\n", at_s=0, head=b"id,y\n1,2\n")
    assert (len(rows), [row.reason for row in rejected]) == (
        0,
        ["there is no column named x; name the wanted ones with fields"],
    )


def test_who_reads_on_for_another_model_knows_the_headers_of_the_one_before():
    before = RowParser(RowSpec(format="csv", fields=FIELDS))
    before.parse(b"z,y,x\n1,2,3\n", at_s=0, origin="a")
    before.parse(b"1,2\n", at_s=0, origin="b")
    assert before.headers == {"a": b"z,y,x"}
    after = RowParser(RowSpec(format="csv", fields=("z",)), before.headers)
    assert after.headers == before.headers
    assert after.parse(b"4,5,6\n", at_s=0, origin="a")[0].numbers.tolist() == [[4.0]]


@pytest.mark.parametrize("format_", ["json", "text"])
def test_other_formats_have_no_header(format_):
    parser = RowParser(RowSpec(format=format_, texts=(0,)))
    rows, _ = parser.parse(b'"a"\n', at_s=0, head=b"x,y\n")
    assert len(rows) == 1
    assert parser.headers == {}


def test_the_device_unheard_for_the_longest_time_is_forgotten(monkeypatch):
    monkeypatch.setattr(rowformat, "MAX_ORIGINS", 2)
    parser = RowParser(RowSpec("csv", 2, FIELDS, missing="last"))
    for origin in "abc":
        parser.parse(b"1,2\n", at_s=ARRIVED, origin=origin)
    assert len(parser.parse(b"1,\n", at_s=ARRIVED, origin="b")[0]) == 1
    assert len(parser.parse(b"1,\n", at_s=ARRIVED, origin="a")[0]) == 0


@pytest.mark.parametrize(
    ("payload", "rejected"),
    [
        ("1,2,3\n", "1: has 3 values, fields names 2"),
        ("1\n", "1: has 1 value, fields names 2"),
        ("x,y\n1,2\n3\n", "3: has 1 value, the header names 2"),
        ("1,2\n3\n", "2: has 1 value, the earlier rows have 2"),
        ("x,y\n1,soon\n", "2: y is 'soon', not a number"),
        ("x,y\n1,\n", "2: y is missing"),
        ("x,y\n1,NaN\n", "2: y is missing"),
        ("x,y\n1,-inf\n", "2: y is infinite, or too large for a float32: -inf"),
        ("x,y\n1,1e39\n", "2: y is infinite, or too large for a float32: 1e39"),
        ("x,y\n1,1_000\n", "2: y is '1_000', not a number"),
        (b"x,y\n1,\xff2\n", "2: is not UTF-8"),
        ('x,y\n1,"2\n', "2: its quotes cannot be read (unexpected end of data)"),
        (
            "x,y,time\n1,2,1970-01-01\n",
            "2: its time stamp is 1970-01-01T00:00:00Z: the sensor's clock is not set",
        ),
    ],
)
def test_a_row_of_csv_that_cannot_be_read_says_why(payload, rejected):
    assert read(RowSpec("csv", 2, FIELDS), payload)[1] == [rejected]


def test_without_names_a_wrong_number_of_values_says_how_to_name_them():
    assert read(RowSpec("csv", 2), "1,2,3\n")[1] == [
        "1: has 3 values, the model takes 2; name them with columns"
    ]
    assert read(RowSpec("csv", 2), "a,b,c\n1,2,3\n")[1] == [
        f"{n}: has 3 values, the model takes 2; name them with fields" for n in (1, 2)
    ]
    assert read(RowSpec("csv", 2), "1\n")[1] == ["1: has 1 value, the model takes 2"]


def test_what_follows_the_first_row_is_as_wide_where_the_model_does_not_say():
    rows, rejected = read(RowSpec("csv"), "1,2,3\n4,5\n6,7,8\n")
    assert [row[0] for row in rows] == [[1, 2, 3], [6, 7, 8]]
    assert rejected == ["2: has 2 values, the earlier rows have 3"]


def test_booleans_are_one_and_zero_in_whatever_case():
    assert numbers(read(RowSpec("csv", 2), "1,True\nFALSE,true\n")) == [[1, 1], [0, 1]]
    assert numbers(read(RowSpec("json", 2), "[true, false]")) == [[1, 0]]


def test_columns_named_by_numbers_do_not_swallow_rows():
    assert numbers(read(RowSpec("csv", 2, ("0", "1")), "0,1\n0,2\n1,0\n")) == [[0, 2], [1, 0]]


def test_a_text_that_is_the_name_of_a_field_does_not_make_a_row_a_header():
    payload = "kind,temperature\ntemperature,20\n" + "temperature,21\n" * 30
    assert numbers(read(RowSpec("csv", 1, ("temperature",)), payload)) == [[20]] + [[21]] * 30


# JSON


@pytest.mark.parametrize(
    "payload",
    [
        '{"x": 1, "y": 2}\n{"y": "4", "x": 3.0}\n',
        '[{"x": 1, "y": 2, "z": null}, {"x": 3, "y": 4}]',
        "[[1, 2], [3, 4]]",
        "[1, 2]\n\n[3, 4]",
        '{\n  "x": 1,\n  "y": 2\n}\n',
        '\ufeff{"x": 1, "y": 2}',
    ],
)
def test_named_values_of_json_are_found_however_they_are_laid_out(payload):
    found = numbers(read(RowSpec("json", 2, FIELDS), payload))
    assert found == [[1, 2], [3, 4]][: len(found)]
    assert len(found) == 1 + ("3" in payload)


def test_dots_lead_into_nested_objects_unless_a_name_has_them_itself():
    spec = RowSpec("json", 2, ("acc.x", "acc.y"), time="meta.at", echo=("meta.id",))
    rows, rejected = read(
        spec,
        '{"acc": {"x": 1, "y": 2}, "meta": {"at": "2014-05-01", "id": "a"}}',
        '{"acc.x": 3, "acc": {"y": 4}, "meta": {"at": "2014-05-01"}}',
        '{"acc": 5, "meta": {"at": "2014-05-01"}}',
    )
    assert rows == [([1, 2], (), MAY_1, {"meta.id": "a"}), ([3, 4], (), MAY_1, {})]
    assert rejected == ["3: acc.x is missing"]


def test_the_first_object_says_the_order_of_values_that_nobody_named():
    spec = RowSpec("json", 2, echo=("id",))
    rows, rejected = read(
        spec, '{"ts": 1398902400, "id": 7, "b": 1, "note": "ok", "a": 2}\n{"a": 4, "b": 3, "c": 9}\n'
    )
    assert rejected == []
    assert rows == [([1, 2], (), MAY_1, {"id": 7}), ([3, 4], (), ARRIVED, {})]


def test_an_object_with_another_number_of_values_than_the_model_takes_is_rejected_with_the_remedy():
    reason = "has 3 values, the model takes 4; name them with fields"
    assert read(RowSpec("json", 4), '{"a": 1, "b": 2, "c": 3}') == ([], [f"1: {reason}"])


def test_a_bare_number_is_a_row_of_one_value():
    assert numbers(read(RowSpec("json", 1), b"23.5", b"24")) == [[23.5], [24]]


@pytest.mark.parametrize(
    ("payload", "rejected"),
    [
        ('{"x": 1}', "1: y is missing"),
        ('{"x": 1, "y": null}', "1: y is missing"),
        ('{"x": 1, "y": NaN}', "1: y is missing"),
        ('{"x": 1, "y": {}}', "1: y is an object, not a number"),
        ('{"x": 1, "y": [2]}', "1: y is an array, not a number"),
        ('{"x": 1, "y": Infinity}', "1: y is infinite, or too large for a float32: inf"),
        ('{"x": 1, "y": 1' + "0" * 400 + "}", f"1: y is infinite, or too large for a float32: 1{'0' * 39}"),
        ("[1, 2, 3]", "1: has 3 values, fields names 2"),
        ("[]", "1: has 0 values, fields names 2"),
        ("{x: 1}", "1: is not JSON: key must be a string at column 2"),
        (b'{"x": "\xff"}', "1: is not UTF-8"),
        ('[{"x": 1, "y": 2}, {"x": 1}]', "1: row 2 of the array: y is missing"),
    ],
)
def test_a_row_of_json_that_cannot_be_read_says_why(payload, rejected):
    assert read(RowSpec("json", 2, FIELDS), payload)[1] == [rejected]


# Texts, times, missing values, echoes


def test_each_line_of_text_is_a_row_of_one_text():
    rows, rejected = read(RowSpec("text", 1, texts=(0,)), "disk full\r\n\nfan 3 lost \n", b"\xff\n")
    assert [(row[0], row[1]) for row in rows] == [([], ("disk full",)), ([], ("fan 3 lost",))]
    assert rejected == ["2: the text is missing", "4: is not UTF-8"]


@pytest.mark.parametrize(
    ("format_", "payload"),
    [("csv", "n,word,m\n1,on,2\n" * 30), ("json", '{"n": 1, "word": "on", "m": 2}\n' * 30)],
)
def test_texts_stand_beside_numbers(format_, payload):
    spec = RowSpec(format_, 3, ("m", "word", "n"), texts=(1,))
    assert read(spec, payload) == ([([2, 1], ("on",), ARRIVED, {})] * 30, [])


def test_any_scalar_may_be_a_text():
    rows, rejected = read(
        RowSpec("json", 1, ("t",), texts=(0,)), '{"t": 1}\n{"t": true}\n{"t": "x"}\n{"t": []}\n'
    )
    assert [row[1] for row in rows] == [("1",), ("true",), ("x",)]
    assert rejected == ["4: t is an array, not a text"]


def test_the_last_good_value_of_the_same_device_stands_for_a_missing_one():
    spec = RowSpec("csv", 2, FIELDS, missing="last")
    rows, rejected = read(spec, ",1\n2,3\n,4\n5,\n")
    assert [row[0] for row in rows] == [[2, 3], [2, 4], [5, 4]]
    assert rejected == ["1: x is missing, and there is no earlier value to stand for it"]


def test_a_number_stands_for_a_missing_value():
    assert numbers(read(RowSpec("json", 2, FIELDS, missing=-1.0), '{"x": 1}\n[null, 2]')) == [
        [1, -1],
        [-1, 2],
    ]


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_a_configured_time_is_needed_and_one_that_is_merely_called_so_is_not(format_):
    payload = "x,at\n1,soon\n" if format_ == "csv" else '{"x": 1, "at": "soon"}\n'
    assert read(RowSpec(format_, 1, ("x",), time="at"), payload)[1][0].endswith(
        "its time field is 'soon', not a time"
    )
    assert read(RowSpec(format_, 1, ("x",)), payload.replace("at", "time"))[0] == [([1], (), ARRIVED, {})]


def test_a_configured_time_that_is_not_there_rejects_the_row():
    assert read(RowSpec("json", 1, ("x",), time="at"), '{"x": 1}')[1] == ["1: its time field is empty"]
    reason = "there is no column named at, which is to say the time"
    assert read(RowSpec("csv", 1, ("x",), time="at"), "x\n1\n")[1] == [f"1: {reason}", f"2: {reason}"]
    assert read(RowSpec("csv", 1, time="at"), "1\n")[1] == [f"1: {reason}; name them with columns"]


def test_a_feature_called_time_is_a_feature():
    assert read(RowSpec("csv", 2, ("Time", "V1")), "Time,V1\n1398902400,2\n")[0] == [
        ([1398902400, 2], (), ARRIVED, {})
    ]


def test_echoes_are_scalars_as_they_were_written_and_bounded():
    spec = RowSpec("json", 1, ("x",), echo=("a", "b", "c", "d", "e"))
    row = {"x": 1, "a": "ä" * 500, "b": True, "c": [1], "d": None}
    assert read(spec, json.dumps(row))[0][0][3] == {"a": "ä" * 200, "b": True}
    rows, _ = read(RowSpec("csv", 1, ("x",), echo=("a", "b", "c")), "x,a,b,c\n1,007,7,7.5\n1,,x,true\n")
    assert [row[3] for row in rows] == [{"a": "007", "b": 7, "c": 7.5}, {"b": "x", "c": "true"}]


# Any bytes


@pytest.mark.parametrize("format_", ["csv", "json", "text"])
def test_a_line_of_a_megabyte_is_rejected_and_not_kept(format_):
    parser = RowParser(RowSpec(format_, 1, texts=(0,) if format_ == "text" else ()))
    rows, (rejected,) = parser.parse(b"1\n" + b"9" * 2**20 + b"\n2\n", at_s=ARRIVED)
    assert rejected.reason == f"is 1,048,576 bytes long; a row has at most {MAX_ROW_BYTES:,}"
    assert (rejected.line, rejected.text) == (2, "9" * 80)
    assert len(rows) == 2


def test_the_text_of_a_rejected_row_is_printable():
    _, (rejected,) = RowParser(RowSpec("csv", 2)).parse(b"\x1b[31m\xff,1,2\n", at_s=ARRIVED)
    assert rejected.text == "�[31m�,1,2"


specs = st.builds(
    RowSpec,
    format=st.sampled_from(["csv", "json", "text"]),
    features=st.integers(0, 3),
    fields=st.sampled_from([(), FIELDS, ("x",), ("a.b", "0")]),
    texts=st.sampled_from([(), (0,), (0, 1)]),
    columns=st.sampled_from([(), ("time", "x", "y")]),
    delimiter=st.sampled_from(["", ";", " ", '"', "\n"]),
    time=st.sampled_from(["", "time", "at"]),
    missing=st.sampled_from(["error", "last", 0.5]),
    echo=st.sampled_from([(), ("id", "x")]),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "x"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["x", "y", "time", "at", "id", "a.b", "a", "0", ""]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
pieces = st.sampled_from(
    [b"x", b"y", b"1", b"-2.5", b",", b",", b";", b"\n", b"\n", b'"', b"#", b"\r", b"\xff", b" ", b"null"]
)
payloads = (
    st.binary(max_size=60)
    | st.lists(pieces, max_size=60).map(b"".join)
    | st.lists(values.map(json.dumps), max_size=20).map(lambda rows: "\n".join(rows).encode())
    | values.map(lambda value: json.dumps(value, indent=1).encode())
)


@settings(max_examples=400)
@given(spec=specs, some=st.lists(payloads, min_size=1, max_size=4))
def test_whatever_the_bytes_rows_are_finite_and_nothing_is_raised(spec, some):
    parser = RowParser(spec)
    for payload in some:
        rows, rejected = parser.parse(payload, at_s=ARRIVED)
        assert rows.numbers.dtype == rows.at_s.dtype == np.float64
        assert rows.numbers.shape[0] == len(rows.at_s)
        assert np.isfinite(rows.numbers).all()
        assert len(rows.texts) in {0, len(rows)}
        assert len(rows.echoes) in {0, len(rows)}
        assert all(len(bad.text) <= 80 for bad in rejected)
        json.dumps([dict(echo) for echo in rows.echoes], allow_nan=False)


cells = st.sampled_from(["1", "-2.5", ".5", "1e3", " 7", "0012", "", "nan", "true", "soon", "1e39", '"4"'])
good_cells = st.floats(-1e6, 1e6).map(str) | st.integers(-99, 99).map(str)
times = st.sampled_from(["2014-05-01 00:00", "5/1/2014 0:09", "1398902400", "12", "", "soon", "1970-01-01"])


@st.composite
def csv_lines(draw):
    lines = []
    for _ in range(draw(st.integers(8, 60))):
        odd = draw(st.integers(0, 9)) == 0
        cell = cells if odd else good_cells
        row = [draw(times if odd else times.filter(lambda t: len(t) > 11)), draw(cell), draw(cell), "m1"]
        lines.append(",".join(row[: draw(st.integers(1, 4))] if odd else row))
        if draw(st.integers(0, 19)) == 0:
            lines.append(
                draw(st.sampled_from(["", "# note", "time,x,y,id", "id,y,x,time", "ä,1,2,3", "[1,2]"]))
            )
    return [f"{line}\n".encode() for line in lines]


@st.composite
def json_lines(draw):
    lines = []
    for _ in range(draw(st.integers(8, 60))):
        odd = draw(st.integers(0, 9)) == 0
        row = {
            "time": draw(times),
            "x": draw(scalars if odd else st.floats(-1e6, 1e6)),
            "y": draw(st.integers(-99, 99)),
            "id": "m1",
        }
        if odd:
            row.pop(draw(st.sampled_from(sorted(row))))
        lines.append(json.dumps(draw(st.sampled_from([row, [row, row]])) if odd else row))
        if draw(st.integers(0, 19)) == 0:
            lines.append(draw(st.sampled_from(["", "5", "[1, 2]", "[1, [2]]", "{,}", '{"x": 1} {"x": 2}'])))
    return [f"{line}\n".encode() for line in lines]


some_specs = st.builds(
    RowSpec,
    features=st.just(2),
    fields=st.sampled_from([FIELDS, ("y", "x")]),
    texts=st.sampled_from([(), (), (1,), (0, 1)]),
    time=st.sampled_from(["", "time"]),
    missing=st.sampled_from(["error", "last", 0.5]),
    echo=st.sampled_from([(), ("id",), ("id", "none")]),
)


@given(spec=some_specs, format_=st.sampled_from(["csv", "json"]), draw=st.data())
def test_many_rows_at_once_are_read_as_each_on_its_own(spec, format_, draw):
    spec = RowSpec(**{**{name: getattr(spec, name) for name in spec.__slots__}, "format": format_})
    lines = draw.draw(csv_lines() if format_ == "csv" else json_lines())
    if format_ == "csv":
        lines.insert(0, b"time,x,y,id\n")
    at_once = read(spec, b"".join(lines))
    with one_by_one():
        assert read(spec, b"".join(lines)) == at_once
    assert read(spec, *lines) == at_once
    middle = draw.draw(st.integers(1, len(lines)))
    assert read(spec, b"".join(lines[:middle]), b"".join(lines[middle:])) == at_once


@given(
    rows=st.lists(st.tuples(*[st.floats(-1e30, 1e30)] * 3), min_size=1, max_size=50),
    delimiter=st.sampled_from(",;\t"),
)
def test_plain_numbers_come_back_to_the_last_bit(rows, delimiter):
    lines = "".join(delimiter.join(map(repr, row)) + "\n" for row in rows)
    assert numbers(read(RowSpec("csv", 3), lines)) == [list(row) for row in rows]
    assert numbers(read(RowSpec("json", 3), json.dumps(rows))) == [list(row) for row in rows]


# Real data


@pytest.mark.assets
def test_the_machine_temperature_of_nab_is_read_with_its_times(assets):
    payload = (assets / "sensors" / "nab_machine_temperature.csv").read_bytes()
    rows, rejected = RowParser(RowSpec("csv", 1)).parse(payload, at_s=ARRIVED)
    assert rejected == []
    assert rows.numbers.shape == (22695, 1)
    assert rows.numbers[0, 0] == 73.96732207
    assert rows.at_s[0] == 1386018900
    assert np.median(np.diff(rows.at_s)) == 300


@pytest.mark.assets
def test_the_valves_of_skab_are_read_by_name_and_by_position(assets):
    payload = (assets / "sensors" / "skab_valve1_0.csv").read_bytes()
    fields = ("Volume Flow RateRMS", "Pressure")
    rows, rejected = RowParser(RowSpec("csv", 2, fields, echo=("anomaly",))).parse(payload, at_s=ARRIVED)
    assert rejected == []
    assert rows.numbers[0].tolist() == [32.0, 0.054711]
    assert {echo["anomaly"] for echo in rows.echoes} == {0.0, 1.0}
    everything, _ = RowParser(RowSpec("csv", 8, echo=("anomaly", "changepoint"))).parse(payload, at_s=ARRIVED)
    assert everything.numbers.shape == (1147, 8)
    assert (everything.numbers[:, [7, 3]] == rows.numbers).all()


@pytest.mark.assets
def test_the_wind_turbine_gives_the_features_of_its_model_in_their_order(assets):
    expected = json.loads((assets / "expected.json").read_text())["sensors"]["wind_turbine_rf_fault.onnx"]
    payload = (assets / "sensors" / expected["input_csv"]).read_bytes()
    fields = tuple(expected["feature_order"])
    rows, rejected = RowParser(RowSpec("csv", 53, fields, time="DateTime")).parse(payload, at_s=ARRIVED)
    assert rejected == []
    header, *lines = (line.split(",") for line in payload.decode().splitlines())
    assert rows.numbers.tolist() == [[float(line[header.index(name)]) for name in fields] for line in lines]
    assert rows.at_s[0] == MAY_1


@pytest.mark.assets
def test_iris_is_read_without_a_header(assets):
    payload = (assets / "sensors" / "iris_data.csv").read_bytes()
    rows, rejected = RowParser(RowSpec("csv", 4)).parse(payload, at_s=ARRIVED)
    assert rejected == []
    assert rows.numbers.shape == (38, 4)
    assert rows.numbers[0].tolist() == [5.4, 3.7, 1.5, 0.2]
