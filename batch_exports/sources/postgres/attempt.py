"""An attempt to read from PostgreSQL."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.server_attempt import ServerAttempt
from batch_exports.interval import DataInterval
from batch_exports.sources.postgres.errors import reading_errors
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.source import Selection


@dataclass(frozen=True)
class Tried:
    """What of a source the attempt at a server asks for."""

    source: Postgres
    selection: Selection

    @property
    def connect(self) -> Callable[[str], psycopg.Connection[Any]]:
        return self.source.connect

    @property
    def address(self) -> str:
        return self.source.address

    @property
    def name(self) -> TableName:
        return TableName(*self.source.table(self.selection.model))

    @property
    def export(self) -> str:
        return self.source.name

    def uri(self, interval: DataInterval) -> str:
        return self.source.where(self.selection.model)


@dataclass
class Attempt(ServerAttempt[Tried]):
    """`interval` is one that has passed."""

    interval: DataInterval = field(kw_only=True)

    def errors(self, where: str, user: str) -> AbstractContextManager[None]:
        return reading_errors(where, user=user, schema=self.destination.name.schema)
