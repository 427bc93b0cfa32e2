"""Certificates of one's own making, and servers that show them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from batch_exports.local.certificate import CHAIN, KEY
from batch_exports.local.postgres_server import Server


def show_own_certificate(server: Server, host: str = "localhost") -> Path:
    """Let `server` show a certificate that no authority signed; its path, for clients to pin."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, SHA256())
    )
    own = certificate.public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    show(server, own, secret)
    pinned = server.folder / f"{certificate.serial_number}.pem"
    pinned.write_bytes(own)
    return pinned


def show(server: Server, chain: bytes, key: bytes) -> None:
    """Let `server` show another certificate from now on."""
    with server.connect(sslmode="require", sslrootcert="", autocommit=True) as connection:
        (server.folder / CHAIN).write_bytes(chain)
        (server.folder / KEY).write_bytes(key)
        before = connection.execute("SELECT pg_conf_load_time(), pg_reload_conf()").fetchone()
        assert before
    loaded = before[0]
    while loaded == before[0]:
        with server.connect(sslmode="require", sslrootcert="") as connection:
            (loaded,) = connection.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
