"""Reading what a sync found: named on the server, ended when it is left, over broken lines."""

import re
import time
from typing import Any

import pytest

from batch_exports.errors import Transient
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault
from batch_exports_tests.sources.warehouse.places import ALL, Place, hour, rows_of

# More than sockets and servers hold at once.
MANY = 8192
WIDE = "id INTEGER, email VARCHAR(100), note VARCHAR(2000)"


def many(warehouse: Place) -> None:
    warehouse.make(WIDE)
    warehouse.run("INSERT INTO persons SELECT 1, 'a@x.org', REPEAT('x', 1000)")
    rows = 1
    while rows < MANY:
        warehouse.run(f"INSERT INTO persons SELECT id + {rows}, email, note FROM persons")
        rows *= 2


def sessions(warehouse: Place) -> list[tuple[Any, ...]]:
    """Those of sources, at the PostgreSQL behind."""
    return warehouse.admin.execute(
        "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE "
        "'batch_exports crm%'"
    ).fetchall()


def test_leaving_early_ends_the_query(warehouse: Place) -> None:
    many(warehouse)
    with warehouse.source() as source:
        with source.read(ALL, hour(0)) as batches:
            assert batches.read_next_batch().num_rows > 0
            ((name,),) = sessions(warehouse)
            assert re.match(r"batch_exports crm \[2026-11-01T00:00:00Z, ", name)
        until = time.monotonic() + 10
        while sessions(warehouse):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert source.count(ALL, hour(0)) >= MANY


def test_a_lost_connection_may_be_tried_again(warehouse: Place) -> None:
    many(warehouse)
    with (
        FaultProxy((warehouse.server.host, warehouse.server.port)) as proxy,
        warehouse.source(port=proxy.port) as source,
    ):
        source.count(ALL, hour(0))
        lost = proxy.add(TcpFault(direction="down", do="reset", after=4 * 2**20))
        with pytest.raises(Transient):
            rows_of(source, 0)
        assert lost.hits == 1
        proxy.heal()
        assert len(rows_of(source, 0)) >= MANY
