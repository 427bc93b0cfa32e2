"""Rows that the destination can hold, parted from those that it cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.models import JSON
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.json_text import positions_failing, positions_mask, repair

NOT_UTF8 = "has bytes that are not UTF-8"
LONE_SURROGATE = "has an escaped surrogate without its partner"
NOT_JSON = "is not valid JSON"
MISSING = "is missing, and the column takes no NULL"


@dataclass(frozen=True)
class Finding:
    """A value that the destination cannot hold, and what became of its row."""

    position: int
    column: str
    reason: str
    replaced: bool


@dataclass(frozen=True)
class Cleaned:
    """Rows to deliver, and beside them the originals of rows that were changed or rejected.

    `aside` has the batch's columns with text as raw bytes, behind `_action` (`replaced` or
    `rejected`), `_column` and `_reason`: one row a finding. None where nothing was found.
    """

    batch: pa.RecordBatch
    aside: pa.RecordBatch | None = None
    replaced: int = 0
    rejected: int = 0


def clean(
    batch: pa.RecordBatch,
    capabilities: Capabilities,
    policy: OnUnrepresentable,
    key: Sequence[str],
) -> Cleaned:
    """Part the rows of a batch. Raises `Terminal`, naming row and column, under policy `fail`."""
    columns, findings = list(batch.columns), list[Finding]()
    for index, field in enumerate(batch.schema):
        if not field.nullable and columns[index].null_count:
            nulls = pc.indices_nonzero(pc.is_null(columns[index])).to_pylist()
            findings += _findings(field.name, nulls, MISSING, replaced=False)
        columns[index], found = _clean_column(field, columns[index], capabilities)
        findings += found
    if not findings:
        return Cleaned(batch)
    if policy is OnUnrepresentable.FAIL:
        raise _failure(batch, min(findings, key=lambda finding: finding.position), key)
    if policy is OnUnrepresentable.REJECT:
        findings = [Finding(f.position, f.column, f.reason, replaced=False) for f in findings]
    rejected = {finding.position for finding in findings if not finding.replaced}
    replaced = {finding.position for finding in findings} - rejected
    mended = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    return Cleaned(
        mended.filter(pc.invert(positions_mask(sorted(rejected), batch.num_rows))),
        _aside(batch, findings),
        replaced=len(replaced),
        rejected=len(rejected),
    )


def _clean_column(
    field: pa.Field, values: pa.Array, capabilities: Capabilities
) -> tuple[pa.Array, list[Finding]]:
    if field.type.equals(JSON):
        storage, findings = _clean_text(field.name, values.storage)
        if capabilities.parses_json:
            storage, more = _clean_json(field.name, storage)
            findings += more
        return pa.ExtensionArray.from_storage(JSON, storage), findings
    if pa.types.is_string(field.type):
        return _clean_text(field.name, values)
    if pa.types.is_timestamp(field.type) and capabilities.years:
        return values, _check_years(field.name, values, capabilities.years)
    return values, []


def _clean_text(column: str, values: pa.Array) -> tuple[pa.Array, list[Finding]]:
    bad = positions_failing(len(values), partial(_is_utf8, values))
    if not bad:
        return values, []
    mended = [values.cast(pa.binary())[p].as_py().decode(errors="replace") for p in bad]
    mask = positions_mask(bad, len(values))
    values = pc.replace_with_mask(values, mask, pa.array(mended, pa.string()))
    return values, _findings(column, bad, NOT_UTF8, replaced=True)


def _is_utf8(values: pa.Array, start: int, stop: int) -> bool:
    try:
        values.slice(start, stop - start).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _clean_json(column: str, values: pa.Array) -> tuple[pa.Array, list[Finding]]:
    repaired = repair(values)
    return repaired.values, [
        *_findings(column, repaired.replaced, LONE_SURROGATE, replaced=True),
        *_findings(column, repaired.invalid, NOT_JSON, replaced=False),
    ]


def _check_years(column: str, values: pa.Array, years: tuple[int, int]) -> list[Finding]:
    first = _microseconds(datetime(years[0], 1, 1, tzinfo=UTC))
    end = _microseconds(datetime(years[1], 12, 31, tzinfo=UTC)) + 86_400_000_000
    instants = values.cast(pa.int64())
    outside = pc.or_(pc.less(instants, first), pc.greater_equal(instants, end))
    bad = pc.indices_nonzero(pc.fill_null(outside, False)).to_pylist()
    reason = f"lies outside the years {years[0]} to {years[1]}"
    return _findings(column, bad, reason, replaced=False)


def _microseconds(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000


def _findings(
    column: str, positions: Iterable[int], reason: str, *, replaced: bool
) -> list[Finding]:
    return [Finding(position, column, reason, replaced) for position in positions]


def _aside(batch: pa.RecordBatch, findings: list[Finding]) -> pa.RecordBatch:
    originals = batch.take(pa.array([finding.position for finding in findings]))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(["replaced" if f.replaced else "rejected" for f in findings]),
            pa.array([f.column for f in findings]),
            pa.array([f.reason for f in findings]),
            *(_raw(column) for column in originals.columns),
        ],
        schema=aside_schema(batch.schema),
    )


def aside_schema(schema: pa.Schema) -> pa.Schema:
    """The columns in which originals of changed and rejected rows are kept."""
    marks = [pa.field(name, pa.string()) for name in ("_action", "_column", "_reason")]
    return pa.schema(
        [*marks, *(pa.field(f.name, pa.binary() if _is_text(f.type) else f.type) for f in schema)]
    )


def _raw(values: pa.Array) -> pa.Array:
    storage = values.storage if values.type.equals(JSON) else values
    return storage.cast(pa.binary()) if _is_text(values.type) else values


def _is_text(type_: pa.DataType) -> bool:
    return bool(type_.equals(JSON) or pa.types.is_string(type_))


def _failure(batch: pa.RecordBatch, finding: Finding, key: Sequence[str]) -> Terminal:
    row: dict[str, Any] = {name: _raw(batch.column(name))[finding.position].as_py() for name in key}
    return Terminal(
        f"{finding.column} of the row {row} {finding.reason}.",
        remedy="Correct it at the source, or set on_unrepresentable to replace or reject.",
    )
