"""What goes wrong with files on disk and on S3, as our errors, with the file's name."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from batch_exports.errors import BatchExportError, Terminal, Transient


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Errors of the file system and of broken files, as ours, with the file's name."""
    try:
        yield
    except BatchExportError:
        raise
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _damaged(where, error) from error
    except FileNotFoundError as error:
        raise Transient(
            f"{where} was there when its folder was listed, and is no more.",
            remedy="It is tried again with a new listing.",
        ) from error
    except PermissionError as error:
        raise Terminal(
            f"{where} may not be read: {error}.", remedy="Grant read access to the source."
        ) from error
    except OSError as error:
        raise _storage_error(where, error) from error


def _storage_error(where: str, error: OSError) -> BatchExportError:
    """Arrow's S3 file system tells its errors apart in their text alone."""
    text = str(error)
    denied = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "HTTP 403")
    if any(mark in text for mark in denied):
        return Terminal(f"{where} may not be read: {text}.", remedy="Check the connection's keys.")
    if "NO_SUCH_BUCKET" in text:
        return Terminal(f"{where}: the bucket does not exist.", remedy="Correct the path.")
    if error.errno is None and "AWS Error" not in text:
        return _damaged(where, error)  # from a decoder: no system call and no request failed
    return Transient(f"{where} cannot be read: {text}.", remedy="It is tried again.")


def _damaged(where: str, error: Exception) -> Terminal:
    return Terminal(
        f"{where} cannot be read: {error}.",
        remedy="Write the file again; a file under way should have a name that begins with an "
        "underscore.",
    )
