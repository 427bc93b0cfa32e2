"""COPY of Parquet files: which columns go into which, and what they may hold."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from batch_exports.local.redshift.refusal import Refusal
from batch_exports_tests.local.redshift.copying import Copying, column, columns, drained, parquet

PARQUET = "FORMAT AS PARQUET SERIALIZETOJSON"
TIME = datetime(2026, 3, 29, 1, 2, 3, 456789)
BERLIN = timezone(timedelta(hours=2))


def test_all_types_at_once(copying: Copying) -> None:
    """copy-usage_notes-copy-from-columnar.html: by position; the files' names mean nothing."""
    cases: list[tuple[str, pa.Array, str]] = [
        ("int2", pa.array([-(2**15)], pa.int16()), "-32768"),
        ("int2", pa.array([7], pa.int32()), "7"),
        ("int4", pa.array([2**31 - 1], pa.int32()), "2147483647"),
        ("int8", pa.array([-(2**63)], pa.int64()), str(-(2**63))),
        ("bool", pa.array([True]), "true"),
        ("float4", pa.array([1.5], pa.float32()), "1.5"),
        ("float8", pa.array([1e300], pa.float64()), "1e+300"),
        ("date", pa.array([date(1969, 7, 20)]), "1969-07-20"),
        (
            "numeric(38,9)",
            pa.array([Decimal("-1.000000001")], pa.decimal128(38, 9)),
            "-1.000000001",
        ),
        ("varchar(5)", pa.array(["ab é"]), "ab é"),
        ("varchar(5)", pa.array(["x"]).dictionary_encode(), "x"),
        ("varchar(5)", pa.array(["x"], pa.large_string()), "x"),
        ("varchar(5)", pa.array([b"\xc3\xa9"]), "é"),
        ("char(3)", pa.array(["abc"]), "abc"),
        ("varbyte(3)", pa.array([b"\0\xff"]), "\\x00ff"),
        ("varbyte(3)", pa.array(["é"]), "\\xc3a9"),
        ("timestamp", pa.array([TIME]), "2026-03-29 01:02:03.456789"),
        ("timestamp", pa.array([TIME], pa.timestamp("ns")), "2026-03-29 01:02:03.456789"),
        ("timestamp", pa.array([TIME], pa.timestamp("ms")), "2026-03-29 01:02:03.456"),
    ]
    table = pa.table([array for _, array, _ in cases], [f"n{i}" for i in range(len(cases))])
    target = [column(declared, f"c{index}") for index, (declared, *_) in enumerate(cases)]
    copying.put("data/1", parquet(table, version="2.6"))
    assert copying.rows(target, PARQUET) == [tuple(shown for *_, shown in cases)]
    nothing = pa.table([pa.nulls(2, array.type) for _, array, _ in cases], table.column_names)
    copying.put("data/1", parquet(nothing, version="2.6"))
    assert copying.rows(target, PARQUET) == [(None,) * len(cases)] * 2


def decimals(*values: str) -> pa.Array:
    return pa.array([Decimal(value) for value in values], pa.decimal128(18, 2))


@pytest.mark.parametrize("type_", ["timestamp", "timestamptz"])
@pytest.mark.parametrize(
    "values",
    [
        pa.array([TIME.replace(tzinfo=UTC)], pa.timestamp("us", "UTC")),
        pa.array([TIME.replace(tzinfo=UTC).astimezone(BERLIN)], pa.timestamp("us", "+02:00")),
        pa.array([TIME], pa.timestamp("us")),
    ],
)
def test_times_lose_their_zone(copying: Copying, type_: str, values: pa.Array) -> None:
    """https://github.com/aws/aws-sdk-pandas/issues/2413: what stays is the clock in UTC."""
    copying.put("data/1", parquet({"t": values}))
    (row,) = copying.rows([column(type_)], PARQUET)
    assert str(row[0]).removesuffix("+00") == "2026-03-29 01:02:03.456789"


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("int4", pa.array(["1"])),
        ("int4", pa.array([1], pa.int64())),
        ("int8", pa.array([1], pa.int32())),
        ("varchar(9)", pa.array([1])),
        ("varchar(9)", pa.array([["a"]])),
        ("varchar(9)", pa.array([{"a": 1}])),
        ("timestamp", pa.array([1])),
        ("timestamp", pa.array(["2026-01-01 00:00:00"])),
        ("date", pa.array([TIME])),
        ("float8", pa.array([1.0], pa.float32())),
        ("numeric(18,2)", pa.array([1.0])),
        ("numeric(18,2)", pa.array([Decimal("1.000")], pa.decimal128(18, 3))),
        ("numeric(9,2)", pa.array([Decimal("1.00")], pa.decimal128(18, 2))),
        ("bool", pa.array([1], pa.int8())),
    ],
)
def test_incompatible_columns(copying: Copying, declared: str, values: pa.Array) -> None:
    """c-spectrum-data-files.html, and reports such as
    https://github.com/aws/amazon-redshift-python-driver/issues/107"""
    copying.put("data/1", parquet({"its": values}))
    detail = refused(copying, declared, "Spectrum Scan Error")
    assert "code:      15007" in detail
    assert "has an incompatible Parquet schema for column 's3://" in detail
    assert ".its'. Column type: " in detail


