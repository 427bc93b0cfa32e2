"""One check of many partitions, such as `content`, run when somebody asks for it."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from batch_exports.automation.partition_runs import PARTITION_TAG
from batch_exports.checks.registry import CONTENT
from batch_exports.errors import Terminal
from batch_exports.lookup import Found

_AT_ONCE = 24
"""Partitions of one run: what they found is told when it ends."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def verify_each(
    instance: dg.DagsterInstance, definitions: dg.Definitions, found: Found, keys: Sequence[str]
) -> Iterator[tuple[str, dg.AssetCheckEvaluation]]:
    """What the check `content` finds of each partition, as `check_each` tells it."""
    return check_each(instance, definitions, found, keys, CONTENT)


def check_each(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    found: Found,
    keys: Sequence[str],
    name: str,
) -> Iterator[tuple[str, dg.AssetCheckEvaluation]]:
    """What the check finds of each partition; `keys` follow one another in time.

    Each is kept in the instance by then, as by a run of the check in the UI. One that was never
    delivered does not pass. Raises what keeps the destination from being asked, and `Terminal` for
    a run that fails.
    """
    _reach(found, keys[0])
    check = dg.AssetCheckKey(found.export.key, name)
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={check}
    )
    for first in range(0, len(keys), _AT_ONCE):
        part = keys[first : first + _AT_ONCE]
        told = _run(instance, job, part)
        yield from ((key, told[key]) for key in part)


def _reach(found: Found, key: str) -> None:
    """A run would try again for a minute where the destination cannot be reached."""
    export = found.export
    with found.resources(export.destination_resources) as resources:
        export.destination(resources).recorded([export.interval(key)])


def _run(
    instance: dg.DagsterInstance, job: Any, keys: Sequence[str]
) -> dict[str | None, dg.AssetCheckEvaluation]:
    """Of each partition, what one run of the check found."""
    # By tags, as a partition_key would have to be one of all exports' assets.
    bounds = dict(zip(_RANGE, (keys[0], keys[-1]), strict=True))
    tags = {PARTITION_TAG: keys[0]} if len(keys) == 1 else bounds
    result = job.execute_in_process(
        instance=instance, run_config=_QUIET, raise_on_error=False, tags=tags
    )
    if not result.success:
        failure = next(each for each in result.all_events if each.is_step_failure)
        raise Terminal(
            f"The check of {keys[0]} to {keys[-1]} could not be made: "
            f"{failure.step_failure_data.error_display_string}",
            remedy="Mend what it names, and check them again.",
        )
    events = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = (each.get_dagster_event().asset_check_evaluation_data for each in events)
    return {each.partition: each for each in found}
