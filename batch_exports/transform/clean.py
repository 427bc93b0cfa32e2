"""Rows that the destination can hold, parted from those that it cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.models import JSON
from batch_exports.transform import jsonb
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable, SuperLimits
from batch_exports.transform.json_text import is_too_deep, positions_mask, repair
from batch_exports.transform.limits import (
    out_of_range,
    too_large,
    too_many_characters,
)
from batch_exports.transform.lists import with_elements
from batch_exports.transform.sizes import lists_beyond_super, rows_beyond
from batch_exports.transform.super import fit_super
from batch_exports.transform.text import mend_nul, mend_utf8

NOT_UTF8 = "has bytes that are not UTF-8"
NUL = "has the character U+0000"
LONE_SURROGATE = "has an escaped surrogate without its partner"
NOT_JSON = "is not valid JSON"
TOO_DEEP = "is nested too deep to be read"
BEYOND_NUMERIC = (
    f"has a number of more than {jsonb.DIGITS_BEFORE_POINT} digits before its point, "
    f"or {jsonb.DIGITS_AFTER_POINT} after it"
)
TOO_LARGE = f"takes more than {jsonb.MOST_BYTES} bytes as jsonb, or has too many members"
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
        required = not field.nullable or field.name in capabilities.required
        if required and columns[index].null_count:
            nulls = pc.indices_nonzero(pc.is_null(columns[index])).to_pylist()
            findings += _findings(field.name, nulls, MISSING, replaced=False)
        columns[index], found = _clean_column(field, columns[index], capabilities)
        findings += found
    told = {(finding.position, finding.column) for finding in findings if not finding.replaced}
    large = _check_rows(batch, capabilities.row_bytes)
    findings += [finding for finding in large if (finding.position, finding.column) not in told]
    if not findings:
        return Cleaned(batch)
    if policy is OnUnrepresentable.FAIL:
        raise _failure(batch, min(findings, key=lambda finding: finding.position), key)
    if policy is OnUnrepresentable.REJECT:
        findings = [replace(finding, replaced=False) for finding in findings]
    rejected = {finding.position for finding in findings if not finding.replaced}
    replaced = {finding.position for finding in findings} - rejected
    mended = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    return Cleaned(
        mended.filter(pc.invert(positions_mask(sorted(rejected), batch.num_rows))),
        _aside(batch, findings),
        replaced=len(replaced),
        rejected=len(rejected),
    )


def _check_rows(batch: pa.RecordBatch, limit: int | None) -> list[Finding]:
    """What is too large as a whole, whichever of its values makes it so: the largest is named."""
    if limit is None or batch.nbytes <= limit:
        return []
    suspects = ((position, batch.slice(position, 1)) for position in rows_beyond(batch, limit))
    return [
        Finding(
            position,
            max(batch.schema.names, key=lambda name: row.column(name).nbytes),
            f"is of a row of {row.nbytes} bytes, and a row may have {limit}",
            replaced=False,
        )
        for position, row in suspects
        if row.nbytes > limit
    ]


def _clean_column(
    field: pa.Field, values: pa.Array, capabilities: Capabilities
) -> tuple[pa.Array, list[Finding]]:
    name, type_ = field.name, field.type
    if type_.equals(JSON):
        clean_storage = _clean_json if capabilities.parses_json else _clean_text
        storage, findings = clean_storage(name, values.storage, capabilities)
        findings += _refused(name, too_large(name, storage, capabilities))
        return pa.ExtensionArray.from_storage(JSON, storage), findings
    if pa.types.is_string(type_):
        values, findings = _clean_text(name, values, capabilities)
        return values, findings + _refused(name, too_large(name, values, capabilities))
    if _is_list_of_text(type_):
        return _clean_lists(name, values, capabilities)
    return values, _refused(name, out_of_range(name, values, capabilities))


def _clean_text(
    column: str, values: pa.Array, capabilities: Capabilities
) -> tuple[pa.Array, list[Finding]]:
    values, bad = mend_utf8(values)
    findings = _findings(column, bad, NOT_UTF8, replaced=True)
    if not capabilities.holds_nul:
        values, bad = mend_nul(values)
        findings += _findings(column, bad, NUL, replaced=True)
    return values, findings + _refused(column, too_many_characters(column, values, capabilities))


def _clean_lists(
    column: str, values: pa.Array, capabilities: Capabilities
) -> tuple[pa.Array, list[Finding]]:
    texts, findings = _clean_text(column, values.flatten(), capabilities)
    if findings:
        lengths = pc.fill_null(pc.list_value_length(values), 0)
        rows = np.repeat(np.arange(len(values)), lengths)
        # Several texts of one list may have the same fault, which is one finding.
        of_rows = [replace(finding, position=int(rows[finding.position])) for finding in findings]
        values, findings = with_elements(values, texts), list(dict.fromkeys(of_rows))
    findings += _refused(column, too_large(column, values, capabilities))
    if limits := capabilities.supers.get(column):
        findings += _refused(column, lists_beyond_super(values, limits))
    return values, findings


def _clean_json(
    column: str, values: pa.Array, capabilities: Capabilities
) -> tuple[pa.Array, list[Finding]]:
    values, not_utf8 = mend_utf8(values)
    repaired = repair(values)
    deep = [p for p in repaired.invalid if is_too_deep(values[p].as_buffer().to_pybytes())]
    invalid = sorted({*repaired.invalid} - {*deep})
    findings = [
        *_findings(column, not_utf8, NOT_UTF8, replaced=True),
        *_findings(column, repaired.replaced, LONE_SURROGATE, replaced=True),
        *_findings(column, deep, TOO_DEEP, replaced=False),
        *_findings(column, invalid, NOT_JSON, replaced=False),
    ]
    values = repaired.values
    limits = capabilities.supers.get(column)
    if repaired.invalid and (capabilities.jsonb or limits):
        # These rows are rejected, whatever else may be wrong with them.
        values = pc.if_else(positions_mask(repaired.invalid, len(values)), None, values)
    if capabilities.jsonb:
        values, found = _fit_jsonb(column, values)
        findings += found
    if limits:
        values, found = _fit_super(column, values, limits)
        findings += found
    return values, findings + _refused(column, too_many_characters(column, values, capabilities))


def _fit_jsonb(column: str, values: pa.Array) -> tuple[pa.Array, list[Finding]]:
    fitted = jsonb.fit(values)
    return fitted.values, [
        *_findings(column, fitted.replaced, NUL, replaced=True),
        *_findings(column, fitted.beyond_numeric, BEYOND_NUMERIC, replaced=False),
        *_findings(column, fitted.too_deep, TOO_DEEP, replaced=False),
        *_findings(column, fitted.too_large, TOO_LARGE, replaced=False),
    ]


def _fit_super(
    column: str, values: pa.Array, limits: SuperLimits
) -> tuple[pa.Array, list[Finding]]:
    fitted = fit_super(values, limits)
    return fitted.values, [
        *_findings(column, fitted.replaced, NUL, replaced=True),
        *_refused(column, fitted.refused),
    ]


def _findings(
    column: str, positions: Iterable[int], reason: str, *, replaced: bool
) -> list[Finding]:
    return [Finding(position, column, reason, replaced) for position in positions]


def _refused(column: str, refused: Iterable[tuple[int, str]]) -> list[Finding]:
    return [Finding(position, column, reason, replaced=False) for position, reason in refused]


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
    return pa.schema([*marks, *(pa.field(f.name, _raw_type(f.type)) for f in schema)])


def _raw(values: pa.Array) -> pa.Array:
    storage = values.storage if values.type.equals(JSON) else values
    return storage.cast(_raw_type(values.type))


def _raw_type(type_: pa.DataType) -> pa.DataType:
    if type_.equals(JSON) or pa.types.is_string(type_):
        return pa.binary()
    return pa.list_(pa.binary()) if _is_list_of_text(type_) else type_


def _is_list_of_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) and pa.types.is_string(type_.value_type))


def _failure(batch: pa.RecordBatch, finding: Finding, key: Sequence[str]) -> Terminal:
    row: dict[str, Any] = {name: _raw(batch.column(name))[finding.position].as_py() for name in key}
    return Terminal(
        f"{finding.column} of the row {row} {finding.reason}.",
        remedy="Correct it at the source, or set on_unrepresentable to replace or reject.",
    )
