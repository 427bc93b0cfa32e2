"""What past deliveries of an export took, out of what Dagster keeps of them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import dagster as dg

from batch_exports.backfills.under_way import keys_of
from batch_exports.export import Export

_LATEST = 100
_RUNS = 20


@dataclass(frozen=True)
class History:
    """Sums over the latest deliveries. `bytes` are as the destination tells them, `files` None
    where it has none. `seconds` were spent on deliveries themselves; `runs` took `other_seconds`
    beside, to start and to check."""

    deliveries: int = 0
    rows: int = 0
    bytes: int = 0
    files: int | None = None
    seconds: float = 0.0
    runs: int = 0
    other_seconds: float = 0.0


def history(instance: dg.DagsterInstance, export: Export) -> History:
    """Of the latest hundred deliveries at the most."""
    records = instance.fetch_materializations(export.key, limit=_LATEST).records
    told = [record.asset_materialization for record in records]
    metadata = [one.metadata if one else {} for one in told]
    numbers: list[dict[str, Any]] = [{n: v.value for n, v in one.items()} for one in metadata]
    known = [
        (record.run_id, one)
        for record, one in zip(records, numbers, strict=True)
        if "duration_s" in one
    ]
    files = [one["files"] for _, one in known if "files" in one]
    runs, other = _beside(instance, export, known)
    return History(
        deliveries=len(known),
        rows=sum(int(one["dagster/partition_row_count"]) for _, one in known),
        bytes=sum(int(one["bytes"]) for _, one in known),
        files=sum(files) if files else None,
        seconds=sum(float(one["duration_s"]) for _, one in known),
        runs=runs,
        other_seconds=other,
    )


def _beside(
    instance: dg.DagsterInstance, export: Export, known: list[tuple[str, dict[str, Any]]]
) -> tuple[int, float]:
    """Of the latest runs of which all deliveries are known: how many, and what they took beside,
    from their launch to their end."""
    of_run = Counter(run_id for run_id, _ in known)
    seconds = dict.fromkeys(of_run, 0.0)
    for run_id, one in known:
        seconds[run_id] += one["duration_s"]
    found = instance.get_runs(dg.RunsFilter(run_ids=list(of_run)), limit=_RUNS) if of_run else []
    beside = []
    for run in found:
        told = instance.get_run_stats(run.run_id)
        begin = told.launch_time or told.start_time
        whole = len(list(keys_of(run, export.partitions))) == of_run[run.run_id]
        if begin and told.end_time and whole:
            beside.append(max(told.end_time - begin - seconds[run.run_id], 0))
    return len(beside), sum(beside)
