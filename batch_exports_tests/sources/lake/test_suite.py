"""Lakes give what every source gives."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.models import Model
from batch_exports.sources.lake import Lake
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.events import HOUR, lay_events, lay_large, table
from batch_exports_tests.sources.every_source import files_of, rows_of
from batch_exports_tests.sources.kinds import ALL_KINDS, KINDS, extremes
from batch_exports_tests.sources.suite import Suite


@dataclass(frozen=True)
class LakeAdapter:
    root: Path
    name: str
    write: Callable[[pa.Table, Model, Path], None]
    unheld: frozenset[str] = frozenset()

    def lay(self, model: Model, rows: pa.Table) -> None:
        path = self.root / model.name / self.name
        path.parent.mkdir()
        self.write(rows, model, path)

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        return lay_events(self.lay, rows)

    def lay_much(self) -> Selection:
        return lay_large(self.lay, 1_000)

    def source(self) -> Lake:
        return Lake(fs.LocalFileSystem(), str(self.root), shown_as="lake:")

    def held(self) -> list[str]:
        return files_of(self.root)


def write_parquet(rows: pa.Table, model: Model, path: Path) -> None:
    pq.write_table(rows, path, row_group_size=4)


def write_lines(rows: pa.Table, model: Model, path: Path) -> None:
    json_columns = {column.source_name for column in model.columns if column.is_json}
    text = "".join(line(row, json_columns) for row in rows.to_pylist())
    path.write_bytes(text.encode())


def line(row: dict[str, Any], json_columns: set[str]) -> str:
    members = (
        f'"{name}":{value if name in json_columns and value else written(value)}'
        for name, value in row.items()
    )
    return f"{{{','.join(members)}}}\n"


def written(value: Any) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return f'"{value.isoformat()}"'
        case _:
            return json.dumps(value)


class TestParquet(Suite):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> LakeAdapter:
        return LakeAdapter(tmp_path, "a.parquet", write_parquet)


class TestJsonLines(Suite):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> LakeAdapter:
        unheld = frozenset({"infinite", "not a number"})
        return LakeAdapter(tmp_path, "a.jsonl", write_lines, unheld)

    def test_a_column_that_is_missing_is_named(self, adapter: LakeAdapter) -> None:
        """A line need not have all members: what it lacks is NULL."""
        rows = table(KINDS, extremes(adapter.unheld)).drop_columns(["moment"])
        adapter.lay(KINDS, rows)
        assert {row["moment"] for row in rows_of(adapter.source(), ALL_KINDS, HOUR)} == {None}
