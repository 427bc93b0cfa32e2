"""Tables of warehouses for the suite of every source: an interval has what its sync finds."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.interval import DataInterval
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse import WarehouseTable
from batch_exports_tests.sources.events import HOUR
from batch_exports_tests.sources.warehouse.places import ALL, Place

_COLUMNS = "id INTEGER, email VARCHAR(100), note VARCHAR(5000)"


@dataclass
class WarehouseAdapter:
    """`closing` ends what sources were made of. With a `stage`, rows come by UNLOAD to there."""

    place: Place
    closing: ExitStack
    stage: StageArea | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def address(self) -> tuple[str, int]:
        return self.place.server.host, self.place.server.port

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        self.place.make(_COLUMNS)
        source = self.source()
        for interval, many in rows.items():
            if new := [f"({next(self._numbers)}, 'é@x.org', 'a')" for _ in range(many)]:
                self._insert(f"VALUES {', '.join(new)}")
            source.count(ALL, interval)
        return ALL

    def lay_much(self) -> Selection:
        self.place.make(_COLUMNS, "0, 'a@x.org', REPEAT('x', 4500)")
        # 9 MB; of files, there is no more at once than a row group.
        for doubled in range(8 if self.stage else 11):
            self._insert(f"SELECT id + {2**doubled}, email, note FROM persons")
        self.source().count(ALL, HOUR)
        return ALL

    def _insert(self, rows: str) -> None:
        self.place.run(f"INSERT INTO persons {rows}")

    def source(self, port: int | None = None) -> WarehouseTable:
        reached = self.place.source(stage=self.stage, port=port or self.place.server.port)
        return self.closing.enter_context(reached)

    def held(self) -> list[str]:
        """Sessions that say what they read at the PostgreSQL behind, and files of UNLOAD."""
        named = "batch_exports crm [2026-11-01T00:00:00Z, %"
        sessions = self.place.admin.execute(
            "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE %s", [named]
        ).fetchall()
        return [*(name for (name,) in sessions), *self._staged()]

    def _staged(self) -> list[str]:
        if self.stage is None:
            return []
        found = self.stage.client.list_objects_v2(Bucket=self.stage.bucket)
        return [entry["Key"] for entry in found.get("Contents", [])]
