"""The sensor that notes on an export's asset that it is paused, and that it goes on."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from batch_exports.automation.alerts.endings import newest_ending, read_endings
from batch_exports.automation.breaker import Pause, held_by_hand, pause_of
from batch_exports.export import Export

EVERY_SECONDS = 30


def build_pause_sensor(exports: Sequence[Export]) -> dg.SensorDefinition:
    """For all exports of a deployment. What pauses them is the breaker: this makes it visible."""
    by_name = {export.name: export for export in exports}

    @dg.sensor(
        name="pauses",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Notes on an export's asset that it is paused, why, and how it goes on.",
    )
    def pauses(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return tick(context, by_name)

    return pauses


def tick(context: dg.SensorEvaluationContext, exports: Mapping[str, Export]) -> dg.SensorResult:
    """Looks at exports that a run has failed of since the last tick, and at those that are paused:
    of the others, nothing can have changed."""
    instance = context.instance
    if context.cursor is None:
        known, after, asked = dict[str, float](), newest_ending(instance), {*exports}
    else:
        told = json.loads(context.cursor)
        known = {name: since for name, since in told["paused"].items() if name in exports}
        endings, after = read_endings(instance, exports, told["after"])
        asked = {ending.export for ending in endings if ending.failed}
    held = held_by_hand(instance, exports)
    paused = {
        name: pause
        for name in exports
        if (name in held or name in asked or name in known)
        and (pause := pause_of(instance, exports[name]))
    }
    new = [pause for name, pause in paused.items() if name not in known]
    over = [name for name in known if name not in paused]
    since = {name: known.get(name, pause.since.timestamp()) for name, pause in paused.items()}
    return dg.SensorResult(
        asset_events=[
            *(_paused(exports[pause.export], pause) for pause in new),
            *(_over(exports[name], known[name]) for name in over),
        ],
        skip_reason="\n".join(map(str, paused.values())) or "No export is paused.",
        cursor=json.dumps({"after": after, "paused": since}),
    )


def _paused(export: Export, pause: Pause) -> dg.AssetObservation:
    return dg.AssetObservation(
        export.key,
        description=str(pause),
        metadata={
            "paused": pause.reason,
            "way_back": dg.MetadataValue.md(pause.way_back),
            "since": dg.MetadataValue.timestamp(pause.since),
            "failed_runs": pause.failures,
            **({"last_run": dg.MetadataValue.dagster_run(pause.run)} if pause.run else {}),
        },
    )


def _over(export: Export, since: float) -> dg.AssetObservation:
    began = datetime.fromtimestamp(since, UTC)
    return dg.AssetObservation(
        export.key,
        description=f"{export.name} goes on, after a pause since {began:%Y-%m-%d %H:%M} UTC.",
        metadata={"paused": False},
    )
