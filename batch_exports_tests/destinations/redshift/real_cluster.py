"""A cluster of the user's own, against which the suite of all destinations runs as well.

It is named by variables: REDSHIFT_HOST, REDSHIFT_PORT (5439), REDSHIFT_DATABASE, REDSHIFT_USER,
REDSHIFT_PASSWORD, a user who may create schemas; REDSHIFT_BUCKET in the cluster's region,
REDSHIFT_REGION, REDSHIFT_ROLE_ARN, a role of the cluster that may read the bucket, which the tests
write with AWS's usual credentials. REDSHIFT_SSL_ROOT_CERT and REDSHIFT_S3_ENDPOINT are for others
than AWS's own.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from batch_exports.components.redshift_session import AMAZON_AUTHORITIES
from batch_exports.destinations.redshift.authorization import Role
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter


def is_given() -> bool:
    return "REDSHIFT_HOST" in os.environ


@contextmanager
def fresh_schema() -> Iterator[RedshiftAdapter]:
    """An empty schema for as long as the block lasts. Raises KeyError for a missing variable."""
    given = os.environ
    schema = f"batch_exports_test_{uuid.uuid4().hex[:12]}"
    adapter = RedshiftAdapter(
        {
            "host": given["REDSHIFT_HOST"],
            "port": given.get("REDSHIFT_PORT", "5439"),
            "dbname": given["REDSHIFT_DATABASE"],
            "user": given["REDSHIFT_USER"],
            "password": given["REDSHIFT_PASSWORD"],
            "sslmode": "verify-full",
            "sslrootcert": given.get("REDSHIFT_SSL_ROOT_CERT") or str(AMAZON_AUTHORITIES),
            "client_encoding": "utf8",
            "prepare_threshold": None,
        },
        schema,
        given.get("REDSHIFT_S3_ENDPOINT"),
        None,
        given["REDSHIFT_BUCKET"],
        Role(given["REDSHIFT_ROLE_ARN"]),
        region=given["REDSHIFT_REGION"],
        prefix=f"batch_exports_test/{schema}/",
    )
    name = sql.Identifier(schema)
    with adapter.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    try:
        yield adapter
    finally:
        with adapter.connect() as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(name))
