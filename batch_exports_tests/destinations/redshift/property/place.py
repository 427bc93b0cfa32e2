"""A schema of the emulator's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.property.expected import Merged, Replaced, Table
from batch_exports_tests.destinations.property.real_table import RealTable
from batch_exports_tests.destinations.property.run import Run
from batch_exports_tests.destinations.property.source import Shape
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.faults.statements import COMMIT, LEDGER, upon
from batch_exports_tests.destinations.redshift.property.real_table import RedshiftTable
from batch_exports_tests.destinations.redshift.property.tables import Appended, ByKeys
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault


@dataclass
class RedshiftPlace:
    """`server` is behind the emulator."""

    adapter: RedshiftAdapter
    emulator: Emulator
    server: Server

    one_of_two_may_fail = True
    greeting_bytes = 3_000  # with those of TLS

    @contextmanager
    def open(self, shape: Shape) -> Iterator[RedshiftTable]:
        with self.server.connect(dbname=EMULATED_DATABASE, autocommit=True) as session:
            yield RedshiftTable(session, self.adapter.schema, shape)

    def begin(self, shape: Shape, table: RealTable) -> Table:
        if shape.merges:
            return Merged(shape)
        if shape.appends:
            return Appended(shape)
        return Replaced(shape, made_by_user=False) if shape.by_range else ByKeys(shape)

    def adapter_of(self, run: Run) -> RedshiftAdapter:
        return self.adapter

    def strands(self, run: Run, *, killed: bool) -> bool:
        """Files on S3, and the lock."""
        return killed and self.adapter.mode == "COPY"

    @contextmanager
    def losing_commit(self, proxy: FaultProxy) -> Iterator[None]:
        def cut() -> None:
            proxy.add(TcpFault(direction="down", do="reset"))

        # The first COMMIT may be that of the table's making.
        with upon(self.emulator, (LEDGER, COMMIT), cut) as met:
            yield
        assert met
