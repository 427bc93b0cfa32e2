"""What all sessions of the emulator share."""

import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_exports.local import certificate
from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.backend import Place
from batch_exports.local.redshift.faults import Faults
from batch_exports.local.redshift.settings import Settings

_KEPT_STATEMENTS = 10_000
_SUPER = 4000
"""The number of the type SUPER on Redshift; clients take its values as text."""


@dataclass(frozen=True)
class Cluster:
    """The PostgreSQL server that the emulator stands before, and how it is set.

    `tls` is for clients, `types` the numbers that types have on Redshift by those that they have in
    PostgreSQL, `statements` what clients have lately sent.
    """

    server: Server
    settings: Settings
    place: Place
    tls: ssl.SSLContext
    types: Mapping[int, int]
    faults: Faults = field(default_factory=Faults)
    statements: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_STATEMENTS))


def open_cluster(server: Server, settings: Settings) -> Cluster:
    """Raises OSError, psycopg.Error."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(server.folder / certificate.CHAIN, server.folder / certificate.KEY)
    trust = ssl.create_default_context(cafile=str(server.root_certificate))
    with server.connect(dbname=EMULATED_DATABASE) as connection:
        row = connection.execute("SELECT 'super'::regtype::oid").fetchone()
        assert row
    place = Place(server.host, server.port, trust)
    return Cluster(server, settings, place, tls, {row[0]: _SUPER})
