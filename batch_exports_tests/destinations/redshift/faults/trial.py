"""One interval on its way to a table: what is there before it, and what must be there after."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row

from batch_exports.destinations.delivery import Delivery, KeyReader
from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.postgres.faults.ways import held
from batch_exports_tests.destinations.redshift.adapter import TABLE, RedshiftAdapter
from batch_exports_tests.destinations.redshift.faults.ways import Way
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR, Row, read_json, stream
from batch_exports_tests.destinations.suite import wait_until


@dataclass
class Trial:
    """The emulator, `server` behind it, a schema as the exporter sees it, and the way of the rows.

    A run's hold on the interval lasts for `lease_seconds` after its death. `earlier` rows were
    delivered before, those of the `neighbour` in the next interval. The `latest` are what the
    source has now: some have changed, some are new, and where that can be told, some keys are gone.
    """

    emulator: Emulator
    server: Server
    adapter: RedshiftAdapter
    way: Way
    lease_seconds: float = 0.3
    earlier: pa.Table = field(init=False)
    neighbour: pa.Table = field(init=False)
    latest: pa.Table = field(init=False)
    _before: dict[str, list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        way = self.way
        self.earlier = way.rows(way.earlier, lambda _: 1)
        self.neighbour = way.rows(way.beside, lambda n: 2 if n % 2 else 4, NEXT_HOUR)
        self.latest = way.rows(range(20, 80), lambda _: 3)
        self.adapter = self.adapter.by(way.loading)
        quick = to(self.adapter.by("INSERT"), way)
        quick.write(stream(self.neighbour), NEXT_HOUR, "run-neighbour")
        if way.rerun:
            quick.write(stream(self.earlier), HOUR, "run-earlier")
        self._before = self.state()
        self.emulator.clear()

    def destination(self, **changes: Any) -> RedshiftDestination:
        """`changes` are those of the adapter."""
        return to(replace(self.adapter, **changes), self.way, lease_seconds=self.lease_seconds)

    def deliver(
        self,
        run_id: str = "run-latest",
        amid: Callable[[], object] | None = None,
        **changes: Any,
    ) -> Delivery:
        """Deliver the latest rows; `amid` happens when all but a few were read."""
        return self.destination(**changes).write(_stream(self.latest, amid), HOUR, run_id)

    def through(self, port: int) -> dict[str, Any]:
        """Changes of the adapter, by which it reaches Redshift at another port."""
        return {"connection": {**self.adapter.connection, "port": port}}

    def assert_unchanged(self) -> None:
        """Readers see what they saw before."""
        self.await_end()
        assert self.state() == self._before

    def assert_cleared(self) -> None:
        """Nothing is left of a run that failed, neither on S3 nor in the cluster."""
        self.await_end()
        assert self.adapter.leftovers() == []

    def assert_delivered(self, run_id: str = "run-latest") -> None:
        """All the latest rows are there, none is twice, and of what was replaced nothing is."""
        self.assert_cleared()
        state, latest = self.state(), held(self.latest)
        assert state["rows"] == self.expected()
        entries = {row["interval_start"]: row for row in state["ledger"]}
        assert len(entries) == len(state["ledger"]) == 2
        assert entries[NEXT_HOUR.start]["run_id"] == "run-neighbour"
        entry, rejected = entries[HOUR.start], self.latest.num_rows - len(latest)
        found = (entry["run_id"], entry["rows"], entry["rejected"])
        assert found == (run_id, len(latest), rejected)
        rejects = [row["run_id"] for row in state["rejects"] if row["interval_start"] == HOUR.start]
        assert rejects == [run_id] * rejected
        assert self.problems(HOUR, self.latest) == ()
        assert self.problems(NEXT_HOUR, self.neighbour) == ()

    def expected(self) -> list[Row]:
        """All rows of the table once the latest are there."""
        return self.way.result(held(self.earlier), held(self.neighbour), held(self.latest))

    def problems(self, interval: DataInterval, rows: pa.Table) -> tuple[str, ...]:
        """What the check of the row count says, where the source has these rows."""
        destination = to(self.adapter.by("INSERT"), self.way)
        return destination.inspect(interval, source_keys=self.keys(rows)).problems

    def keys(self, rows: pa.Table) -> KeyReader:
        """Those of a source that has these rows."""
        return lambda: nullcontext(stream(rows.select(list(self.way.projection.identity))))

    def state(self) -> dict[str, list[Row]]:
        """All that readers may look at."""
        columns = ", ".join(f'"{name}"' for name in self.way.projection.schema.names)
        rows = [self._read(row) for row in self.execute(f"SELECT {columns} FROM {{table}}")]
        return {
            "rows": self.way.in_order(rows),
            "ledger": self.execute("SELECT * FROM {ledger} ORDER BY export, interval_start"),
            "rejects": self.execute("SELECT * FROM {rejects} ORDER BY interval_start, number"),
        }

    def execute(self, statement: str, *values: Any) -> list[Row]:
        """By PostgreSQL itself, past the emulator, as its administrator; `{schema}`, `{table}`,
        `{ledger}`, `{rejects}` are the names."""
        with (
            self.server.connect(dbname=EMULATED_DATABASE, autocommit=True) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(self._named(statement), values or None)
            return cursor.fetchall() if cursor.description else []

    def await_end(self) -> None:
        """Wait until the server has noticed that all runs are over; with their sessions go
        temporary tables and locks."""
        wait_until(lambda: not self.sessions())
        found = self.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 't' "
            "AND starts_with(relname, '_batch_exports')"
        )
        assert found == []

    def sessions(self) -> list[int]:
        """The process numbers of those who serve runs of the export."""
        found = self.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'batch_exports %'"
        )
        return [row["pid"] for row in found]

    def staged_files(self) -> list[str]:
        """Keys of what COPY is to read."""
        return [key for key in self.adapter.leftovers() if not key.endswith("lock.json")]

    def _read(self, row: Row) -> Row:
        supers = {field.name for field in self.way.projection.schema if field.type == pa.json_()}
        return {
            name: read_json(value) if name in supers and value is not None else value
            for name, value in row.items()
        }

    def _named(self, statement: str) -> sql.Composed:
        schema = self.adapter.schema
        names = {"table": TABLE, "ledger": LEDGER, "rejects": rejects_of(TABLE)}
        tables = {name: sql.Identifier(schema, table) for name, table in names.items()}
        return sql.SQL(statement).format(schema=sql.Identifier(schema), **tables)


def to(adapter: RedshiftAdapter, way: Way, **settings: Any) -> RedshiftDestination:
    return adapter.destination(way.projection, write_mode=way.mode, **settings)


def _stream(rows: pa.Table, amid: Callable[[], object] | None) -> pa.RecordBatchReader:
    *most, last = rows.to_batches(10)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from most
        if amid:
            amid()
        yield last

    return pa.RecordBatchReader.from_batches(rows.schema, batches())
