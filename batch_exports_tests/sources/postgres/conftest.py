"""The schema that a test reads from."""

import pytest

from batch_exports.local.postgres_server import Server
from batch_exports_tests.sources.postgres.adapter import PostgresAdapter


@pytest.fixture
def postgres(postgres_server: Server, postgres_schema: str) -> PostgresAdapter:
    """A fresh schema, with nothing laid."""
    return PostgresAdapter(postgres_server, postgres_schema)
