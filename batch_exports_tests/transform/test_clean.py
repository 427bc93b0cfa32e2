"""Every row is delivered or set aside, with its original bytes."""

import re
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.errors import Terminal
from batch_exports.models import JSON
from batch_exports.transform import jsonb
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import (
    BEYOND_NUMERIC,
    LONE_SURROGATE,
    MISSING,
    NOT_JSON,
    NOT_UTF8,
    NUL,
    TOO_DEEP,
    TOO_LARGE,
    Cleaned,
    aside_schema,
    clean,
)
from batch_exports.transform.limits import NOT_FINITE

LINES = Capabilities(parses_json=True, years=(1, 9999))
ANY_TEXT = Capabilities(parses_json=False)
REPLACE, REJECT, FAIL = OnUnrepresentable
TIME = pa.timestamp("us", "UTC")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
YEARS = "lies outside the years 1 to 9999"
SCHEMA = pa.schema(
    [
        pa.field("uuid", pa.string(), nullable=False),
        pa.field("event", pa.string()),
        pa.field("properties", JSON),
        pa.field("timestamp", TIME),
        pa.field("team_id", pa.int64()),
    ]
)
# One value of each kind: what it holds, what becomes of it, and the finding that tells why.
TEXTS = [(b"good", b"good", None), (b"a\xffb", "a\ufffdb".encode(), NOT_UTF8), (None, None, None)]
DOCUMENTS = [
    (b'{"a":1.10}', b'{"a":1.10}', None),
    (None, None, None),
    (rb'"\ud800"', rb'"\ufffd"', LONE_SURROGATE),
    (b'"\xff"', '"\ufffd"'.encode(), NOT_UTF8),
    (b"{", None, NOT_JSON),
    (b"", None, NOT_JSON),
]
FIRST = -62_135_596_800_000_000  # the beginning of year 1
END = 253_402_300_800_000_000  # the beginning of year 10000
TIMES = [(0, None), (None, None), (FIRST, None), (FIRST - 1, YEARS), (END - 1, None), (END, YEARS)]


def text(values: list[bytes | None]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def batch(rows: list[tuple[Any, Any, Any]]) -> pa.RecordBatch:
    events, documents, times = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.RecordBatch.from_arrays(
        [
            pa.array([f"row {number}" for number in range(len(rows))], pa.string()),
            text([event[0] for event in events]),
            pa.ExtensionArray.from_storage(JSON, text([document[0] for document in documents])),
            pa.array([time[0] for time in times], pa.int64()).cast(TIME),
            pa.array(range(len(rows)), pa.int64()),
        ],
        schema=SCHEMA,
    )


def raw(column: pa.Array) -> list[Any]:
    storage = column.storage if column.type.equals(JSON) else column
    if pa.types.is_timestamp(storage.type):
        return list(storage.cast(pa.int64()).to_pylist())
    return list(storage.cast(pa.binary()).to_pylist())


ROWS = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(DOCUMENTS), st.sampled_from(TIMES)),
    max_size=8,
)


@given(ROWS, st.sampled_from([REPLACE, REJECT]), st.integers(0, 3))
def test_every_row_is_delivered_or_rejected(
    rows: list[Any], policy: OnUnrepresentable, offset: int
) -> None:
    given = batch([(TEXTS[1], DOCUMENTS[4], TIMES[0])] * offset + rows)[offset:]
    cleaned = clean(given, LINES, policy, ["uuid"])
    findings = [
        (number, column, reason)
        for number, (event, document, time) in enumerate(rows)
        for column, reason in (
            ("event", event[2]),
            ("properties", document[2]),
            ("timestamp", time[1]),
        )
        if reason
    ]
    mends = {NOT_UTF8, LONE_SURROGATE} if policy is REPLACE else set()
    rejected = {number for number, _, reason in findings if reason not in mends}
    changed = {number for number, _, _ in findings} - rejected
    delivered = [number for number in range(len(rows)) if number not in rejected]

    assert (cleaned.replaced, cleaned.rejected) == (len(changed), len(rejected))
    assert cleaned.batch.schema.equals(SCHEMA)
    cleaned.batch.validate(full=True)
    assert cleaned.batch["team_id"].to_pylist() == [offset + number for number in delivered]
    assert raw(cleaned.batch["event"]) == [rows[number][0][1] for number in delivered]
    assert raw(cleaned.batch["properties"]) == [rows[number][1][1] for number in delivered]
    assert raw(cleaned.batch["timestamp"]) == [rows[number][2][0] for number in delivered]
    assert aside_of(cleaned) == sorted(
        (
            offset + number,
            "rejected" if reason not in mends else "replaced",
            column,
            reason,
            rows[number][0][0],
            rows[number][1][0],
            rows[number][2][0],
        )
        for number, column, reason in findings
    )


