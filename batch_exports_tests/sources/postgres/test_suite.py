"""PostgreSQL gives what every source gives."""

import pytest

from batch_exports_tests.sources.postgres.adapter import PostgresAdapter
from batch_exports_tests.sources.suite import ServerSuite


class TestPostgres(ServerSuite):
    @pytest.fixture
    def adapter(self, postgres: PostgresAdapter) -> PostgresAdapter:
        return postgres
