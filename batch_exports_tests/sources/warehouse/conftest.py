"""Warehouses of both kinds."""

from collections.abc import Iterator

import pytest

from batch_exports_tests.sources.warehouse.places import Place, place


@pytest.fixture(params=["postgres", "redshift"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Place]:
    """PostgreSQL, and the emulator of Redshift."""
    servers = {"postgres": "postgres_server", "redshift": "redshift_emulator"}
    with place(request.getfixturevalue(servers[request.param])) as found:
        yield found
