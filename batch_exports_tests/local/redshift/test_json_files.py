"""COPY of JSON: members into columns, and the options that change values on the way."""

import gzip
import json
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.local.redshift.refusal import Refusal
from batch_exports_tests.local.redshift.copying import Copying, column, columns, drained

AUTO = "FORMAT JSON 'auto'"
ERRORS = f"{AUTO} MAXERROR 100000"


def loaded(copying: Copying, declared: str, value: str, options: str = "") -> Any:
    """What becomes of a raw JSON value: the text that lands, or the code of its error."""
    copying.put("data/1", f'{{"c": {value}}}')
    loading = copying.begin([column(declared)], f"{ERRORS} {options}")
    rows = copying.landed(loading, [column(declared)])
    return rows[0][0] if rows else loading.errors[0].code


@pytest.mark.parametrize("compression", ["", "GZIP", "ZSTD"])
def test_objects_one_after_the_other(copying: Copying, compression: str) -> None:
    """copy-usage_notes-copy-from-json.html: no array around them, no matter which white space;
    copy-parameters-file-compression.html"""
    text = b'{"id": 1}\n{\n  "id": 2\n}  {"id":3}\n\n{"other": 4}\n{}'
    copying.put("data/1", compressed(text, compression))
    target = columns(id="int8")
    landed = copying.rows(target, f"{AUTO} {compression}")
    assert landed == [("1",), ("2",), ("3",), (None,), (None,)]


def compressed(text: bytes, compression: str) -> bytes:
    if compression == "GZIP":
        return gzip.compress(text[:10]) + gzip.compress(text[10:])
    return pa.compress(text, "zstd", asbytes=True) if compression else text


@pytest.mark.parametrize("compression", ["GZIP", "ZSTD"])
def test_what_is_not_compressed(copying: Copying, compression: str) -> None:
    copying.put("data/1", '{"id": 1}')
    with pytest.raises(Refusal, match=r"is not in \w+ format"):
        drained(copying.begin(columns(id="int8"), f"{AUTO} {compression}"))


def test_members_go_by_the_columns_names(copying: Copying) -> None:
    """copy-usage_notes-copy-from-json.html: 'auto' tells cases apart, and names are lower case;
    'auto ignorecase' does not."""
    copying.put("data/1", '{"ID": 1, "b": "x", "More": [], "a\\"b": 2}')
    target = columns(id="int8", b="varchar(9)")
    assert copying.rows(target, AUTO) == [(None, "x")]
    assert copying.rows(target, "FORMAT JSON 'auto ignorecase'") == [("1", "x")]


