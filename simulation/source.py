"""The sources of the simulation: an application's PostgreSQL, and a lake of files, which grow."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from batch_exports.local.event_schema import EVENTS
from batch_exports.local.postgres_server import Server
from simulation.rows import EVENT_COLUMNS, PERSON_COLUMNS, burst_of, day_of, days

_EVENTS: LiteralString = """
CREATE TABLE events (
    uuid text PRIMARY KEY, event text, distinct_id text, person_id text, team_id bigint,
    "timestamp" timestamptz, created_at timestamptz, inserted_at timestamptz,
    properties jsonb, person_properties jsonb, elements_chain text, ip text,
    "set" jsonb, set_once jsonb);
CREATE INDEX ON events (inserted_at);
"""
_PERSONS: LiteralString = """
CREATE TABLE persons (
    team_id bigint, distinct_id text, person_id text, properties jsonb,
    person_distinct_id_version bigint, person_version bigint, created_at timestamptz,
    is_deleted boolean, inserted_at timestamptz);
CREATE INDEX ON persons (inserted_at);
"""


class Sources:
    """Shows rows as they arrive, up to a moment; a day's `late` ones are held back until asked for.

    The lake gets a file a day, when the day is over.
    """

    def __init__(self, app: Server, lake: Path, seed: int, begin: datetime) -> None:
        self._app, self._lake, self._seed = app, lake / "events", seed
        self._shown, self._laid = begin, begin
        self._lake.mkdir(parents=True)
        reader = sql.Identifier(app.exporter.user)
        with app.connect() as connection:
            connection.execute(_EVENTS)
            connection.execute(_PERSONS)
            grant = sql.SQL("GRANT SELECT ON events, persons TO {}")
            connection.execute(grant.format(reader))

    def grow(self, until: datetime) -> None:
        """Nothing grows where the server cannot be reached; it catches up later."""
        found = [day_of(self._seed, day) for day in days(self._shown, until)]
        arrived = [row for day in found for row in day.events if self._is_new(row[7], until)]
        changed = [row for day in found for row in day.persons if self._is_new(row[-1], until)]
        try:
            with self._app.connect() as connection:
                _copy(connection, "events", EVENT_COLUMNS, arrived)
                _copy(connection, "persons", PERSON_COLUMNS, changed)
        except psycopg.OperationalError:
            return
        self._shown = max(self._shown, until)
        while (following := self._laid + timedelta(days=1)) <= until:
            rows = day_of(self._seed, self._laid.date()).events
            table = pa.Table.from_pylist(
                [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in rows], schema=EVENTS
            )
            pq.write_table(table, self._lake / f"{self._laid:%Y-%m-%d}.parquet")
            self._laid = following

    def show_late(self, first: datetime, last: datetime) -> None:
        """The rows that these days had held back, each with the time at which it had arrived."""
        rows = [row for day in days(first, last) for row in day_of(self._seed, day).late]
        with self._app.connect() as connection:
            _copy(connection, "events", EVENT_COLUMNS, rows)

    def burst(self, day: datetime) -> None:
        """Half a megabyte more than usual arrives on that day."""
        rows = burst_of(self._seed, day.date())
        with self._app.connect() as connection:
            _copy(connection, "events", EVENT_COLUMNS, rows)

    def forget(self, day: datetime) -> None:
        """Delete one of the day's events, as a person has asked for."""
        midnight = datetime.combine(day.date(), time(), UTC)
        with self._app.connect() as connection:
            connection.execute(
                "DELETE FROM events WHERE uuid = (SELECT min(uuid) FROM events"
                " WHERE inserted_at >= %s AND inserted_at < %s)",
                (midnight, midnight + timedelta(days=1)),
            )

    def alter(self, statement: LiteralString) -> None:
        with self._app.connect() as connection:
            connection.execute(statement)

    def _is_new(self, moment: datetime, until: datetime) -> bool:
        return self._shown <= moment < until


def _copy(
    connection: psycopg.Connection,
    table: LiteralString,
    columns: tuple[str, ...],
    rows: list[tuple[Any, ...]],
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
