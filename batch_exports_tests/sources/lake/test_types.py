"""Lists of text, booleans and floats of a lake, out of both kinds of files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.local.session_schema import SESSIONS as LAID
from batch_exports.models import PERSONS, SESSIONS
from batch_exports.sources.source import Selection
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import NOT_UTF8, clean
from batch_exports_tests.sources.lake.lakes import lake, read

HOUR = DataInterval(datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC))
MOMENT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
OTHER = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
KEY = {"team_id": 1, "session_id": "s", "inserted_at": MOMENT.isoformat()}
COLUMNS = ("team_id", "session_id", "end_timestamp", "urls", "is_bounce", "vitals_lcp")
SELECTION = Selection(SESSIONS, SESSIONS.select(COLUMNS, "s3"), "inserted_at")
SCHEMA = pa.schema([LAID.field(name) for name in (*COLUMNS, "inserted_at")])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "team_id": st.just(1),
            "session_id": st.text(max_size=3),
            "end_timestamp": st.just(MOMENT),
            "urls": st.none() | st.lists(st.none() | st.text(max_size=5), max_size=3),
            "is_bounce": st.none() | st.booleans(),
            "vitals_lcp": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "inserted_at": st.sampled_from([MOMENT, OTHER]),
        }
    ),
    max_size=8,
)


def write(root: Path, text: str | bytes, model: str = "sessions") -> None:
    (root / model).mkdir(exist_ok=True)
    (root / model / "a.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS)
def test_both_kinds_of_files_give_the_same_rows(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines, parquet = tmp_path_factory.mktemp("lines"), tmp_path_factory.mktemp("parquet")
    write(lines, "".join(json.dumps(row, default=datetime.isoformat) + "\n" for row in rows))
    (parquet / "sessions").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), parquet / "sessions" / "a.parquet")
    expected = [
        {name: row[name] for name in COLUMNS} for row in rows if row["inserted_at"] == MOMENT
    ]
    assert read(lake(lines), SELECTION, HOUR) == expected
    assert read(lake(parquet), SELECTION, HOUR) == expected


def one(root: Path, **raw: str) -> dict[str, Any]:
    """A session whose members have the given raw JSON, as it is read."""
    members = {name: json.dumps(value) for name, value in KEY.items()} | raw
    members.setdefault("end_timestamp", json.dumps(MOMENT.isoformat()))
    write(root, "{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}")
    return read(lake(root), SELECTION, HOUR)[0]


def test_null_and_absent_are_null_and_empty_lists_are_not(tmp_path: Path) -> None:
    found = one(tmp_path, urls="null", is_bounce="null", vitals_lcp="null")
    assert (found["urls"], found["is_bounce"], found["vitals_lcp"]) == (None, None, None)
    assert one(tmp_path)["urls"] is None
    assert one(tmp_path, urls=" [ ] ")["urls"] == []
    assert one(tmp_path, urls='[ null , "" ]')["urls"] == [None, ""]


@pytest.mark.parametrize(
    ("raw", "value"),
    [("1", 1.0), ("-0.5e1", -5.0), ("1.7976931348623157e308", 1.7976931348623157e308)],
)
def test_numbers_of_all_spellings(raw: str, value: float, tmp_path: Path) -> None:
    assert one(tmp_path, vitals_lcp=raw)["vitals_lcp"] == value


@pytest.mark.parametrize(
    ("name", "raw", "shown"),
    [
        ("urls", '"[]"', "Expected `array | null`, got `str`"),
        ("urls", '["a", 1]', "Expected `str | null`, got `int`"),
        ("urls", '{"a": "b"}', "Expected `array | null`, got `object`"),
        ("is_bounce", "0", "Expected `bool | null`, got `int`"),
        ("is_bounce", '"true"', "Expected `bool | null`, got `str`"),
        ("vitals_lcp", '"1.5"', "Expected `float | null`, got `str`"),
        ("vitals_lcp", "true", "Expected `float | null`, got `bool`"),
        ("vitals_lcp", "1e400", "out of range"),
    ],
)
def test_wrong_values(name: str, raw: str, shown: str, tmp_path: Path) -> None:
    with pytest.raises(Terminal) as caught:
        one(tmp_path, **{name: raw})
    assert caught.value.message.startswith(f"lake:/sessions/a.jsonl, line 1: {name!r} is {raw}: ")
    assert shown in caught.value.message


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "nan"])
def test_what_is_no_number_is_no_json(raw: str, tmp_path: Path) -> None:
    with pytest.raises(Terminal, match=r"lake:/sessions/a\.jsonl, line 1: JSON is malformed"):
        one(tmp_path, vitals_lcp=raw)


@pytest.mark.parametrize("bad", [rb"a\ud800b", rb"a\udcffb", b"a\xffb"])
def test_lists_keep_what_has_no_characters_for_the_cleaning_to_find(
    bad: bytes, tmp_path: Path
) -> None:
    lists = [b'["/", "' + bad + b'", null]', b"null", b"[]", b'["x"]']
    lines = [
        json.dumps(KEY | {"end_timestamp": MOMENT.isoformat()}).encode()[:-1]
        + b', "urls": %s}' % text
        for text in lists
    ]
    write(tmp_path, b"\n".join(lines))
    with lake(tmp_path).read(SELECTION, HOUR) as batches:
        batch = batches.read_all().combine_chunks().to_batches()[0]
    cleaned = clean(
        batch, Capabilities(parses_json=True), OnUnrepresentable.REPLACE, ["session_id"]
    )
    assert cleaned.batch["urls"].to_pylist() == [["/", "a\ufffdb", None], None, [], ["x"]]
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [NOT_UTF8]


def test_columns_that_came_later_are_null_where_a_source_lacks_them(tmp_path: Path) -> None:
    (tmp_path / "persons").mkdir()
    columns = ("team_id", "distinct_id", "is_deleted", "_inserted_at")
    selection = Selection(PERSONS, PERSONS.select(columns, "s3"), "inserted_at")
    table = pa.table(
        {"team_id": [1], "distinct_id": ["a"], "inserted_at": [MOMENT.replace(tzinfo=None)]}
    )
    pq.write_table(table, tmp_path / "persons" / "a.parquet")
    expected = {"team_id": 1, "distinct_id": "a", "is_deleted": None, "_inserted_at": MOMENT}
    assert read(lake(tmp_path), selection, HOUR) == [expected]
