"""One interval on its way to a table: what is there before it, and what must be there after."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_server import Server
from batch_exports_tests.destinations.postgres.adapter import TABLE, PostgresAdapter
from batch_exports_tests.destinations.postgres.faults.ways import Way, held
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR, Row, stream
from batch_exports_tests.destinations.suite import wait_until

# The message that ends a transaction. Each delivery sends it twice: tables are made, rows come in.
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_HALFWAY_BYTES = 32 * 1024


@dataclass
class Trial:
    """A server, a schema there as the exporter sees it, and the way that the rows take.

    `earlier` rows were delivered before, those of the `neighbour` in the next interval. The
    `latest` are what the source has now: some keys are gone, some have changed, some are new.
    """

    server: Server
    adapter: PostgresAdapter
    way: Way
    earlier: pa.Table = field(init=False)
    neighbour: pa.Table = field(init=False)
    latest: pa.Table = field(init=False)
    _before: dict[str, list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        rerun = self.way.rerun
        self.earlier = self.way.rows(range(60 if rerun else 0), lambda _: 1)
        beside = range(50, 90) if rerun else range(1000, 1040)
        self.neighbour = self.way.rows(beside, lambda n: 2 if n % 2 else 4, NEXT_HOUR)
        self.latest = self.way.rows(range(20, 80), lambda _: 3)
        self.deliver_neighbour()
        if rerun:
            self.destination().write(stream(self.earlier), HOUR, "run-earlier")
        self._before = self.state()

    def destination(self, **connection: Any) -> PostgresDestination:
        """With other parameters of the connection, such as the port of a proxy."""
        adapter = replace(self.adapter, connection={**self.adapter.connection, **connection})
        return adapter.destination(
            self.way.projection, write_mode=self.way.mode, parallelism=self.way.parallelism
        )

    def deliver(
        self,
        run_id: str = "run-latest",
        amid: Callable[[], object] | None = None,
        **connection: Any,
    ) -> Delivery:
        """Deliver the latest rows; `amid` happens when all but a few are on their way."""
        return self.destination(**connection).write(_stream(self.latest, amid), HOUR, run_id)

    def deliver_neighbour(self) -> Delivery:
        return self.destination().write(stream(self.neighbour), NEXT_HOUR, "run-neighbour")

    def assert_unchanged(self) -> None:
        """Readers see what they saw before."""
        assert self.state() == self._before

    def assert_delivered(self, run_id: str = "run-latest") -> None:
        """All the latest rows are there, none is twice, and of what was replaced nothing is."""
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
        assert self.adapter.leftovers() == []

    def expected(self) -> list[Row]:
        """All rows of the table once the latest are there."""
        return self.way.result(held(self.earlier), held(self.neighbour), held(self.latest))

    def problems(self, interval: DataInterval, rows: pa.Table) -> tuple[str, ...]:
        """What the check of the row count says, where the source has these rows."""

        @contextmanager
        def keys() -> Generator[pa.RecordBatchReader, None, None]:
            yield stream(rows.select(list(self.way.projection.identity)))

        return self.destination().inspect(interval, source_keys=keys).problems

    def state(self) -> dict[str, list[Row]]:
        """All that readers may look at."""
        columns = ", ".join(f'"{name}"' for name in self.way.projection.schema.names)
        queries = {
            "rows": f"SELECT {columns} FROM {{table}}",
            "ledger": "SELECT * FROM {ledger} ORDER BY export, interval_start",
            "rejects": "SELECT * FROM {rejects} ORDER BY interval_start, row_key::text",
        }
        with self._administrator() as cursor:
            found = {
                name: cursor.execute(self._named(query)).fetchall()
                for name, query in queries.items()
            }
        return {**found, "rows": self.way.in_order(found["rows"])}

    def execute(self, statement: str, *values: Any) -> list[Row]:
        """As the administrator; `{schema}`, `{table}`, `{ledger}`, `{rejects}` are the names."""
        with self._administrator() as cursor:
            cursor.execute(self._named(statement), values or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def with_default(self, setting: str, value: str) -> Generator[None, None, None]:
        """The user whom runs log in as has such a setting of PostgreSQL's own."""
        user = sql.Identifier(self.server.exporter.user).as_string()
        self.execute(f"ALTER USER {user} SET {setting} = '{value}'")
        try:
            yield
        finally:
            self.execute(f"ALTER USER {user} RESET {setting}")

    @contextmanager
    def other_session(self) -> Generator[Callable[[str], psycopg.Cursor[Any]], None, None]:
        """Of the administrator: what it executes is one transaction, undone at the end."""
        with self.server.connect() as other:
            # What waits for it without end fails the test instead.
            other.execute("SET idle_in_transaction_session_timeout = '60s'")
            yield lambda statement: other.execute(self._named(statement))
            other.rollback()

    def copies(self) -> dict[int, int]:
        """The process number of each COPY, and how many bytes it took in."""
        found = self.execute("SELECT pid, bytes_processed AS n FROM pg_stat_progress_copy")
        return {row["pid"]: row["n"] for row in found}

    def await_copy(self) -> list[int]:
        """Wait until the server took in some of the rows; the process numbers of those who do."""
        wait_until(lambda: any(taken > _HALFWAY_BYTES for taken in self.copies().values()))
        return list(self.copies())

    def await_blocked(self, user: str) -> int:
        """Wait until a session of the user waits for another one's lock; its process number."""
        query = (
            "SELECT pid FROM pg_stat_activity "
            "WHERE usename = %s AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        wait_until(lambda: bool(self.execute(query, user)))
        return int(self.execute(query, user)[0]["pid"])

    @contextmanager
    def _administrator(self) -> Generator[psycopg.Cursor[Row], None, None]:
        with (
            self.server.connect(autocommit=True, sslmode="disable") as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            yield cursor

    def _named(self, statement: str) -> sql.Composed:
        schema = self.adapter.schema
        names = {"table": TABLE, "ledger": LEDGER, "rejects": rejects_of(TABLE)}
        tables = {name: sql.Identifier(schema, table) for name, table in names.items()}
        return sql.SQL(statement).format(schema=sql.Identifier(schema), **tables)


def _stream(rows: pa.Table, amid: Callable[[], object] | None) -> pa.RecordBatchReader:
    *most, last = rows.to_batches(10)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from most
        if amid:
            amid()
        yield last

    return pa.RecordBatchReader.from_batches(rows.schema, batches())
