"""Asset checks of an export: each reads the destination anew, a partition at a time."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import dagster as dg
import pyarrow as pa

from batch_exports.destinations.delivery import (
    Delivery,
    Destination,
    Landed,
    MergingDestination,
    ResolvingDestination,
)
from batch_exports.errors import Terminal
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.models import IDENTIFIES, Rule
from batch_exports.sources.rejections import RejectingSource
from batch_exports.sources.source import Source

_EXAMPLES = 5


@dataclass(frozen=True)
class Outcome:
    """The result of a check for one interval. A warning does not pass, and fails nothing."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class Examination:
    """What a check may look at."""

    export: Export
    source: Source
    destination: Destination
    interval: DataInterval
    deep: bool

    def source_keys(self) -> AbstractContextManager[pa.RecordBatchReader]:
        """Read anew by which keys the source knows the interval's rows, and in which versions."""
        return self.source.read(self.export.selection.keys_alone, self.interval)


def check_row_count(it: Examination) -> Outcome:
    """Rows in the source = rows delivered and rejected = rows that the destination holds."""
    in_source = it.source.count(it.export.selection, it.interval)
    landed = it.destination.inspect(it.interval, deep=it.deep, source_keys=it.source_keys)
    delivery = landed.delivery
    problems = list(landed.problems)
    if in_source != delivery.source_rows:
        problems.append(
            f"The source has {in_source} rows; {delivery.rows} were delivered"
            f"{_left_out(delivery)}. Rows may have come late: materialize again."
        )
    counted = "not counted" if landed.rows is None else landed.rows
    return Outcome(
        not problems,
        " ".join(problems) or _reconciled(in_source, landed),
        {
            "source_rows": in_source,
            "delivered_rows": delivery.rows,
            "rejected_rows": delivery.rejected,
            "landed_rows": counted,
        },
    )


def _reconciled(in_source: int, landed: Landed) -> str:
    """What was compared, and nothing else."""
    text = f"Rows in the source: {in_source}, and as many in the record{_left_out(landed.delivery)}"
    if landed.rows is None:
        return f"{text}; {landed.compared}."
    return f"{text}; counted where they landed: {landed.rows}."


def _left_out(delivery: Delivery) -> str:
    parts = {"rejected": delivery.rejected, "skipped": delivery.skipped}
    return "".join(f", {rows} {what}" for what, rows in parts.items() if rows)


def check_schema(it: Examination) -> Outcome:
    """Columns and types in the data are those of the export."""
    found = it.destination.columns(it.interval, it.export.selection.schema)
    said = " ".join([*found.problems, *found.warnings])
    severity = dg.AssetCheckSeverity.ERROR if found.problems else dg.AssetCheckSeverity.WARN
    return Outcome(
        not said,
        said or f"All {len(found.types)} columns are as they should be.",
        {
            "columns": dg.MetadataValue.table_schema(
                dg.TableSchema([dg.TableColumn(n, t) for n, t in found.types.items()])
            )
        },
        severity,
    )


def check_keys(it: Examination) -> Outcome:
    """No row without a key, and no key twice within the interval."""
    key = it.export.selection.identity
    found = it.destination.keys(it.interval, it.source_keys)
    problems = []
    if found.nulls:
        problems.append(f"Rows without {', '.join(key)}: {found.nulls}.")
    if found.duplicates:
        problems.append(f"Rows that repeat a key: {found.duplicates}, such as {found.examples[0]}.")
    return Outcome(
        not problems,
        " ".join(problems) or f"Rows, each with a key of its own: {found.rows}.",
        {
            "rows": found.rows,
            "null_keys": found.nulls,
            "duplicate_keys": found.duplicates,
            "examples": list(found.examples),
        },
    )


