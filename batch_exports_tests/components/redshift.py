"""Redshift connections as a user writes them, to the emulator."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import dagster as dg
import pytest

from batch_exports.components.redshift_connection import RedshiftConnection
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.secret import Secret
from batch_exports.errors import BatchExportError
from batch_exports.local.redshift.server import Emulator

PASSWORD = "TEST_REDSHIFT_PASSWORD"
DOCUMENT = f"""\
type: batch_exports.RedshiftConnection
attributes:
  name: warehouse
  user: exporter
  password: {{env: {PASSWORD}}}
  host: my-cluster.abc123.eu-west-1.redshift.amazonaws.com
  database: analytics
"""


@contextmanager
def resource(
    emulator: Emulator, *, password: str | None = None, **settings: Any
) -> Iterator[RedshiftConnectionResource]:
    """What a run gets of a connection to `emulator`, as its exporter unless told otherwise."""
    given: dict[str, Any] = {
        "name": "warehouse",
        "user": emulator.exporter.user,
        "password": Secret(env=PASSWORD),
        "host": emulator.host,
        "port": emulator.port,
        "database": emulator.database,
        **settings,
    }
    component = RedshiftConnection(**given)
    component.check()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(PASSWORD, password or emulator.exporter.password)
        with dg.build_resources({component.name: component.resource()}) as resources:
            yield resources.warehouse


def trusted(
    emulator: Emulator, **settings: Any
) -> AbstractContextManager[RedshiftConnectionResource]:
    """The same with the certificate of the emulator's authority to trust."""
    return resource(emulator, ssl_root_cert=str(emulator.root_certificate), **settings)


def failure(resource: AbstractContextManager[RedshiftConnectionResource]) -> BatchExportError:
    """Why no connection comes about."""
    with resource as connection, pytest.raises(BatchExportError) as raised:
        connection.connect("a test")
    return raised.value
