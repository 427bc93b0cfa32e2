"""The demo: every partition of the sample, delivered through Dagster and checked."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from batch_exports.checks import Examination, checks_of
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.destinations.delivery import Delivery, Landed
from batch_exports.errors import BatchExportError
from batch_exports.export import Export
from batch_exports.local import parts
from batch_exports.local.unsynced import leave_sqlite_unsynced
from batch_exports.lookup import find_exports

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


Verdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Row:
    """What became of one partition. Rows are counted anew after the delivery; `verdicts` are
    those of its checks, of which it has as many as `checks`."""

    export: str
    partition: str
    rows_read: int
    rows_landed: int
    files: int | None
    bytes: int
    verdicts: tuple[Verdict, ...]
    checks: int
    problem: str = ""

    @property
    def good(self) -> bool:
        return (
            not self.problem and len(self.verdicts) == self.checks and "fail" not in self.verdicts
        )


def start_parts(tell: Callable[[str], None]) -> None:
    """Start the embedded parts, and set the variables by which the demo's exports find them."""
    state = parts.state_folder()
    parts.up(state, tell)
    os.environ |= parts.environment(state)


def settle_dagster() -> Path:
    """Give Dagster a home that lasts, beside the parts; one of the user's own is left alone."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(parts.state_folder() / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    settings = Path("dagster.yaml")
    if settings.exists() and not (home / "dagster.yaml").exists():
        shutil.copy(settings, home)
    return home


def run(tell: Callable[[str], None]) -> list[Row]:
    """Deliver every partition that is not there yet, and verify those that are.

    `tell` gets a line of progress for each partition. The parts must be up, see `start_parts`.
    Should the machine fail meanwhile, the demo is done again.
    """
    leave_sqlite_unsynced()
    tree = component_tree()
    definitions = load_definitions(tree)
    rows: list[Row] = []
    with dg.DagsterInstance.get() as instance:
        for found in find_exports(tree, definitions):
            export = found.export
            job = definitions.resolve_job_def(export.job_name)
            done = instance.get_materialized_partitions(export.key)
            keys = export.partitions.get_partition_keys()
            with found.resources(export.resources) as resources:
                for number, key in enumerate(keys, start=1):
                    place = f"{export.name} {key} ({number} of {len(keys)})"
                    row = _verified(export, resources, instance, key) if key in done else None
                    if row is None:
                        tell(f"{place}: delivering")
                        row = _deliver(export, resources, job, instance, key)
                    else:
                        tell(f"{place}: there already")
                    rows.append(row)
    return rows


def _examination(
    export: Export, resources: Any, instance: dg.DagsterInstance, key: str
) -> Examination:
    return Examination(
        export,
        export.reader(resources),
        export.destination(resources),
        export.interval(key),
        deep=False,
        instance=instance,
    )


def _verified(export: Export, resources: Any, instance: dg.DagsterInstance, key: str) -> Row | None:
    """The row of a partition that is delivered and still reconciles; None for any other."""
    it = _examination(export, resources, instance, key)
    try:
        outcomes = [check(it) for check in checks_of(export).values()]
        row = _row(export, key, it, [_verdict(o.passed, o.severity) for o in outcomes])
    except BatchExportError:
        return None
    return row if row.good else None


def _verdict(passed: bool, severity: dg.AssetCheckSeverity) -> Verdict:
    if passed:
        return "pass"
    return "warn" if severity is dg.AssetCheckSeverity.WARN else "fail"


def _deliver(
    export: Export, resources: Any, job: dg.JobDefinition, instance: dg.DagsterInstance, key: str
) -> Row:
    result = job.execute_in_process(
        partition_key=key, instance=instance, run_config=_QUIET, raise_on_error=False
    )
    verdicts = [_verdict(e.passed, e.severity) for e in result.get_asset_check_evaluations()]
    if not result.success:
        failure = next(e for e in result.all_events if e.is_step_failure)
        problem = failure.step_failure_data.error_display_string
        checks = len(checks_of(export))
        return Row(export.name, key, 0, 0, None, 0, tuple(verdicts), checks, problem)
    return _row(export, key, _examination(export, resources, instance, key), verdicts)


def _row(export: Export, key: str, it: Examination, verdicts: Sequence[Verdict]) -> Row:
    landed: Landed = it.destination.inspect(it.interval, source_keys=it.source_keys)
    delivery: Delivery = landed.delivery
    return Row(
        export.name,
        key,
        it.source.count(export.selection, it.interval),
        delivery.rows if landed.rows is None else landed.rows,
        None if delivery.files is None else len(delivery.files),
        delivery.bytes,
        tuple(verdicts),
        len(checks_of(export)),
        " ".join(landed.problems),
    )


def table(rows: list[Row]) -> str:
    """The rows as text, with a line of sums for each export."""
    lines = [_LINE.format("export", "partition", "read", "landed", "files", "bytes", "checks")]
    for export in dict.fromkeys(row.export for row in rows):
        own = [row for row in rows if row.export == export]
        lines += [_line(row.partition, [row]) for row in own]
        lines.append(_line(f"all {len(own)} partition{'s' if len(own) > 1 else ''}", own))
    return "\n".join(lines)


_LINE = "{:<18} {:<18} {:>8} {:>8} {:>6} {:>12}  {}"


def _files(rows: list[Row]) -> int | str:
    """How many; nothing for a destination that has none."""
    known = [row.files for row in rows if row.files is not None]
    return sum(known) if known else ""


def _line(label: str, rows: list[Row]) -> str:
    verdicts = [verdict for row in rows for verdict in row.verdicts]
    return _LINE.format(
        rows[0].export,
        label,
        sum(row.rows_read for row in rows),
        sum(row.rows_landed for row in rows),
        _files(rows),
        f"{sum(row.bytes for row in rows):,}",
        ", ".join(f"{verdicts.count(v)} {v}" for v in ("pass", "warn", "fail") if v in verdicts),
    )