def check_values(it: Examination) -> Outcome:
    """No value was replaced (a warning), and no row rejected (an error)."""
    delivery = it.destination.delivery(it.interval)
    metadata: dict[str, Any] = {
        "replaced_rows": delivery.replaced,
        "rejected_rows": delivery.rejected,
    }
    if delivery.aside:
        metadata["originals"] = dg.MetadataValue.path(delivery.aside)
    if delivery.rejected:
        description = (
            f"Rows rejected: {delivery.rejected}. {delivery.aside} keeps them with the reason. "
            "Correct them at the source and materialize again."
        )
        return Outcome(False, description, metadata)
    if delivery.replaced:
        description = (
            f"Rows with a replaced value: {delivery.replaced}. "
            f"{delivery.aside} keeps the originals."
        )
        return Outcome(False, description, metadata, dg.AssetCheckSeverity.WARN)
    return Outcome(True, "Every value was delivered as it was.", metadata)


def check_versions(it: Examination) -> Outcome:
    """No row in the table is older than the interval's row of the same key."""
    found = cast(MergingDestination, it.destination).versions(it.interval, it.source_keys)
    return Outcome(
        not found.stale,
        f"Rows older than the source's: {found.stale}, such as {found.examples[0]}. "
        "Materialize the partition again."
        if found.stale
        else f"Rows as new as the source's, or newer: {found.rows}.",
        {"rows": found.rows, "stale_rows": found.stale, "examples": list(found.examples)},
    )


def check_cycles(it: Examination) -> Outcome:
    """No merges of IDs lead in a circle, in the whole table."""
    found = cast(ResolvingDestination, it.destination).cycles(it.interval)
    return Outcome(
        not found.ids,
        f"IDs that are not resolved: {found.ids}, as merges lead in a circle: {found.examples[0]}."
        if found.ids
        else "Every merged ID is resolved.",
        {"unresolved_ids": found.ids, "examples": list(found.examples[:_EXAMPLES])},
    )


def check_source_rows(it: Examination) -> Outcome:
    """The source left no row out as invalid."""
    if not isinstance(it.source, RejectingSource):
        return Outcome(True, "The source leaves no row out.")
    found = it.source.rejections(it.export.selection, it.interval)
    rows = sum(found.rows.values())
    if not rows:
        return Outcome(True, "Every row is valid.", {"invalid_rows": 0})
    why = "; ".join(f"{number}: {reason}" for reason, number in found.rows.items())
    return Outcome(
        False,
        f"Rows left out: {rows} ({why}), such as {', '.join(found.examples)}. {found.where} keeps "
        "them. Correct them in the table: the next sync takes them in.",
        {"invalid_rows": rows, "examples": list(found.examples)},
    )


def check_of_rule(rule: Rule) -> "Check":
    """Rows that break a rule of the model are as the source has them: that is a warning."""

    def check(it: Examination) -> Outcome:
        selection = it.export.selection
        columns = {column.name: column for column in selection.model.columns}
        names = dict.fromkeys((*selection.model.key, *rule.columns))
        needed = replace(selection, columns=tuple(columns[name] for name in names))
        rows = broken = 0
        examples: list[str] = []
        with it.source.read(needed, it.interval) as batches:
            for batch in batches:
                found = batch.filter(rule.broken(batch)).select(selection.model.key)
                rows, broken = rows + batch.num_rows, broken + found.num_rows
                keys = found.slice(0, _EXAMPLES - len(examples)).to_pylist()
                examples += [", ".join(map(str, key.values())) for key in keys]
        return Outcome(
            not broken,
            f"Rows that break the rule: {broken} of {rows}, such as {examples[0]}."
            if broken
            else f"Rows that keep the rule: {rows}.",
            {"rows": rows, "broken_rows": broken, "examples": examples},
            dg.AssetCheckSeverity.WARN,
        )

    check.__doc__ = rule.description
    return check


Check = Callable[[Examination], Outcome]

CHECKS: Mapping[str, Check] = {
    "row_count": check_row_count,
    "schema": check_schema,
    "keys": check_keys,
    "values": check_values,
}
CHECKS_OF_MERGES: Mapping[str, Check] = {"versions": check_versions}
CHECKS_OF_RESOLVED: Mapping[str, Check] = {"cycles": check_cycles}
CHECKS_OF_SYNCS: Mapping[str, Check] = {"source_rows": check_source_rows}


