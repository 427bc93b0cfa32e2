"""The schema that a test delivers to."""

import pytest

from batch_exports.local.postgres_server import Server
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter


@pytest.fixture
def postgres(postgres_server: Server, postgres_schema: str) -> PostgresAdapter:
    """A fresh schema, reached as the exporter."""
    return PostgresAdapter.to(postgres_server, postgres_schema)
