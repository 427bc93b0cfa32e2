"""What ClickHouse is told of filters leaves no row out that they would keep."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_exports.local.clickhouse.server import Server
from batch_exports.local.hostile import HOSTILE
from batch_exports.models import EVENTS
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.clickhouse.adapter import ClickHouseAdapter
from batch_exports_tests.sources.events import event, minutes, select, table
from batch_exports_tests.sources.every_source import rows_of

# Spellings of members that readers of JSON tell apart, or do not; and what is no JSON at all.
DOCUMENTS = (
    *HOSTILE.values(),
    '{"a":"x"}',
    r'{"\u0061":"x"}',
    r'{"a":"\u0078"}',
    '{"a":1}',
    '{"a":1.0}',
    '{"a":10e-1}',
    '{"a":"1"}',
    '{"a":true}',
    '{"a":"true"}',
    '{"a":null}',
    '{"a":"null"}',
    '{"a":""}',
    '{"b":{"a":"x"}}',
    '{"a":["x"]}',
    '{"a":"x","a":"y"}',
    '{"a":"y","a":null}',
    '{"A":"X"}',
    '{"é😀":"ü"}',
    r'{"\u00e9\ud83d\ude00":"\u00fc"}',
    r'{"k\"\\/":"it\"s \/ \\ \t"}',
    '{"a":12345678901234567890123}',
    "{}",
    "[]",
    "",
    "not JSON, with a x",
    '{"a":"x"',
)
ROWS = table(
    EVENTS,
    (
        event(number, properties=text, person_properties=text)
        for number, text in enumerate(DOCUMENTS)
    ),
)
KEYS = st.sampled_from(["a", "A", "é😀", 'k"\\/', "none", ""])
TEXTS = st.sampled_from(["x", "y", "true", "null", "1", "ü", 'it"s / \\ \t', "", "%", "_"])
VALUES = st.one_of(TEXTS, st.booleans(), st.sampled_from([1, 1.0, 12345678901234567890123]))
FILTERS = st.one_of(
    st.builds(
        PropertyFilter,
        KEYS,
        st.sampled_from(["event", "person"]),
        st.sampled_from(["exact", "is_not"]),
        VALUES | st.lists(VALUES, min_size=1, max_size=3),
    ),
    st.builds(
        PropertyFilter,
        KEYS,
        st.just("event"),
        st.sampled_from(["icontains", "not_icontains"]),
        TEXTS,
    ),
    st.builds(PropertyFilter, KEYS, st.just("event"), st.sampled_from(["is_set", "is_not_set"])),
    st.builds(PropertyFilter, KEYS, st.just("event"), st.sampled_from(["gt", "lt"]), st.just(0)),
)


@pytest.fixture(scope="module")
def source(clickhouse_server: Server, tmp_path_factory: pytest.TempPathFactory) -> ClickHouse:
    adapter = ClickHouseAdapter(clickhouse_server, tmp_path_factory.mktemp("rows"))
    adapter.lay(EVENTS, ROWS)
    return adapter.source()


def kept(filters: RowFilter) -> list[str]:
    """What the filters keep of the rows themselves, where an empty text is none."""
    batch = ROWS.combine_chunks().to_batches()[0]
    texts = pa.array([text or None for text in DOCUMENTS])
    for name in ("properties", "person_properties"):
        batch = batch.set_column(batch.schema.get_field_index(name), name, texts)
    found: list[str] = filters.matching(batch).column("uuid").to_pylist()
    return sorted(found)


@settings(max_examples=25)
@given(st.lists(FILTERS, min_size=1, max_size=2))
def test_the_same_rows(source: ClickHouse, properties: list[PropertyFilter]) -> None:
    filters = RowFilter(properties=tuple(properties))
    selection = select(filters=filters)
    interval = minutes(0, len(DOCUMENTS))
    expected = kept(filters)
    assert sorted(row["uuid"] for row in rows_of(source, selection, interval)) == expected


NAMES = ["it's", 'a "b"', "\\", "\t\n\r\0", "{x:String}", "é😀", "%s", "", "a,b", "['a']"]


@pytest.mark.parametrize("include", [True, False])
def test_names_of_events(clickhouse_server: Server, tmp_path: Path, include: bool) -> None:
    adapter = ClickHouseAdapter(clickhouse_server, tmp_path)
    adapter.lay(EVENTS, table(EVENTS, (event(n, event=name) for n, name in enumerate(NAMES))))
    some = tuple(NAMES[::2])
    filters = RowFilter(include_events=some) if include else RowFilter(exclude_events=some)
    selection = select("uuid", "event", filters=filters)
    found = rows_of(adapter.source(), selection, minutes(0, 60))
    expected = set(some) if include else set(NAMES) - set(some)
    assert {row["event"] for row in found} == expected
    assert adapter.source().count(selection, minutes(0, 60)) == len(expected)


def test_the_newest_of_a_repeated_event_is_filtered(
    clickhouse_server: Server, tmp_path: Path
) -> None:
    """And not the newest of those that match."""
    adapter = ClickHouseAdapter(clickhouse_server, tmp_path)
    adapter.lay(EVENTS, table(EVENTS, [event(0, properties='{"a":"old"}')]))
    clickhouse_server.run(
        f"INSERT INTO {adapter.database}.events SELECT * REPLACE "
        f"('{json.dumps({'a': 'new'})}' AS properties, _timestamp + 1 AS _timestamp) "
        f"FROM {adapter.database}.events"
    )
    for value, rows in (("old", 0), ("new", 1)):
        chosen = PropertyFilter("a", "event", "exact", value)
        selection = select(filters=RowFilter(properties=(chosen,)))
        assert adapter.source().count(selection, minutes(0, 1)) == rows
    assert adapter.source().count(select(), minutes(0, 1)) == 1