def checks_of(export: Export) -> Mapping[str, Check]:
    """The checks of an export, by name."""
    of_merges = CHECKS_OF_MERGES if export.merges else {}
    of_resolved = CHECKS_OF_RESOLVED if export.resolves else {}
    is_synced = export.selection.model.name == IDENTIFIES.name and not export.loads_from
    of_syncs = CHECKS_OF_SYNCS if is_synced else {}
    # What another export delivered has been checked there, and may lack the rules' columns.
    rules = () if export.loads_from else export.selection.model.rules
    of_rules = {rule.name: check_of_rule(rule) for rule in rules}
    return {**CHECKS, **of_merges, **of_resolved, **of_syncs, **of_rules}


def build_checks(
    export: Export, *, deep: bool, retry_policy: dg.RetryPolicy
) -> Sequence[dg.AssetChecksDefinition]:
    """One check definition each, so that each can be run alone."""
    return [
        _build(export, name, check, deep, retry_policy) for name, check in checks_of(export).items()
    ]


def _build(
    export: Export, name: str, examine: Check, deep: bool, retry_policy: dg.RetryPolicy
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=export.key,
        name=name,
        description=examine.__doc__,
        partitions_def=export.partitions,
        required_resource_keys=export.resources,
        retry_policy=retry_policy,
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        source = export.reader(context.resources)
        destination = export.destination(context.resources)
        keys = _partitions(context)
        outcomes = {
            key: _outcome(
                examine, Examination(export, source, destination, export.interval(key), deep)
            )
            for key in keys
        }
        if len(keys) > 1:
            _report_partitions(context, export, name, outcomes)
        return _combined(outcomes)

    return check


def _partitions(context: dg.AssetCheckExecutionContext) -> list[str]:
    """Those of the run. The UI's "Execute all" gives none, and Dagster takes no result without."""
    if not context.has_partition_key and not context.has_partition_key_range:
        raise dg.Failure(
            "The run has no partition to check.",
            metadata={"remedy": dg.MetadataValue.md("Materialize a partition: that checks it.")},
            allow_retries=False,
        )
    return list(context.partition_keys)


def _outcome(examine: Check, it: Examination) -> Outcome:
    try:
        return examine(it)
    except Terminal as error:
        return Outcome(False, str(error), {"remedy": dg.MetadataValue.md(error.remedy)})


def _combined(outcomes: Mapping[str, Outcome]) -> dg.AssetCheckResult:
    """One partition's outcome as it is; of several, whether all passed, and the first that fail."""
    if len(outcomes) == 1:
        only = next(iter(outcomes.values()))
        return dg.AssetCheckResult(
            passed=only.passed,
            severity=only.severity,
            description=only.description,
            metadata=only.metadata,
        )
    failed = {key: outcome for key, outcome in outcomes.items() if not outcome.passed}
    warnings = failed and all(
        outcome.severity is dg.AssetCheckSeverity.WARN for outcome in failed.values()
    )
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if warnings else dg.AssetCheckSeverity.ERROR,
        description=f"{len(outcomes) - len(failed)} of {len(outcomes)} partitions pass.",
        metadata={key: outcome.description for key, outcome in list(failed.items())[:20]},
    )


def _report_partitions(
    context: dg.AssetCheckExecutionContext,
    export: Export,
    name: str,
    outcomes: Mapping[str, Outcome],
) -> None:
    """A check's result has no partition of its own in a run of several; Dagster would show each
    as skipped. Evaluations reported beside the run do have one."""
    for key, outcome in outcomes.items():
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=export.key,
                check_name=name,
                passed=outcome.passed,
                severity=outcome.severity,
                description=outcome.description,
                metadata=outcome.metadata,
                partition=key,
            )
        )
