"""What a run costs Dagster itself: an asset that does nothing, with a check that does nothing."""

from collections.abc import Iterator

import dagster as dg

PARTITIONS = dg.TimeWindowPartitionsDefinition(
    start="2024-01-01-00:00",
    end="2024-01-05-00:00",
    cron_schedule="*/5 * * * *",
    fmt="%Y-%m-%d-%H:%M",
)


@dg.asset(partitions_def=PARTITIONS)
def empty() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult()


@dg.multi_asset_check(specs=[dg.AssetCheckSpec(f"check_{n}", asset=empty) for n in range(4)])
def empty_checks() -> Iterator[dg.AssetCheckResult]:
    for number in range(4):
        yield dg.AssetCheckResult(
            passed=True, asset_key=dg.AssetKey("empty"), check_name=f"check_{number}"
        )


defs = dg.Definitions(assets=[empty], asset_checks=[empty_checks], executor=dg.in_process_executor)
