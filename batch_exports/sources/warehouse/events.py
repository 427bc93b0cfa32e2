"""Kept rows as identifies: what is asked of the warehouse, and events out of the answers.

Events are made a batch at a time: every value comes as text, and becomes a piece of JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.models import JSON
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse.dialect import Dialect, Form, Value
from batch_exports.sources.warehouse.difference import identifier, reason
from batch_exports.sources.warehouse.kinds import TableColumn
from batch_exports.sources.warehouse.mapping import IDENTIFYING, MappedTable
from batch_exports.sources.warehouse.state import OPERATION, REASON, SYNC, Sync
from batch_exports.transform.json_objects import json_objects
from batch_exports.transform.jsonlines import values_as_json

_ARROW: Mapping[Form, pa.DataType] = {"double": pa.float64(), "real": pa.float32()}
_ROW, _OPERATION = "kept", "operation"


@dataclass(frozen=True)
class Events:
    """The identifies of one generation's rows, as far as a selection has their columns.
    `unloaded` tells that answers come by UNLOAD."""

    mapped: MappedTable
    dialect: Dialect
    selection: Selection
    unloaded: bool = False

    @cached_property
    def _wanted(self) -> frozenset[str]:
        return frozenset(column.name for column in self.selection.columns)

    @cached_property
    def _values(self) -> Mapping[TableColumn, Value]:
        """How the values come out of the columns that are needed."""
        needed = dict.fromkeys(self.mapped.key if "record_id" in self._wanted else ())
        if "traits" in self._wanted:
            needed |= dict.fromkeys(column for column, _ in self.mapped.traits)
        return {c: self.dialect.value(c, unloaded=self._unloads(c)) for c in needed}

    @cached_property
    def _identifiers(self) -> Mapping[str, TableColumn]:
        return {what: c for what, c in self.mapped.identifiers.items() if what in self._wanted}

    def _unloads(self, column: TableColumn) -> bool:
        return self.unloaded and column not in self.mapped.key

    @property
    def answers(self) -> pa.Schema:
        """The names and types of what is asked."""
        fields = [(_OPERATION, pa.string())]
        fields += [(what, pa.string()) for what in self._identifiers]
        for number, value in enumerate(self._values.values()):
            type_ = _ARROW.get(value.form, pa.string())
            fields += [(f"v{number}_{n}", type_) for n in range(len(value.expressions))]
        return pa.schema(fields)

    def query(self, delta: TableName, sync: int, *, ordered: bool) -> sql.Composed:
        """The rows of a sync, by their key where they are `ordered`."""
        keys = sql.SQL(", ").join(sql.Identifier(_ROW, c.name) for c in self.mapped.key)
        return sql.SQL("SELECT {} FROM {} AS {} WHERE {} = {}").format(
            self._asked(sql.Identifier(_ROW, OPERATION)),
            delta.sql,
            sql.Identifier(_ROW),
            sql.Identifier(_ROW, SYNC),
            sql.Literal(sync),
        ) + (sql.SQL(" ORDER BY {}").format(keys) if ordered else sql.SQL(""))

    def sample(self, table: TableName, rows: int) -> sql.Composed:
        """The first so many rows of the table itself, each with the reason why it is invalid, or
        NULL; but for rows whose key others have as well."""
        invalid = reason(self.mapped, self.dialect, _ROW, duplicates=False)
        return sql.SQL("SELECT {}, {} AS {} FROM {} AS {} LIMIT {}").format(
            self._asked(sql.SQL("CAST('insert' AS VARCHAR(16))")),
            invalid,
            sql.Identifier(REASON),
            table.sql,
            sql.Identifier(_ROW),
            sql.Literal(rows),
        )

    def _asked(self, operation: sql.Composable) -> sql.Composed:
        expressions = [operation]
        expressions += [
            identifier(column, self.dialect, _ROW) for column in self._identifiers.values()
        ]
        for column, value in self._values.items():
            expressions += value.of(sql.Identifier(_ROW, column.name))
        named = zip(expressions, self.answers.names, strict=True)
        return sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(one, sql.Identifier(name)) for one, name in named
        )

    def of(self, answers: pa.RecordBatch, sync: Sync) -> pa.RecordBatch:
        """The events of a batch of answers, in the selection's schema."""
        rows = answers.num_rows
        columns = []
        for column in self.selection.columns:
            match column.name:
                case "operation":
                    values = answers.column(_OPERATION)
                case "record_id":
                    values = self._record_ids(answers)
                case "traits":
                    values = self._traits(answers)
                case "root":
                    values = self._root(answers)
                case "batch_id":
                    values = pa.repeat(pa.scalar(sync.batch_id), rows)
                case "sent_at":
                    values = pa.repeat(pa.scalar(sync.sent_at, column.type), rows)
                case "data_interval_start":
                    values = pa.repeat(pa.scalar(sync.interval.start, column.type), rows)
                case identifying:
                    assert identifying in IDENTIFYING
                    known = identifying in self._identifiers
                    values = answers.column(identifying) if known else pa.nulls(rows, pa.string())
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=self.selection.schema)

    def _record_ids(self, answers: pa.RecordBatch) -> pa.Array:
        if len(self.mapped.key) == 1:
            return self._answer(answers, self.mapped.key[0])
        parts: list[pa.Array | str] = []
        for column in self.mapped.key:
            parts += [",", self._as_json(answers, column)]
        return pc.binary_join_element_wise("[", *parts[1:], "]", "")

    def _traits(self, answers: pa.RecordBatch) -> pa.Array:
        paths = {path: self._as_json(answers, column) for column, path in self.mapped.traits}
        objects = json_objects(paths | dict(self.mapped.constants), answers.num_rows)
        return _as_column(objects, answers)

    def _root(self, answers: pa.RecordBatch) -> pa.Array:
        rows = answers.num_rows
        if not self.mapped.root:
            return pa.ExtensionArray.from_storage(JSON, pa.nulls(rows, pa.string()))
        return _as_column(json_objects(self.mapped.root, rows), answers)

    def _as_json(self, answers: pa.RecordBatch, column: TableColumn) -> pa.Array:
        values = self._answer(answers, column)
        if self._values[column].form in ("json", "hex"):
            return values
        return values_as_json(values.type, values)

    def _answer(self, answers: pa.RecordBatch, column: TableColumn) -> pa.Array:
        """The values as they came, of JSON its text."""
        number = list(self._values).index(column)
        value = self._values[column]
        found = [answers.column(f"v{number}_{n}") for n in range(len(value.expressions))]
        if value.form == "hex":
            return _unhexed(found[0])
        return found[0] if len(found) == 1 else pc.coalesce(*found)


def _as_column(objects: pa.Array, answers: pa.RecordBatch) -> pa.Array:
    """Objects as values of a JSON column: of what was deleted nothing is known any more."""
    gone = pc.equal(answers.column(_OPERATION), "delete")
    return pa.ExtensionArray.from_storage(JSON, pc.if_else(gone, None, objects))


def _unhexed(digits: pa.Array) -> pa.Array:
    """Text out of the hexadecimal digits of its bytes, with or without PostgreSQL's \\x."""
    bare = pc.replace_substring_regex(digits, r"^\\x", "")
    return pl.Series(bare).str.decode("hex").to_arrow().cast(pa.binary()).cast(pa.string())