def aside_of(cleaned: Cleaned) -> list[Any]:
    """The findings with the originals of their rows; none must not be an empty batch."""
    aside = cleaned.aside
    if aside is None:
        return []
    assert aside.num_rows
    assert aside.schema.equals(aside_schema(SCHEMA))
    columns = [
        aside["team_id"].to_pylist(),
        *(aside[name].to_pylist() for name in ("_action", "_column", "_reason")),
        raw(aside["event"]),
        raw(aside["properties"]),
        raw(aside["timestamp"]),
    ]
    return sorted(zip(*columns, strict=True))


def test_one_row_of_several_findings_is_counted_once() -> None:
    cleaned = clean(batch([(TEXTS[1], DOCUMENTS[2], TIMES[3])]), LINES, REPLACE, ["uuid"])
    assert (cleaned.replaced, cleaned.rejected, cleaned.batch.num_rows) == (0, 1, 0)
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [NOT_UTF8, LONE_SURROGATE, YEARS]
    both = clean(batch([(TEXTS[1], DOCUMENTS[2], TIMES[0])]), LINES, REPLACE, ["uuid"])
    assert (both.replaced, both.rejected, both.batch.num_rows) == (1, 0, 1)


def test_bad_bytes_and_a_lone_surrogate_in_one_value() -> None:
    document = (b'"\xff\\ud800"', None, None)
    cleaned = clean(batch([(TEXTS[0], document, TIMES[0])]), LINES, REPLACE, ["uuid"])
    assert raw(cleaned.batch["properties"]) == ['"\ufffd\\ufffd"'.encode()]
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [NOT_UTF8, LONE_SURROGATE]
    assert raw(cleaned.aside["properties"]) == [document[0]] * 2


def test_destinations_that_hold_any_text_take_it_as_it_is() -> None:
    rows = [(TEXTS[0], document, TIMES[5]) for document in (DOCUMENTS[2], DOCUMENTS[4])]
    given = batch(rows)
    assert clean(given, ANY_TEXT, REPLACE, ["uuid"]) == Cleaned(given)
    # UTF-8 it must be everywhere.
    assert clean(batch([(TEXTS[0], DOCUMENTS[3], TIMES[0])]), ANY_TEXT, REPLACE, []).replaced == 1


@pytest.mark.parametrize("policy", list(OnUnrepresentable))
def test_good_rows_pass_untouched(policy: OnUnrepresentable) -> None:
    for good in (batch([(TEXTS[0], DOCUMENTS[0], TIMES[0])] * 3), batch([])):
        assert clean(good, LINES, policy, ["uuid"]) == Cleaned(good)


def test_fail_names_the_first_row_and_its_column() -> None:
    rows = [(TEXTS[0], DOCUMENTS[0], TIMES[0]), (TEXTS[0], DOCUMENTS[2], TIMES[0])]
    with pytest.raises(Terminal) as caught:
        clean(batch([*rows, (TEXTS[1], DOCUMENTS[4], TIMES[3])]), LINES, FAIL, ["uuid"])
    assert "properties of the row {'uuid': b'row 1'} has an escaped" in caught.value.message
    assert "on_unrepresentable" in caught.value.remedy


@pytest.mark.parametrize("policy", [REPLACE, REJECT])
def test_null_where_none_may_be_is_rejected(policy: OnUnrepresentable) -> None:
    """Parquet's required columns hold no NULL; without this the whole interval would fail."""
    given = batch([(TEXTS[0], DOCUMENTS[0], TIMES[0])] * 3)
    given = pa.RecordBatch.from_arrays(
        [pa.array(["a", None, "c"]), *given.columns[1:]], schema=SCHEMA
    )
    cleaned = clean(given, ANY_TEXT, policy, ["uuid"])
    assert cleaned.batch["uuid"].to_pylist() == ["a", "c"]
    assert (cleaned.replaced, cleaned.rejected) == (0, 1)
    assert cleaned.aside is not None
    assert cleaned.aside.select(["_column", "_reason", "team_id"]).to_pylist() == [
        {"_column": "uuid", "_reason": MISSING, "team_id": 1}
    ]
    with pytest.raises(Terminal, match=r"uuid of the row \{'uuid': None\} is missing"):
        clean(given, ANY_TEXT, FAIL, ["uuid"])


