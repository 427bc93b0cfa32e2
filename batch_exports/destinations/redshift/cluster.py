"""What a cluster, or a workgroup, tells of itself."""

from typing import Any

import psycopg

_SLICES = "SELECT COUNT(*) FROM stv_slices WHERE type = 'D'"
# Of clusters that do not tell: two nodes of the smallest type have as many.
_FILES = 4
_LARGE_STRINGS = "SELECT is_large_string_enabled()"


def slices(connection: psycopg.Connection[Any]) -> int:
    """How many files it loads at a time; four where it does not tell, as serverless ones.

    https://docs.aws.amazon.com/redshift/latest/dg/r_STV_SLICES.html
    """
    found = asked(connection, _SLICES)
    return int(found) if found else _FILES


def most_string_bytes(connection: psycopg.Connection[Any]) -> int:
    """The most bytes that a string within SUPER may have.

    https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
    """
    return 16_000_000 if asked(connection, _LARGE_STRINGS) in (True, "t", "true", 1) else 65_535


def asked(connection: psycopg.Connection[Any], question: str) -> Any:
    """The answer; None where there is no such view or function, no right to it, or no way to ask
    without the risk of ending a transaction."""
    if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
        return None  # an error would end the transaction
    try:
        row = connection.execute(question).fetchone()
    except psycopg.DatabaseError:
        if connection.broken:
            raise
        return None
    return row[0] if row else None
