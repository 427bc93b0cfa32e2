"""How a database keeps transactions apart, and what a delivery does about it.

https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.cluster import asked

Result = TypeVar("Result")

# https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html
_LEVEL = "SELECT isolation_level FROM stv_db_isolation_level WHERE db_name = current_database()"
# The last try comes after about a minute.
_TRIES = 6
_FIRST_PAUSE_SECONDS = 1.0


def is_serializable(connection: psycopg.Connection[Any]) -> bool:
    """Whether transactions may fail for what others did; so it is taken to be where the database
    does not tell."""
    level = asked(connection, _LEVEL)
    # Either "Serializable" or "Snapshot Isolation".
    return level is None or not str(level).lower().startswith("snapshot")


def lock(connection: psycopg.Connection[Any], tables: Sequence[TableName]) -> None:
    """Until the transaction ends no other one reads or writes these tables. As its first statement
    it goes before the view of the data that the transaction is judged by."""
    names = sql.SQL(", ").join(table.sql for table in tables)
    connection.execute(sql.SQL("LOCK TABLE {}").format(names))


def retried(transaction: Callable[[], Result]) -> Result:
    """Run a whole transaction, again where only its isolation ended it (error 1023)."""
    for pause in (_FIRST_PAUSE_SECONDS * 2**number for number in range(_TRIES - 1)):
        try:
            return transaction()
        except psycopg.DatabaseError as error:
            if not is_isolation_violation(error):
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
    return transaction()


def is_isolation_violation(error: psycopg.Error) -> bool:
    text = f"{error.diag.message_primary} {error.diag.message_detail}".lower()
    return error.sqlstate == "40001" or "serializable isolation violation" in text