NARROW = Capabilities(
    parses_json=True,
    jsonb=True,
    holds_nul=False,
    holds_nan=False,
    years=(-4712, 294_276),
    characters={"event": 3, "urls": 3},
    integers={"team_id": (-5, 5)},
    required=frozenset({"event"}),
)
NARROW_SCHEMA = pa.schema(
    [
        pa.field("team_id", pa.int64()),
        pa.field("event", pa.string()),
        pa.field("urls", pa.list_(pa.string())),
        pa.field("properties", JSON),
        pa.field("timestamp", TIME),
        pa.field("vitals_lcp", pa.float64()),
    ]
)


def narrow(**values: Any) -> pa.RecordBatch:
    """One row, of good values but for the given ones."""
    row = {"team_id": 1, "event": b"abc", "urls": [b"a", None], "properties": b"{}", **values}
    urls = pa.array([row["urls"]], pa.list_(pa.binary()))
    columns = [
        pa.array([row["team_id"]], pa.int64()),
        text([row["event"]]),
        pa.ListArray.from_arrays(urls.offsets, urls.values.view(pa.string()), mask=urls.is_null()),
        pa.ExtensionArray.from_storage(JSON, text([row["properties"]])),
        pa.array([row.get("timestamp", 0)], pa.int64()).cast(TIME),
        pa.array([row.get("vitals_lcp", 0.5)], pa.float64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=NARROW_SCHEMA)


def storage(values: pa.Array) -> pa.Array:
    return values.storage if values.type.equals(JSON) else values


@pytest.mark.parametrize(
    ("column", "value", "mended", "reasons"),
    [
        ("event", b"a\0b", "a\ufffdb", [NUL]),
        ("event", b"\xff\0", "\ufffd\ufffd", [NOT_UTF8, NUL]),
        ("urls", [b"\0", None, b"\0b"], ["\ufffd", None, "\ufffdb"], [NUL]),
        ("urls", [b"a", b"\xff", b"\0"], ["a", "\ufffd", "\ufffd"], [NOT_UTF8, NUL]),
        ("properties", rb'{"\u0000":"\\u0000"}', r'{"\ufffd":"\\u0000"}', [NUL]),
        ("properties", rb'["\ud800\u0000"]', r'["\ufffd\ufffd"]', [LONE_SURROGATE, NUL]),
    ],
)
def test_what_is_replaced(column: str, value: Any, mended: Any, reasons: list[str]) -> None:
    row = narrow(**{column: value})
    cleaned = clean(row, NARROW, REPLACE, ["team_id"])
    assert (cleaned.replaced, cleaned.rejected) == (1, 0)
    assert storage(cleaned.batch[column]).to_pylist() == [mended]
    others = [name for name in NARROW_SCHEMA.names if name != column]
    assert cleaned.batch.select(others) == row.select(others)
    assert cleaned.aside is not None
    assert cleaned.aside.schema == aside_schema(NARROW_SCHEMA)
    assert cleaned.aside["_reason"].to_pylist() == reasons
    assert cleaned.aside[column].to_pylist() == [value] * len(reasons)
    assert clean(row, NARROW, REJECT, ["team_id"]).rejected == 1
    with pytest.raises(Terminal, match="'team_id': 1"):
        clean(row, NARROW, FAIL, ["team_id"])


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("policy", [REPLACE, REJECT])
@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("event", None, MISSING),
        ("event", "éééé".encode(), "has 4 characters, and the column takes 3"),
        ("event", b"abc ", "has 4 characters, and the column takes 3"),
        ("urls", [b"a", b"abcde", b"bcdef"], "has 5 characters, and the column takes 3"),
        ("team_id", 6, "lies outside -5 to 5"),
        ("team_id", -(2**63), "lies outside -5 to 5"),
        ("timestamp", -(2**63), "lies outside the years -4712 to 294276"),
        ("vitals_lcp", float("nan"), NOT_FINITE),
        ("vitals_lcp", float("-inf"), NOT_FINITE),
        ("properties", b"{", NOT_JSON),
        ("properties", b'"\0"', NOT_JSON),
        ("properties", DEEP, TOO_DEEP),
        ("properties", rb'["\ud800\u0000",' + DEEP + b"]", TOO_DEEP),
        ("properties", b"1e131072", BEYOND_NUMERIC),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_rejected(column: str, value: Any, reason: str, policy: OnUnrepresentable) -> None:
    good, bad = narrow(), narrow(**{column: value})
    rows = pa.RecordBatch.from_arrays(
        [pa.concat_arrays(list(pair)) for pair in zip(good, bad, strict=True)],
        schema=NARROW_SCHEMA,
    )
    cleaned = clean(rows, NARROW, policy, ["team_id"])
    assert (cleaned.replaced, cleaned.rejected) == (0, 1)
    assert cleaned.batch == good
    assert cleaned.aside is not None
    assert cleaned.aside.select(["_action", "_column", "_reason"]).to_pylist() == [
        {"_action": "rejected", "_column": column, "_reason": reason}
    ]
    assert cleaned.aside.schema == aside_schema(NARROW_SCHEMA)


def test_json_that_is_too_large_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_LONG", 10), ("_SURELY_SMALL", 10), ("MOST_BYTES", 100)):
        monkeypatch.setattr(jsonb, name, size)
    cleaned = clean(narrow(properties=b'"' + b"a" * 99 + b'"'), NARROW, REPLACE, ["team_id"])
    assert cleaned.rejected == 1
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [TOO_LARGE]


def test_what_fits_passes_untouched() -> None:
    values: list[dict[str, Any]] = [
        {},
        {"event": "éé€".encode(), "team_id": 5, "urls": None, "timestamp": None},
        {"urls": [], "properties": None, "team_id": None, "vitals_lcp": None},
        {"timestamp": 2**63 - 1, "team_id": -5, "properties": b"[" * 500 + b"]" * 500},
    ]
    for row in values:
        assert clean(narrow(**row), NARROW, REPLACE, ["team_id"]) == Cleaned(narrow(**row))
    hostile = narrow(event=b"a\0bc", properties=rb'{"a":"\u0000","b":1e131072}', team_id=6)
    assert clean(hostile, LINES, REPLACE, ["team_id"]) == Cleaned(hostile)


def test_lists_beside_others_keep_their_places() -> None:
    lists = [[b"a", b"\0"], None, [], [b"\0b", None], [b"c"]]
    given = pa.concat_arrays([narrow(urls=urls)["urls"] for urls in [[b"z"], *lists]])
    batch = pa.record_batch({"urls": given, "n": [0, 1, 2, 3, 4, 5]})[1:]
    cleaned = clean(batch, NARROW, REPLACE, ["n"])
    mended = [["a", "\ufffd"], None, [], ["\ufffdb", None], ["c"]]
    assert cleaned.batch["urls"].to_pylist() == mended
    assert cleaned.aside is not None
    assert cleaned.aside["n"].to_pylist() == [1, 4]
    assert cleaned.aside["urls"].to_pylist() == [lists[0], lists[3]]


def test_a_row_that_is_too_large_as_a_whole() -> None:
    limited = Capabilities(parses_json=True, row_bytes=1_000)
    large = narrow(event=b"a" * 500, properties=b'"' + b"b" * 600 + b'"')
    rows = pa.RecordBatch.from_arrays(
        [pa.concat_arrays(list(c)) for c in zip(narrow(), large, narrow(), strict=True)],
        schema=NARROW_SCHEMA,
    )
    cleaned = clean(rows, limited, REPLACE, ["team_id"])
    assert (cleaned.batch.num_rows, cleaned.rejected) == (2, 1)
    assert cleaned.aside is not None
    assert cleaned.aside["_column"].to_pylist() == ["properties"]
    (reason,) = cleaned.aside["_reason"].to_pylist()
    assert re.fullmatch(r"is of a row of 11\d\d bytes, and a row may have 1000", reason)
    many = pa.concat_batches([narrow()] * 100)
    assert clean(many, limited, REPLACE, ["team_id"]) == Cleaned(many)
