"""The certificates of authorities: those that a user names, and those that this machine trusts."""

import ssl
from pathlib import Path

from batch_exports.errors import ConfigurationError

# Where systems keep theirs, as Go looks for them (crypto/x509/root_linux.go, root_bsd.go).
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Amazon Linux, newer Red Hat
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def named_authorities(field: str, written: str) -> str:
    """The absolute path of the PEM file that `written` leads to.

    Raises `ConfigurationError` for one that cannot be read, or holds no certificate.
    """
    path = Path(written).expanduser().absolute()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        problem = f"{written!r} holds no certificate."
    except OSError as error:
        problem = f"{written!r} cannot be read: {error.strerror}."
    else:
        return str(path)
    raise ConfigurationError(
        field, problem, remedy="Give the path of a file of certificates, as PEM."
    )


def system_authorities(field: str) -> str:
    """The path of the system's PEM file; the environment's SSL_CERT_FILE comes first.

    Psycopg's wheels bring an OpenSSL of their own, which looks for it in a folder that no system
    has: `sslrootcert=system` trusts nobody there. Raises `ConfigurationError` where there is none.
    """
    for bundle in (ssl.get_default_verify_paths().cafile, *_BUNDLES):
        if bundle and Path(bundle).is_file():
            return bundle
    raise ConfigurationError(
        field,
        "this machine has no file of authorities to trust.",
        remedy="Install its package ca-certificates, or give the authority's certificate.",
    )
