"""PostgreSQL as a source: tables and queries, streamed into Arrow."""
