"""Where files for COPY lie, and a database that takes its rows."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from batch_exports.local import postgres_server as postgres
from batch_exports.local import seaweedfs
from batch_exports_tests.local.redshift.copying import Copying


@pytest.fixture(scope="module")
def backend(postgres_server: postgres.Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection for temporary tables."""
    with postgres_server.connect(autocommit=True) as connection:
        connection.execute("SET timezone TO 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def files_bucket(s3_server: seaweedfs.Server) -> str:
    """One for all files of a module: the server keeps room for each bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def copying(
    s3_server: seaweedfs.Server, files_bucket: str, backend: psycopg.Connection[Any]
) -> Copying:
    """A fresh, empty folder."""
    return Copying(s3_server, files_bucket, uuid.uuid4().hex[:12], backend)
