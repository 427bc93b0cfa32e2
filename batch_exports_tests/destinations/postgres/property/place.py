"""A schema of PostgreSQL's, in which the table may be a user's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.postgres.property.real_table import PostgresTable
from batch_exports_tests.destinations.property.expected import Held, Merged, Newest, Replaced
from batch_exports_tests.destinations.property.real_table import RealTable
from batch_exports_tests.destinations.property.run import Run
from batch_exports_tests.destinations.property.source import Shape
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault

# The message that ends a transaction. Each delivery sends it twice: tables are made, rows come in.
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


@dataclass
class PostgresPlace:
    adapter: PostgresAdapter
    made_by_user: bool

    one_of_two_may_fail = False
    greeting_bytes = 0  # what fails then is told like all else

    @contextmanager
    def open(self, shape: Shape) -> Iterator[PostgresTable]:
        with self.adapter.connect() as session:
            yield PostgresTable(session, self.adapter.schema, shape)

    def begin(self, shape: Shape, table: RealTable) -> Replaced | Merged:
        """A table with a user's rows, which have no versions."""
        assert isinstance(table, PostgresTable)
        rows = table.make() if self.made_by_user else []
        if shape.merges:
            return Merged(
                shape, {shape.key_of(row): Newest(None, frozenset([row])) for row in rows}
            )
        held = tuple(Held(row, None, None) for row in rows)
        return Replaced(shape, self.made_by_user, held)

    def adapter_of(self, run: Run) -> PostgresAdapter:
        return self.adapter.having(parallelism=run.parallelism)

    def strands(self, run: Run, *, killed: bool) -> bool:
        """Stages of several connections are tables that others see."""
        return run.parallelism > 1

    @contextmanager
    def losing_commit(self, proxy: FaultProxy) -> Iterator[None]:
        fault = TcpFault(direction="up", do="reset", forward=True, match=_COMMIT, skip=1)
        rule = proxy.add(fault)
        yield
        assert rule.hits == 1