def refused(copying: Copying, declared: str, message: str, options: str = PARQUET) -> str:
    """The detail of the error that ends the COPY."""
    with pytest.raises(Refusal, match=message) as raised:
        drained(copying.begin([column(declared)], options))
    assert raised.value.code == "XX000"
    return str(raised.value.detail)


@pytest.mark.parametrize("width", [1, 3])
def test_as_many_columns(copying: Copying, width: int) -> None:
    """copy-usage_notes-copy-from-columnar.html: the number of columns must match."""
    copying.put("data/1", parquet({f"c{n}": [n] for n in range(width)}))
    with pytest.raises(Refusal, match="Spectrum Scan Error") as raised:
        drained(copying.begin(columns(a="int8", b="int8"), PARQUET))
    assert f"Table columns: 2, Data columns: {width}, File name: " in str(raised.value.detail)


@pytest.mark.parametrize(
    ("declared", "values", "code", "detail"),
    [
        ("varchar(3)", pa.array(["abc", "éé"]), 1204, "Table: 3, Data: 4, File name: s3://"),
        ("varchar(3)", pa.array(["abc", "éé"]).dictionary_encode(), 1204, "longer than the length"),
        ("varbyte(1)", pa.array([b"1", b"22"]), 1204, "Table: 1, Data: 2, File name: s3://"),
        ("char(1)", pa.array(["a", "é"]), 1215, "Multibyte character not supported"),
        ("varchar(9)", pa.array(["a", "\0"]), 1220, "invalid or unsupported UTF8"),
        ("varchar(9)", pa.array([b"a", b"\xff"]), 1220, "invalid or unsupported UTF8"),
        ("int2", pa.array([1, 2**15], pa.int32()), 1222, "Integer value overflow"),
        ("numeric(17,2)", decimals("1.00", "1000000000000000.00"), 1204, "Overflow for NUMERIC"),
        ("timestamp", pa.array([0, -(2**62)]).cast(pa.timestamp("us")), 1206, "out of range"),
        ("date", pa.array([0, -(2**31)], pa.int32()).cast(pa.date32()), 1205, "out of range"),
        ("int8 not null", pa.array([1, None]), 1213, "NULL value into column c"),
    ],
)
def test_values_that_do_not_fit(
    copying: Copying, declared: str, values: pa.Array, code: int, detail: str
) -> None:
    """copy-usage_notes-copy-from-columnar.html: any error ends the load, and some are in
    STL_LOAD_ERRORS; r_Character_types.html: lengths are in bytes."""
    copying.put("data/1", parquet({"its": values}))
    loading = copying.begin([column(declared)], PARQUET)
    with pytest.raises(Refusal) as raised:
        drained(loading)
    assert raised.value.code == "XX000"
    assert detail in str(raised.value.detail)
    (error,) = loading.errors
    assert (error.uri, error.column, error.code) == (copying.uri("data/1"), "c", code)


def test_decimals_of_the_same_width(copying: Copying) -> None:
    """https://github.com/G-Research/ParquetSharp/issues/252: a decimal's length in bytes must be
    that of the column's precision."""
    copying.put("data/1", parquet({"d": decimals("-1.25", "999999999999999.99")}))
    landed = copying.rows([column("numeric(17,2)")], PARQUET)
    assert landed == [("-1.25",), ("999999999999999.99",)]


DOCUMENTS = [{"a": [1, None], "b": 'x"y'}, None]


def test_nested_columns_become_super(copying: Copying) -> None:
    """ingest-super.html#copy_json-from-parquet-orc"""
    table = pa.table(
        {
            "struct": pa.array(DOCUMENTS),
            "list": pa.array([["a", None], []]),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "number": pa.array([1.5, None]),
        }
    )
    copying.put("data/1", parquet(table))
    target = columns(struct="super", list="super", map="super", number="super")
    first, second = copying.rows(target, PARQUET)
    assert [json.loads(str(value)) for value in first] == [
        *(DOCUMENTS[0], ["a", None], {"k": 1}, 1.5),
    ]
    assert second == (None, "[]", None, None)