def test_noshred(copying: Copying) -> None:
    """ingest-super.html#copy_json-one-column"""
    copying.put("data/1", '{"a": 1.50}\n{"B": [ true ]}')
    target = columns(document="super")
    assert copying.rows(target, "JSON 'noshred'") == [('{"a":1.50}',), ('{"B":[true]}',)]
    with pytest.raises(Refusal, match="single SUPER column"):
        drained(copying.begin(columns(document="varchar"), "JSON 'noshred'"))


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        *((type_, "null", None) for type_ in ("varchar(9)", "super", "int8", "bool", "date")),
        ("varchar(9)", '"é\\n\\u00e9"', "é\né"),
        ("varchar(9)", "1.50", "1.50"),
        ("varchar(9)", "true", "true"),
        ("varchar(9)", '[1, {"a": 2}]', 1204),
        ("varchar(99)", '[1, {"a": 2}]', '[1, {"a": 2}]'),
        ("varchar(9)", '""', ""),
        ("varchar(3)", '"éé"', 1204),
        ("varchar(9)", '"\\u0000"', 1220),
        ("varchar(9)", '"\\ud800"', 1224),
        ("varchar(9) not null", "null", 1213),
        ("char(3)", '"abc"', "abc"),
        ("char(3)", '"abcd"', 1204),
        ("char(3)", '"é"', 1215),
        ("super", '{"b": 1.500, "a": 1e400}', '{"b":1.500,"a":1e400}'),
        ("super", '"a , b \\u0000"', '"a , b \\u0000"'),
        ("super", '[ " a " , [ ] ]', '[" a ",[]]'),
        ("super", json.dumps("x" * 65_536), 1224),
        ("super", "[" * 900 + "]" * 900, "[" * 900 + "]" * 900),
        ("super", "[" * 1001 + "]" * 1001, 1224),
        ("int2", "32767", "32767"),
        ("int2", "32768", 1222),
        ("int4", '"-12"', "-12"),
        ("int8", '""', None),
        ("int8", "1.5", 1207),
        ("int8", '"x"', 1207),
        ("int8", "9223372036854775808", 1222),
        ("float8", "1e300", "1e+300"),
        ("float8", '"x"', 1208),
        ("float4", "1.5", "1.5"),
        ("float4", "1e300", 1204),
        ("numeric(5,2)", "20.259", "20.25"),
        ("numeric(5,2)", "-0.999", "-0.99"),
        ("numeric(5,2)", '"999.999"', "999.99"),
        ("numeric(5,2)", "1000", 1204),
        ("numeric(5,2)", '"1,5"', 1209),
        ("numeric(38,0)", "9" * 38, "9" * 38),
        ("numeric(38,37)", "9." + "9" * 37, "9." + "9" * 37),
        ("bool", "true", "true"),
        ("bool", '"f"', "false"),
        ("bool", "1", "true"),
        ("bool", '"maybe"', 1210),
        ("date", '"2026-02-28"', "2026-02-28"),
        ("date", '"2026-02-30"', 1205),
        ("date", '"28.02.2026"', 1205),
    ],
)
def test_values(copying: Copying, declared: str, value: str, expected: object) -> None:
    """r_Load_Error_Reference.html; copy-usage_notes-copy-from-json.html: nested values become
    text; copy-parameters-data-conversion.html#copy-roundec: decimals are cut."""
    assert loaded(copying, declared, value) == expected


