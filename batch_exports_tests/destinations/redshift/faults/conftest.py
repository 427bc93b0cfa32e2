"""An emulator and an S3 server, with broken lines before them, and an interval on its way."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from batch_exports.local import seaweedfs
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import Way
from batch_exports_tests.faults import FaultProxy


@pytest.fixture
def try_out(
    redshift: Emulator, postgres_server: Server, by_copy: RedshiftAdapter
) -> Callable[[Way], Trial]:
    """An interval that is to take one of the ways."""
    return lambda way: Trial(redshift, postgres_server, by_copy, way)


@pytest.fixture
def line(redshift: Emulator) -> Iterator[FaultProxy]:
    """The line to Redshift, which is encrypted: it can be cut, not read."""
    with FaultProxy((redshift.host, redshift.port)) as proxy:
        yield proxy


@pytest.fixture
def s3_line(s3_server: seaweedfs.Server) -> Iterator[FaultProxy]:
    """The run's line to S3; the cluster has its own."""
    place = urlsplit(s3_server.endpoint)
    assert place.hostname
    assert place.port
    with FaultProxy((place.hostname, place.port)) as proxy:
        yield proxy
