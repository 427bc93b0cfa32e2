"""A table, and how it is to be synced."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from batch_exports.destinations.postgres.table import TableName
from batch_exports.sources.warehouse.dialect import Dialect
from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports.sources.warehouse.state import State

Mode = Literal["upsert", "mirror", "full"]


@dataclass(frozen=True)
class SyncedTable:
    """`upsert` tells rows that are new or changed, `mirror` those that vanished as well, `full` all
    rows each time."""

    source: str
    table: TableName
    state_schema: str
    dialect: Dialect
    mapping: EventMapping
    mode: Mode = "upsert"

    @property
    def sha256(self) -> str:
        """What no other table, nor this one under another mapping, has, in hex."""
        what = f"{self.table} {self.mapping.sha256}"
        return hashlib.sha256(what.encode()).hexdigest()

    @property
    def state(self) -> State:
        return State(self.state_schema, self.source, self.dialect)
