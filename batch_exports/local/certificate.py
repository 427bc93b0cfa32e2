"""A server's certificate for this machine's loopback, and the authority that signed it."""

from importlib import import_module
from pathlib import Path

from batch_exports.local.errors import LocalError
from batch_exports.local.private import write_private

ROOT = "root.crt"
CHAIN = "server.crt"
KEY = "server.key"


def issue(folder: Path) -> None:
    """Write an authority of its own and its certificate for localhost and 127.0.0.1 to `folder`.

    The files are `ROOT`, which clients trust, and `CHAIN` and `KEY`, which the server shows; what
    is there stays. The authority's key is kept nowhere, so that it signs nothing else. Raises
    LocalError when the package that makes certificates is not installed.
    """
    if all((folder / name).exists() for name in (ROOT, CHAIN, KEY)):
        return
    try:
        authority = import_module("trustme").CA()
    except ImportError as error:
        raise LocalError(
            "there is nothing to make a certificate with: the package trustme is missing. Install "
            "the package with its local parts: pip install 'batch-exports[local]'"
        ) from error
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(certificate.bytes() for certificate in issued.cert_chain_pems)
    for name, content in (
        (ROOT, authority.cert_pem.bytes()),
        (CHAIN, chain),
        (KEY, issued.private_key_pem.bytes()),
    ):
        write_private(folder / name, content.decode())
