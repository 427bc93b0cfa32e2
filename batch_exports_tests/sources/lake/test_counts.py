"""A lake's rows of many intervals, counted by one pass over its files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.models import EVENTS
from batch_exports.transform.filters import RowFilter
from batch_exports_tests.sources.events import HOUR, event, minutes, select, table
from batch_exports_tests.sources.lake.test_parquet_files import spoil
from batch_exports_tests.sources.lake.test_suite import LakeAdapter, write_lines
from batch_exports_tests.sources.suite import FILTERS

BOUNDS = [(20, 25), (0, 5), (5, 10), (0, 40), (22, 30), (500, 501), (0, 5), (-9, 0), (7, 8.5)]
INTERVALS = [minutes(*each) for each in BOUNDS]
ROWS = table(EVENTS, map(event, range(40)))


def write(folder: Path, form: str) -> None:
    path = folder / "events" / ("a.jsonl" if form == "lines" else "a.parquet")
    path.parent.mkdir()
    if form == "lines":
        write_lines(ROWS, EVENTS, path)
        return
    name, type_ = {
        "plain": ("inserted_at", pa.timestamp("us", "UTC")),
        "ns": ("inserted_at", pa.timestamp("ns")),
        "view": ("event", pa.string_view()),
    }[form]
    rows = ROWS.set_column(ROWS.schema.get_field_index(name), name, ROWS[name].cast(type_))
    pq.write_table(rows, path, row_group_size=4)


@pytest.mark.parametrize("form", ["plain", "ns", "view", "lines"])
@pytest.mark.parametrize("name", [None, "include", "property"])
def test_many_intervals_are_counted_as_one_by_one(
    tmp_path: Path, form: str, name: str | None
) -> None:
    """Whether they touch, overlap, lie apart, are repeated, or have no row."""
    write(tmp_path, form)
    lake = LakeAdapter(tmp_path, "", write_lines).source()
    selection = select(filters=FILTERS[name][0] if name else RowFilter())
    counts = lake.counts(selection, INTERVALS)
    assert counts == [lake.count(selection, interval) for interval in INTERVALS]
    assert counts[3] > 0
    assert lake.counts(selection, []) == []


def test_footers_suffice_for_row_groups_that_lie_in_one_interval(tmp_path: Path) -> None:
    write(tmp_path, "plain")
    spoil(tmp_path / "events" / "a.parquet", *range(10))
    lake = LakeAdapter(tmp_path, "", write_lines).source()
    assert lake.counts(select(), [minutes(0, 8), minutes(8, 40), HOUR]) == [8, 32, 40]
