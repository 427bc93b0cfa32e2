"""ClickHouse as a source: a self-hosted PostHog's own tables, and any other table or query."""

from batch_exports.sources.clickhouse.clickhouse import ClickHouse
from batch_exports.sources.clickhouse.server import Server

__all__ = ["ClickHouse", "Server"]
