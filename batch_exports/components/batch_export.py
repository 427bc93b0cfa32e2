"""What all exports have in common: source, model, interval, filters; asset, checks, schedule."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Literal

import dagster as dg
from dagster.components.resolved.core_models import ResolvedAssetAttributes
from pydantic import Field, PrivateAttr

from batch_exports.asset import build_asset
from batch_exports.automation.late_sensor import build_late_sensor
from batch_exports.automation.load_sensor import build_load_sensor
from batch_exports.automation.partitions import build_partitions
from batch_exports.automation.recovery import Recovery
from batch_exports.automation.schedules import build_schedule
from batch_exports.checks import build_checks, build_freshness_check, deliveries_of
from batch_exports.components.columns import column_lineage, column_schema
from batch_exports.components.custom_model import find_model
from batch_exports.components.description import describe
from batch_exports.components.event_filters import PropertyFilterModel, row_filter
from batch_exports.components.fresh_within import read_fresh_within
from batch_exports.components.loading import check_load, find_loaded, loaded_model
from batch_exports.components.no_run_window import NoRunWindowModel, no_run_windows
from batch_exports.components.recovery_fields import read_recovery, refuse_append
from batch_exports.components.references import find
from batch_exports.components.source import Source
from batch_exports.components.volume import VolumeModel
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.destinations.delivery import Destination
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.interval import parse_rhythm
from batch_exports.models import MODELS, Column, Model, type_name
from batch_exports.sources.source import Selection
from batch_exports.transform.capabilities import OnUnrepresentable

# Dagster finds subclasses by their base, which mypy wants to be concrete.
_ANY_SOURCE: Any = Source
# Three more tries after 10, 20 and 40 seconds, more or less: enough for a store that is busy.
_RETRIES = dg.RetryPolicy(
    max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

_MOST_SHARDS = 64


class BatchExport(YamlComponent):
    """One model, from one source, to one destination, one partition a data interval."""

    kind: ClassVar[str]
    delivers_files: ClassVar[bool] = False
    """Whether other exports can load from this one."""

    name: str = Field(description="The asset's name, and the export's in all records of it.")
    source: str | None = Field(
        None,
        description="The name of the source that rows come from. An export has this, or load_from.",
    )
    load_from: str | None = Field(
        None,
        description="In the place of source: the name of an S3BatchExport whose files are loaded.",
    )
    model_name: str | None = Field(
        None,
        alias="model",
        description="What is exported, such as events, or a CustomModel of the source; required "
        "unless load_from tells.",
    )
    interval: str | dict[str, str] = Field(
        "hour",
        description="hour, day, week, every N minutes, every N hours, or {cron: ...}. "
        "N divides the hour or the day.",
    )
    timezone: str = Field("UTC", description="IANA time zone in which days and weeks begin.")
    offset: str | int | None = Field(
        None,
        description='Time of the day at which an interval begins, in quotes, such as "02:00"; '
        "midnight without it. Not with cron.",
    )
    week_starts_on: Literal[
        "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"
    ] = Field("sunday", description="Day on which weeks begin.")
    start: str = Field(description="Start of the first data interval, such as 2026-11-01.")
    end: str | None = Field(
        None, description="End of the last data interval; without it they go on."
    )
    membership: str | None = Field(
        None,
        description="The source's column that places a row in an interval; the model's own "
        "(for events inserted_at, the time of arrival) without it. With load_from, that export's.",
    )
    delay_seconds: int = Field(
        60, description="Seconds to wait after an interval's end before it is read."
    )
    include_events: list[str] = Field([], description="Names of events to export; empty means all.")
    exclude_events: list[str] = Field(
        [], description="Names of events to leave out; this wins over include_events."
    )
    filters: list[PropertyFilterModel] = Field(
        [], description="Conditions on properties, all of which an event must meet."
    )
    columns: list[str] = Field(
        [],
        description="Columns in order; empty means the model's own for this destination. With "
        "load_from, that export's.",
    )
    on_unrepresentable: OnUnrepresentable = Field(
        OnUnrepresentable.REPLACE,
        description="Values that the destination cannot hold. replace: U+FFFD where that can stand "
        "for them, else the row is rejected; reject: the row is rejected; fail: the run fails.",
    )
    verify: Literal["standard", "deep"] = Field(
        "standard", description="deep: the row_count check reads every landed row."
    )
    volume: VolumeModel | None = Field(
        None,
        description="Whether each interval has as many rows as the same time of past weeks: "
        "{} or {tolerance: ...}. Without it there is no such check.",
    )
    fresh_within: str | None = Field(
        None,
        description="How long after an interval is due it must be delivered, such as 2 hours: else "
        "the export is late. Without it there is no check of freshness.",
    )
    partitions_per_run: int = Field(1, description="Intervals that a backfill gives to one run.")
    shards: int = Field(
        1,
        description="Steps that each read and stage a part of an interval, side by side; one more "
        "commits. For intervals that are too large for one machine.",
    )
    status: Literal["running", "stopped"] = Field(
        "running", description="Whether the schedule runs."
    )
    no_run_windows: list[NoRunWindowModel] = Field(
        [],
        description="Times in which neither the schedule nor sensors start runs; what is due then "
        "is delivered afterwards.",
    )
    pause_after: int = Field(
        5,
        description="Failed runs in a row after which the schedule and sensors request no more, "
        "until a run succeeds. 0: never.",
    )
    fill_gaps: str = Field(
        "30 days",
        description="Intervals that were due and have neither a delivery nor a run are asked for, "
        "unless they are older than this. 0 days: never.",
    )
    lookback: str | None = Field(
        None,
        description="How far back rows that came late are looked for, such as 7 days; intervals "
        "that have some are delivered again. Not at all without it; with load_from, as that export "
        "says.",
    )
    late_data_every: str = Field("1 hour", description="How often late rows are looked for.")
    catch_up_runs: int = Field(
        10, description="Most runs for gaps, and for late rows, that are under way at a time."
    )
    asset_attributes: ResolvedAssetAttributes | None = Field(
        None, description="Owners, tags, group and more of the asset, as in any Dagster component."
    )

    _loaded: Export | None = PrivateAttr(None)
    _declared: Model | None = PrivateAttr(None)

    @abstractmethod
    def destination(self, selection: Selection) -> Callable[[Any], Destination]:
        """How a run makes the destination out of its resources. Raises `ConfigurationError`."""

    @property
    @abstractmethod
    def destination_resources(self) -> frozenset[str]: ...

    @property
    def merges(self) -> bool:
        """Whether the destination keeps only the newest row of each key."""
        return False

    @property
    def appends(self) -> bool:
        """Whether what is delivered again is there twice."""
        return False

    @property
    def resolves(self) -> bool:
        """Whether the destination has a view in which merged IDs are resolved."""
        return False

    @property
    def unsharded(self) -> str:
        """Why the destination cannot take an interval in shards; empty where it can, as a
        `ShardedDestination`."""
        return "its destination takes intervals as a whole."

    @property
    @abstractmethod
    def asset_metadata(self) -> Mapping[str, Any]:
        """What is known of the destination before the first run, and its kinds."""

    @property
    @abstractmethod
    def pool(self) -> str:
        """The Dagster pool whose limit bounds how many runs the destination has to bear."""

    def check(self) -> None:
        super().check()
        self.check_least("delay_seconds", 0)
        self.check_least("partitions_per_run", 1)
        self._check_shards()
        self.check_least("pause_after", 0)
        self.check_least("catch_up_runs", 1)
        self._check_origin()
        if self.volume is not None:
            self.volume.check()
        if self.load_from is None and self.model_name in MODELS:
            self.export()

    def _check_shards(self) -> None:
        self.check_least("shards", 1)
        if self.shards == 1:
            return
        if self.shards > _MOST_SHARDS:
            raise ConfigurationError(
                "shards",
                f"{self.shards} is too large.",
                remedy=f"Give {_MOST_SHARDS} or less: each reads the whole interval.",
            )
        if reason := self.unsharded:
            raise ConfigurationError(
                "shards", reason, remedy="Leave shards out; shorter intervals are smaller as well."
            )
        if self.load_from is not None:
            raise ConfigurationError(
                "shards",
                f"what {self.load_from} delivered is loaded as a whole.",
                remedy="Leave shards out, or give a source in the place of load_from.",
            )

    def _check_origin(self) -> None:
        if (self.source is None) == (self.load_from is None):
            told = "it is missing" if self.source is None else "load_from is given as well"
            raise ConfigurationError(
                "source", f"{told}.", remedy="Give a source, or load_from an S3BatchExport."
            )
        if self.load_from is None and self.model_name is None:
            raise ConfigurationError(
                "model", "it is missing.", remedy=f"There is: {', '.join(MODELS)}."
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            self.look_up(context)
            export = self.export()
            if self._loaded is not None:
                check_load(export, self._loaded)
            else:
                find(context, _ANY_SOURCE, "source", export.source).check_export(export)
            asset = self._asset(export)
            schedule = build_schedule(export, export.job_name, running=self.status == "running")
        job = dg.define_asset_job(
            schedule.job_name,
            selection=deliveries_of(export),
            tags={"batch_exports/export": self.name},
            description=f"Delivers partitions of {self.name} and checks them.",
        )
        return dg.Definitions(
            assets=[asset],
            asset_checks=[
                build_checks(export, deep=self.verify == "deep", retry_policy=_RETRIES),
                *build_freshness_check(export),
            ],
            jobs=[job],
            schedules=[schedule],
            sensors=[_late_sensor(export, job)] if export.recovery.lookback else [],
        )

    def look_up(self, context: dg.ComponentLoadContext) -> None:
        """Find the export that it loads from, or its model where a user declared that.

        Raises `ConfigurationError` for names that lead nowhere.
        """
        if self.load_from is not None:
            self._loaded = find_loaded(context, _ANY_EXPORT, self.load_from)
        elif self.source is not None and self.model_name is not None:
            # Of a source that is not there nothing is known: that is what the user has to mend.
            source = find(context, _ANY_SOURCE, "source", self.source)
            self._declared = find_model(context, source, self.model_name)

    def export(self) -> Export:
        """The export as it runs. Raises `ConfigurationError` for fields that do not fit.

        One with `load_from`, or a model that a user declared, is known once it has looked these up.
        """
        model = self._named(self._model())
        rhythm = parse_rhythm(
            self.interval, self.timezone, offset=self.offset, week_starts_on=self.week_starts_on
        )
        selection = Selection(
            model,
            model.select(self._columns, self.kind),
            self._membership(model),
            row_filter(model, self.include_events, self.exclude_events, self.filters),
        )
        origin = self.source or self.load_from
        assert origin
        return Export(
            name=self.name,
            key=dg.AssetKey([self.kind, self.name]),
            source=origin,
            selection=selection,
            rhythm=rhythm,
            partitions=build_partitions(rhythm, self.start, self.end),
            delay=timedelta(seconds=self.delay_seconds),
            destination=self.destination(selection),
            destination_resources=self.destination_resources,
            merges=self.merges,
            resolves=self.resolves,
            loads_from=self._loaded.key if self._loaded else None,
            no_run_windows=no_run_windows(self.no_run_windows, self.timezone),
            pause_after=self.pause_after,
            recovery=self._recovery,
            volume_tolerance=self.volume.tolerance if self.volume else None,
            fresh_within=read_fresh_within(self.fresh_within),
            shards=self.shards,
        )

    @property
    def _recovery(self) -> Recovery:
        inherited = self._loaded.recovery.lookback if self._loaded else timedelta(0)
        recovery = read_recovery(
            fill_gaps=self.fill_gaps,
            lookback=self.lookback or "0 days",
            every=self.late_data_every,
            runs=self.catch_up_runs,
        )
        if self.lookback is None and not self.appends:
            recovery = replace(recovery, lookback=inherited)
        if self.appends:
            refuse_append(recovery)
        return recovery

    def _model(self) -> Model:
        if self.load_from is not None:
            assert self._loaded, "an export that loads from another is known with the other alone"
            return loaded_model(self._loaded, self.model_name)
        assert self.model_name
        model = self._declared or MODELS.get(self.model_name)
        assert model, "a model that a user declared is known once it was looked up"
        return model

    def _named(self, model: Model) -> Model:
        """The model with its columns' names at the destination."""
        return model

    @property
    def _columns(self) -> Sequence[str]:
        if self.columns or self._loaded is None:
            return self.columns
        return [column.name for column in self._loaded.selection.columns]

    def _membership(self, model: Model) -> str:
        usual = self._loaded.selection.membership if self._loaded else model.membership[0]
        membership = self.membership or usual
        if membership not in model.membership:
            raise ConfigurationError(
                "membership",
                f"{membership!r} cannot place rows of {model.name} in intervals.",
                remedy=f"Use {', '.join(model.membership)}.",
            )
        return membership

    def _asset(self, export: Export) -> dg.AssetsDefinition:
        described: dict[str, Any] = {
            "key": export.key,
            "partitions_def": export.partitions,
            "backfill_policy": dg.BackfillPolicy.multi_run(self.partitions_per_run),
            "description": describe(export, place=self.asset_metadata["dagster/uri"]),
            "group_name": "exports",
            "kinds": {self.kind, *self._kinds},
            "tags": {"model": export.selection.model.name, "destination": self.kind},
            "metadata": {
                **self.asset_metadata,
                "dagster/column_schema": column_schema(export, self._column_type),
                "dagster/column_lineage": column_lineage(export),
            },
        }
        asset = build_asset(export, described=described, pool=self.pool, retry_policy=_RETRIES)
        return self._attributed(asset)

    def _attributed(self, asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
        if self.asset_attributes is None:
            return asset
        attributes = self.asset_attributes
        try:
            return asset.map_asset_specs(lambda spec: spec.merge_attributes(**attributes))
        except dg.DagsterInvalidDefinitionError as error:
            raise ConfigurationError(
                "asset_attributes", str(error), remedy="Correct it."
            ) from error

    @property
    def _kinds(self) -> set[str]:
        return set()

    def _column_type(self, column: Column) -> str:
        """The column's type at the destination."""
        return type_name(column.type)


_ANY_EXPORT: Any = BatchExport


def _late_sensor(export: Export, job: Any) -> dg.SensorDefinition:
    build = build_load_sensor if export.loads_from else build_late_sensor
    return build(export, job)
