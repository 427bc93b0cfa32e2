"""The sample lake, laid once for all tests that only read it."""

from pathlib import Path

import duckdb
import pytest

from batch_exports.local import lake


@pytest.fixture(scope="session")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "lake"
    lake.lay_lake(folder)
    return folder


@pytest.fixture(scope="session")
def tables(laid: Path) -> duckdb.DuckDBPyConnection:
    """The lake's folders as tables of DuckDB, and `readable`: events whose JSON it accepts."""
    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    for model in ("events", "persons", "sessions"):
        connection.sql(f"CREATE TABLE {model} AS FROM '{laid}/{model}/*/*.parquet'")
    connection.sql("CREATE TABLE readable AS FROM events WHERE event <> '$feature_interaction'")
    return connection