@pytest.mark.parametrize("values", [pa.array(["{}"]), pa.array([{"a": 1}]), pa.array([[1]])])
def test_super_needs_serializetojson(copying: Copying, values: pa.Array) -> None:
    """ingest-super.html#copy_json-from-parquet-orc; the error is that of
    https://openillumi.com/en/en-redshift-parquet-copy-invalid-type-4000-fix"""
    copying.put("data/1", parquet({"c": values}))
    detail = refused(copying, "super", "Assert", "FORMAT AS PARQUET")
    assert "Unreachable - Invalid type: 4000" in detail


def test_text_is_not_parsed(copying: Copying) -> None:
    """ingest-super.html#parse_json: without JSON_PARSE a document is a single string."""
    document = '{"a": "\\u00e9"}'
    copying.put("data/1", parquet({"c": pa.array([document, 'say "é"\n\\', "", None])}))
    landed = copying.rows([column("super")], PARQUET)
    assert [row[0] and json.loads(row[0]) for row in landed] == [document, 'say "é"\n\\', "", None]


@pytest.mark.parametrize(
    ("value", "large_strings", "fits"),
    [
        ("x" * 65_535, False, True),
        ("é" * 32_768, False, False),
        (["x" * 65_535, "\n" * 65_535], False, True),
        (["x" * 65_535, "x" * 65_536], False, False),
        ({"x" * 65_536: 1}, False, False),
        ("x" * 65_536, True, True),
        ("x" * 16_000_000, True, True),
        ("x" * 16_000_001, True, False),
        (["x" * 65_000] * 250, False, True),
        (["x" * 65_000] * 260, False, False),
        ("a\0b", False, True),
    ],
)
def test_limits_of_super(copying: Copying, value: object, large_strings: bool, fits: bool) -> None:
    """limitations-super.html: 16 MB, and 65,535 bytes a string, or 16,000,000 by opt-in."""
    shape = pa.map_(pa.string(), pa.int64()) if isinstance(value, dict) else None
    values = pa.array([list(value.items()) if isinstance(value, dict) else value], shape)
    copying.put("data/1", parquet({"c": values}, compression="zstd"))
    loading = copying.begin([column("super")], PARQUET, large_strings=large_strings)
    if fits:
        assert drained(loading).rows == 1
    else:
        with pytest.raises(Refusal, match="Spectrum Scan Error"):
            drained(loading)
        assert loading.errors[0].code == 1224


def test_a_long_document_as_varbyte(copying: Copying) -> None:
    """r_VARBYTE_type.html: up to 16,777,216 bytes, which JSON_PARSE takes."""
    copying.put("data/1", parquet({"c": [b"x" * 16_777_216]}, compression="zstd"))
    assert drained(copying.begin([column("varbyte(16777216)")], PARQUET)).rows == 1


def test_what_acceptinvchars_destroys(copying: Copying) -> None:
    """copy-parameters-data-conversion.html#copy-acceptinvchars: equal length; columnar COPY takes
    it."""
    copying.put("data/1", parquet({"c": [b"a\xff\xc3\xa9\xe4\xbc"]}))
    target = [column("varchar(9)")]
    assert copying.rows(target, f"{PARQUET} ACCEPTINVCHARS") == [("a?é??",)]
    assert copying.rows(target, f"{PARQUET} ACCEPTINVCHARS AS '^'") == [("a^é^^",)]


def test_what_is_no_parquet(copying: Copying) -> None:
    copying.put("data/1", '{"id": 1}')
    assert "15001" in refused(copying, "int8", "Spectrum Scan Error")


def test_no_rows(copying: Copying) -> None:
    copying.put("data/1", parquet({"id": pa.array([], pa.int64())}))
    copying.put("data/2", parquet({"id": [1]}))
    loading = copying.begin([column("int8")], PARQUET)
    assert copying.landed(loading, [column("int8")]) == [("1",)]
    assert [file.rows for file in loading.files] == [0, 1]


def test_many_row_groups_of_many_rows(copying: Copying) -> None:
    table = pa.table({"id": range(100_000), "text": [f"é{n}" * 20 for n in range(100_000)]})
    copying.put("data/1", parquet(table, row_group_size=30_000, compression="zstd"))
    target = columns(id="int8", text="varchar(200)")
    landed = copying.rows(target, PARQUET)
    assert landed == [(str(n), f"é{n}" * 20) for n in range(100_000)]
