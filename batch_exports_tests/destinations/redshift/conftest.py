"""The schema that a test delivers to, and the bucket in which its rows are staged."""

from collections.abc import Iterator

import pytest

from batch_exports.destinations.redshift.authorization import Role
from batch_exports.local import seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.real_cluster import fresh_schema, is_given


@pytest.fixture
def by_copy(request: pytest.FixtureRequest) -> Iterator[RedshiftAdapter]:
    """A fresh schema. Redshift reads the bucket as a role.

    It is the emulator's, reached as the exporter, who has no more rights than the documentation
    grants; or that of the cluster which the variables REDSHIFT_* name.
    """
    if is_given():
        with fresh_schema() as adapter:
            yield adapter
    else:
        yield request.getfixturevalue("by_copy_to_emulator")


@pytest.fixture
def by_copy_to_emulator(
    redshift: Emulator, redshift_schema: str, s3_server: seaweedfs.Server, bucket: str
) -> RedshiftAdapter:
    login = redshift.exporter
    connection = {
        "host": redshift.host,
        "port": redshift.port,
        "dbname": redshift.database,
        "user": login.user,
        "password": login.password,
        "sslmode": "verify-full",
        "sslrootcert": str(redshift.root_certificate),
        "client_encoding": "utf8",
        "prepare_threshold": None,
    }
    keys = (s3_server.admin.access_key_id, s3_server.admin.secret_access_key)
    return RedshiftAdapter(
        connection, redshift_schema, s3_server.endpoint, keys, bucket, Role(ROLE_ARN)
    )


@pytest.fixture
def by_insert(by_copy: RedshiftAdapter) -> RedshiftAdapter:
    return by_copy.by("INSERT")
