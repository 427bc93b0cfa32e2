"""What `batch-exports approve` shows and takes: an export's columns at both ends as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from batch_exports.checks.registry import SCHEMA_DRIFT
from batch_exports.content_report import check_each
from batch_exports.drift.approved_schema import ApprovedSchema, approved_schema, keep_approved
from batch_exports.drift.both_ends import BothEnds, drift, look_at_both_ends
from batch_exports.drift.diff import Difference, table
from batch_exports.errors import Terminal
from batch_exports.export import Export
from batch_exports.lookup import Found


@dataclass(frozen=True)
class Proposal:
    """The columns as they are now, at the destination those of `partition`, and how they differ
    from what is `approved`; nothing differs where that is None."""

    partition: str
    now: BothEnds
    approved: ApprovedSchema | None
    differences: Sequence[Difference]


def propose(instance: dg.DagsterInstance, found: Found) -> Proposal:
    """By the newest partition that was delivered. Raises `Terminal` where none was, and what the
    source and the destination raise."""
    export = found.export
    partition = _newest_delivered(instance, export)
    approved = approved_schema(instance, export.name)
    with found.resources(export.resources) as resources:
        source, destination = export.reader(resources), export.destination(resources)
        interval = export.interval(partition)
        landed = destination.columns(interval, export.selection.schema)
        now = look_at_both_ends(export, source, landed, interval)
        differences = drift(export, source, approved.ends, now) if approved else []
    return Proposal(partition, now, approved, differences)


def approve(
    instance: dg.DagsterInstance, export: Export, proposal: Proposal, *, by: str, at: datetime
) -> None:
    """Take the columns as they are; the asset's history tells who has done so, and the diff."""
    before = proposal.approved.ends if proposal.approved else None
    approved = ApprovedSchema(proposal.now.with_known(before), at, by)
    keep_approved(instance, export.name, approved)
    instance.report_runless_asset_event(
        dg.AssetObservation(
            export.key,
            description=f"The columns at both ends are approved as they are by {by}.",
            metadata={
                "approved_by": by,
                "approved_at": dg.MetadataValue.timestamp(at),
                "drift": dg.MetadataValue.md(table(proposal.differences)),
            },
        )
    )


def check_again(
    instance: dg.DagsterInstance, definitions: dg.Definitions, found: Found
) -> Iterator[tuple[str, bool]]:
    """The partitions whose check has not passed, each with whether it passes now: what was
    approved concerns them as well."""
    for keys in _failed(instance, found.export):
        told = check_each(instance, definitions, found, keys, SCHEMA_DRIFT)
        yield from ((key, evaluation.passed) for key, evaluation in told)


def _newest_delivered(instance: dg.DagsterInstance, export: Export) -> str:
    """Keys are in the order of time as text, but for an hour in which clocks go back."""
    delivered = sorted(instance.get_materialized_partitions(export.key), reverse=True)
    for key in delivered:
        if export.partitions.has_partition_key(key):
            return key
    raise Terminal(
        f"{export.name} was never delivered.",
        remedy="Materialize a partition: the first delivery approves the columns by itself.",
    )


def _failed(instance: dg.DagsterInstance, export: Export) -> list[list[str]]:
    """Runs of partitions that follow one another."""
    check = dg.AssetCheckKey(export.key, SCHEMA_DRIFT)
    infos = instance.event_log_storage.get_asset_check_partition_info([check])
    failed = {
        export.interval(info.partition_key): info.partition_key
        for info in infos
        if info.latest_execution_status is AssetCheckExecutionRecordStatus.FAILED
        and info.partition_key
        and export.partitions.has_partition_key(info.partition_key)
    }
    groups: list[list[str]] = []
    last = None
    for interval in sorted(failed):
        if last is None or interval.start != last.end:
            groups.append([])
        groups[-1].append(failed[interval])
        last = interval
    return groups
