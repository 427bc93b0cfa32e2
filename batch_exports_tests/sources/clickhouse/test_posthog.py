"""PostHog's rows, of tables whose merges are pending: each once, and the newest."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from batch_exports.interval import DataInterval
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import EVENTS, PERSONS, SESSIONS, Model
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.clickhouse import oracle
from batch_exports_tests.sources.clickhouse.oracle import posthog

START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = [DataInterval(START + timedelta(days=n), START + timedelta(days=n + 1)) for n in range(3)]
WHOLE = DataInterval(DAYS[0].start, DAYS[-1].end)
# With what came again a day later.
LONGER = DataInterval(DAYS[0].start, DAYS[-1].end + timedelta(days=1))
HOURS = [
    DataInterval(START + timedelta(hours=n), START + timedelta(hours=n + 1)) for n in range(72)
]


def everything(model: Model, membership: str = "inserted_at") -> Selection:
    return Selection(model, model.columns, membership)


def read(server: Server, selection: Selection, interval: DataInterval) -> pl.DataFrame:
    with posthog(server).read(selection, interval) as rows:
        assert rows.schema == selection.schema
        table = rows.read_all()
    for number, column in enumerate(selection.columns):
        if column.is_json:
            text = table.column(number).combine_chunks().storage
            table = table.set_column(number, column.name, text)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.mark.parametrize(
    "table",
    ["events", "person", "person_distinct_id2", "person_distinct_id_overrides", "raw_sessions"],
)
def test_the_tables_are_unmerged(sample: Server, table: str) -> None:
    """Otherwise nothing would be shown of duplicates."""
    rows, merged = (
        int(sample.run(f"SELECT count() FROM posthog.{table}{final}")) for final in ("", " FINAL")
    )
    assert rows > merged > 0


@pytest.mark.parametrize("day", DAYS[1:], ids=str)
def test_events_are_the_newest_of_those_that_came_twice(sample: Server, day: DataInterval) -> None:
    found = read(sample, everything(EVENTS), day)
    expected = oracle.events(sample, day)
    assert found.select(expected.columns).sort("uuid").equals(expected)
    # There are such that came again soon, and such that came again on another day.
    again = found.filter(pl.col("properties").str.starts_with('{"again"'))
    assert again.height > 100
    later = oracle.raw(sample, oracle._EVENTS)
    assert later.height > oracle.events(sample, WHOLE).height


def test_events_are_those_of_the_lake(sample: Server, sample_lake: Path) -> None:
    """Persons too: what overrides say is what the lake knows, but for the one given back."""
    lake = pl.read_parquet(sample_lake / "events" / "*" / "*.parquet").sort("uuid")
    found = read(sample, everything(EVENTS), WHOLE).sort("uuid")
    assert found["uuid"].equals(lake["uuid"])
    given_back = found.filter(found["person_id"] != lake["person_id"])
    assert given_back["distinct_id"].n_unique() == 1
    for name in ("event", "distinct_id", "timestamp", "created_at", "person_properties"):
        assert found[name].equals(lake[name]), name


@pytest.mark.parametrize("interval", [DAYS[0], HOURS[40]], ids=str)
def test_persons_are_the_newest_mapping_and_version(sample: Server, interval: DataInterval) -> None:
    found = read(sample, everything(PERSONS), interval)
    expected = oracle.persons(sample, interval)
    assert expected.height
    assert found.select(expected.columns).sort("distinct_id").equals(expected)


def test_deleted_persons_and_mappings(sample: Server) -> None:
    found = read(sample, everything(PERSONS), WHOLE)
    deleted = found.filter("is_deleted").sort("distinct_id")
    assert deleted["distinct_id"].to_list() == ["cdnow_00004", "tester@example.com"]
    assert found["distinct_id"].n_unique() == found.height == 3663


def test_sessions_are_those_of_the_lake(sample: Server, sample_lake: Path) -> None:
    """Aggregated from pieces, they tell what the lake's newest versions do."""
    lake = (
        pl.read_parquet(sample_lake / "sessions" / "*" / "*.parquet")
        .sort("end_timestamp", descending=True)
        .unique("session_id", keep="first")
    )
    found = read(sample, everything(SESSIONS), LONGER)
    assert found.height == lake.height > 3000
    keys = ["start_timestamp", "end_timestamp", "pageview_count", "distinct_id"]
    sorted_urls = pl.col("urls").list.sort().list.join(" ")
    both = found.with_columns(sorted_urls).join(
        lake.with_columns(sorted_urls), on=keys, suffix=" of the lake"
    )
    assert both.height == lake.height
    differing = {
        name: both.filter(pl.col(name).ne_missing(pl.col(f"{name} of the lake"))).height
        for name in lake.columns
        if name in found.columns and name not in keys
    }
    # The lake's IDs are none, its speeds are made up, and events of one second have no order.
    tied = ("entry_current_url", "entry_pathname", "end_current_url", "end_pathname")
    for name in (*tied, "exit_current_url", "exit_pathname"):
        assert differing.pop(name) < 10
    expected = {"session_id", "session_id_v7", "vitals_lcp"}
    assert {name for name, rows in differing.items() if rows} == expected
    ids = found["session_id"]
    assert ids.str.contains("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]").all()
    assert ids.n_unique() == found.height


@pytest.mark.parametrize(
    ("model", "membership"),
    [(m, name) for m in (EVENTS, PERSONS, SESSIONS) for name in m.membership],
    ids=lambda one: getattr(one, "name", one),
)
def test_counts_of_all_hours_are_what_a_read_gives(
    sample: Server, model: Model, membership: str
) -> None:
    """By one query; each hour's rows have its time."""
    selection = everything(model, membership)
    before = len(sample.query_log())
    counts = posthog(sample).counts(selection, HOURS)
    asked = [entry for entry in sample.query_log()[before:] if "log_comment" in entry.settings]
    assert len(asked) == 1
    member = selection.membership_column
    assert member
    found = read(sample, selection, WHOLE).group_by(pl.col(member).dt.truncate("1h")).len()
    by_hour = dict(found.iter_rows())
    if model is not EVENTS or membership != "inserted_at":  # an event may be in two intervals
        assert counts == [by_hour.get(hour.start, 0) for hour in HOURS]
    assert sum(counts) >= sum(by_hour.values()) > 0


def test_every_project_has_its_own(sample: Server) -> None:
    other = posthog(sample).__class__(posthog(sample).server, "other", 2)
    assert 0 < other.count(everything(EVENTS), WHOLE) < 1000
    assert other.count(everything(PERSONS), WHOLE) == 0


def test_columns_that_a_table_lacks_are_null(sample: Server) -> None:
    """As PostHog added them later."""
    sample.run("CREATE DATABASE older")
    sample.run("CREATE TABLE older.raw_sessions AS posthog.raw_sessions")
    sample.run("INSERT INTO older.raw_sessions SELECT * FROM posthog.raw_sessions")
    for name in ("initial__kx", "vitals_lcp"):
        sample.run(f"ALTER TABLE older.raw_sessions DROP COLUMN {name}")
    older = posthog(sample).__class__(oracle.address(sample, "older"), "older", 1)
    selection = Selection(
        SESSIONS,
        SESSIONS.select(("team_id", "session_id", "entry__kx", "vitals_lcp"), "s3"),
        "inserted_at",
    )
    with older.read(selection, DAYS[0]) as rows:
        table = rows.read_all()
    assert table.num_rows
    assert table.column("entry__kx").null_count == table.num_rows