@pytest.mark.parametrize(
    ("type_", "options", "value", "expected"),
    [
        ("timestamp", "", "2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("timestamp", "", "2026-01-02 03:04:05.123456", "2026-01-02 03:04:05.123456"),
        ("timestamp", "", "2026-01-02T03:04:05", 1206),
        ("timestamp", "", "2026-13-02 03:04:05", 1206),
        ("timestamptz", "", "2026-01-02 03:04:05+02", "2026-01-02 01:04:05+00"),
        ("timestamptz", "", "2026-01-02 03:04:05-8:00", "2026-01-02 11:04:05+00"),
        ("timestamptz", "", "2026-01-02 03:04:05", 1206),
        ("timestamptz", "", "2026-01-02T03:04:05Z", 1206),
        ("timestamptz", "TIMEFORMAT 'auto'", "2026-01-02T03:04:05.5Z", "2026-01-02 03:04:05.5+00"),
        ("timestamptz", "TIMEFORMAT 'auto'", "2026-01-02 03:04:05", "2026-01-02 03:04:05+00"),
        ("timestamptz", "TIMEFORMAT 'auto'", "2026-01-02T03:04:05+0530", "2026-01-01 21:34:05+00"),
        ("timestamp", "TIMEFORMAT 'auto'", "2026-01-02T03:04:05+05:30", "2026-01-02 03:04:05"),
        ("timestamp", "TIMEFORMAT 'auto'", "2026-01-02", "2026-01-02 00:00:00"),
        ("timestamp", "TIMEFORMAT 'auto'", "1767323045", 1206),
        ("timestamp", "TIMEFORMAT 'epochsecs'", "1767323045", "2026-01-02 03:04:05"),
        ("timestamptz", "TIMEFORMAT 'epochmillisecs'", "-1", "1969-12-31 23:59:59.999+00"),
        ("timestamp", "TIMEFORMAT 'epochmillisecs'", "soon", 1206),
        ("timestamp", "TIMEFORMAT 'DD.MM.YYYY HH24:MI'", "02.01.2026 3:04", "2026-01-02 03:04:00"),
        ("date", "DATEFORMAT 'MM/DD/YYYY'", "01/02/2026", "2026-01-02"),
        ("date", "DATEFORMAT 'auto'", "2026-01-02T03:04:05Z", "2026-01-02"),
    ],
)
def test_times(copying: Copying, type_: str, options: str, value: str, expected: object) -> None:
    """r_DATEFORMAT_and_TIMEFORMAT_strings.html, automatic-recognition.html"""
    assert loaded(copying, type_, json.dumps(value), options) == expected


def test_formats_that_are_not_covered(copying: Copying) -> None:
    copying.put("data/1", '{"c": "Jan-02-2026"}')
    with pytest.raises(Refusal, match="not covered"):
        drained(copying.begin([column("date")], f"{AUTO} DATEFORMAT 'MON-DD-YYYY'"))
    with pytest.raises(Refusal, match="VARBYTE"):
        drained(copying.begin([column("varbyte(9)")], AUTO))


@pytest.mark.parametrize(
    ("options", "declared", "value", "destroyed"),
    [
        ("TRUNCATECOLUMNS", "varchar(4)", '"aééé"', "aé"),
        ("TRUNCATECOLUMNS", "char(2)", '"abc"', "ab"),
        ("EMPTYASNULL", "varchar(4)", '""', None),
        ("EMPTYASNULL", "varchar(4) not null", '""', 1213),
        ("EMPTYASNULL", "varchar(4)", '" "', " "),
        ("BLANKSASNULL", "varchar(4)", '"  "', None),
        ("EMPTYASNULL BLANKSASNULL", "super", '""', '""'),
        ("", "varchar(4)", '""', ""),
    ],
)
def test_what_options_destroy(
    copying: Copying, options: str, declared: str, value: str, destroyed: object
) -> None:
    """copy-parameters-data-conversion.html"""
    assert loaded(copying, declared, value, options) == destroyed


def test_invalid_utf8(copying: Copying) -> None:
    """copy-parameters-data-conversion.html#copy-acceptinvchars"""
    copying.put("data/1", b'{"a": "x\xff", "b": ["\xff"]}\n{"a": "good"}')
    loading = copying.begin(columns(a="varchar(9)"), ERRORS)
    assert copying.landed(loading, columns(a="varchar(9)")) == [("good",)]
    assert [(error.line, error.code) for error in loading.errors] == [(1, 1220)]
    target = columns(a="varchar(9)")
    assert copying.rows(target, f"{AUTO} ACCEPTINVCHARS '_'") == [("x_",), ("good",)]
    documents = copying.begin(columns(b="super"), f"{AUTO} ACCEPTINVCHARS")
    with pytest.raises(Refusal, match="Load into table"):
        drained(documents)


def test_objects_beyond_four_megabytes(copying: Copying) -> None:
    """ingest-super.html#copy_json-from-JSON: the most before shredding."""
    fields = {f"f{number}": "x" * 60_000 for number in range(69)}
    rest = 4 * 2**20 - len(json.dumps(fields)) - len(', "z": ""')
    largest = json.dumps({**fields, "z": "x" * rest})
    assert len(largest) == 4 * 2**20
    copying.put("data/1", "\n".join(['{"f1": 1}', largest, largest[:-2] + 'x"}', '{"f1": 2}']))
    loading = copying.begin(columns(f1="varchar(65535)"), ERRORS)
    landed = copying.landed(loading, columns(f1="varchar(65535)"))
    assert landed == [("1",), ("x" * 60_000,), ("2",)]
    assert [(error.line, error.code) for error in loading.errors] == [(3, 1224)]


def test_errors_of_a_large_file_name_their_lines(copying: Copying) -> None:
    lines = [json.dumps({"id": n, "text": "x" * 500}) for n in range(20_000)]
    lines[7], lines[9_999], lines[15_000] = '{"id": "a"}', '{"id": 1', '{"id": 1.5}'
    copying.put("data/1", gzip.compress("\n".join(lines).encode(), 1))
    loading = drained(copying.begin(columns(id="int8"), f"{ERRORS} GZIP"))
    assert [error.line for error in loading.errors] == [8, 10_000, 15_001]
    assert loading.rows == 19_997
