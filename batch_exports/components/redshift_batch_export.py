"""An export to a table in Amazon Redshift."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.column_names import check_column_names
from batch_exports.components.merging import check_merge
from batch_exports.components.redshift_connection import RedshiftConnection
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.redshift_stage import (
    AuthorizationModel,
    StageModel,
    authorized,
    check_lent_keys,
)
from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.components.scaffolder import RedshiftBatchExportScaffolder
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.names import folded
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.destinations.redshift.straight import Straight
from batch_exports.destinations.redshift.types import SemiStructuredType, made_type
from batch_exports.errors import ConfigurationError
from batch_exports.models import AMPLITUDE_MERGED_IDS, Column, Model
from batch_exports.models.renaming import renamed
from batch_exports.sources.delivered import DeliveredFiles
from batch_exports.sources.source import Selection

# https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
_NAME_BYTES = 127
# https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
_MOST_SORT_KEYS = 400


@dg.scaffold_with(RedshiftBatchExportScaffolder)
class RedshiftBatchExport(BatchExport):
    """Delivers a model's rows to a table in Amazon Redshift, an interval in one transaction.

    With `mode: COPY` rows go by way of files on S3, which the cluster loads in parallel and which
    are deleted after; with `mode: INSERT` they go through the connection, which needs no S3 and is
    much slower. A missing table is made. Beside it stand `<table>_rejects`, with what it cannot
    hold, and `_batch_exports_ledger`, with what was delivered.

    Names are written in lower case, as Redshift keeps them however they are quoted.
    """

    kind: ClassVar[str] = "redshift"

    connection: str = Field(description="The name of the RedshiftConnection to write with.")
    schema_name: str = Field(
        "public", alias="schema", description="The schema of the table; it must exist."
    )
    table: str | None = Field(
        None, description="The table, made if it is missing; without it, named as the model."
    )
    mode: Literal["COPY", "INSERT"] = Field(
        "COPY", description="COPY: load files of the stage. INSERT: send rows with the statements."
    )
    semi_structured_type: SemiStructuredType = Field(
        "SUPER",
        description="The type of JSON columns in a table that is made. SUPER: documents of 16 MB, "
        "whose texts have 65,535 bytes at most. VARCHAR(65535): that is the whole document's most.",
    )
    stage: StageModel | None = Field(
        None, description="Where files wait for COPY, which needs it; see below."
    )
    authorization: AuthorizationModel | None = Field(
        None,
        description="By what the cluster may read the stage, see below; without it, by the keys or "
        "role_arn of the stage's connection.",
    )
    dist_key: str | None = Field(
        None,
        description="The column by which a table that is made spreads its rows; without it, the "
        "model's own.",
    )
    sort_key: list[str] = Field(
        [],
        description="The columns by which a table that is made keeps its rows in order; without "
        "them, the model's own.",
    )
    write_mode: Literal["replace", "merge", "append"] | None = Field(
        None,
        description="replace: an interval's rows take the place of those delivered before (the "
        "default for models whose rows do not change, such as events). merge: the newest row of "
        "each key stays (the default for those whose rows do, such as persons and sessions). "
        "append: rows are added, and are there twice when a partition is materialized twice.",
    )
    on_missing_column: Literal["ignore", "fail", "add"] = Field(
        "ignore",
        description="A column that the table lacks. ignore: it is left out, and the schema check "
        "warns; fail: the run fails; add: it is added to the table.",
    )
    resolved_view: str | None = Field(
        None,
        description="For the model amplitude_merged_ids: a view beside the table, made if it is "
        "missing, of each ID with the one that it has after all merges.",
    )

    def check(self) -> None:
        super().check()
        self._check_name("schema", self.schema_name, _NAME_BYTES)
        if self.resolved_view is not None:
            self._check_name("resolved_view", self.resolved_view, _NAME_BYTES)
        if self.mode == "COPY":
            self._check_copy()
            return
        for field in ("stage", "authorization"):
            if getattr(self, field) is not None:
                raise ConfigurationError(
                    field, "it is of no use with mode: INSERT.", remedy="Leave one of the two out."
                )

    def _check_copy(self) -> None:
        if self.stage is None:
            raise ConfigurationError(
                "stage",
                "it is missing: COPY loads files from S3.",
                remedy="Give stage, with connection and bucket_name, or set mode: INSERT, which "
                "needs no S3 and is much slower.",
            )
        self.stage.check()
        if self.authorization is not None:
            self.authorization.check()

    def _check_name(self, field: str, name: str, longest: int) -> None:
        if not name or not name.isprintable() or name.startswith("#"):
            hint = " Redshift makes a temporary table of a name that begins with #."
            raise ConfigurationError(
                field,
                f"{name!r} is not a name.{hint if name.startswith('#') else ''}",
                remedy="Correct it.",
            )
        if folded(name) != name:
            raise ConfigurationError(
                field,
                f"{name!r} is {folded(name)!r} to Redshift, which knows no capitals in names.",
                remedy=f"Write {folded(name)}.",
            )
        if len(name.encode()) > longest:
            raise ConfigurationError(
                field,
                f"{name!r} has {len(name.encode())} bytes.",
                remedy=f"Give it {longest} at most: names have {_NAME_BYTES}, and the table of "
                f"rejects is named {rejects_of('<table>')}.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            cluster = find(context, RedshiftConnection, "connection", self.connection)
            if self.stage is not None:
                self._check_stage(context, self.stage, cluster)
        return super().build_defs(context)

    def _check_stage(
        self, context: dg.ComponentLoadContext, stage: StageModel, cluster: RedshiftConnection
    ) -> None:
        """What the stage's connection makes impossible.

        https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
        """
        written = find(context, S3Connection, "stage.connection", stage.connection)
        if written.region and cluster.region and written.region != cluster.region:
            raise ConfigurationError(
                "stage.connection",
                f"{stage.connection} is in {written.region}, the cluster in {cluster.region}: COPY "
                "reads Parquet in its own region alone.",
                remedy=f"Stage in a bucket in {cluster.region}.",
            )
        check_lent_keys(self.authorization, written)
        if self._keys_of != stage.connection:
            find(context, S3Connection, "authorization.connection", self._keys_of)

    def destination(self, selection: Selection) -> Callable[[Any], RedshiftDestination]:
        self._check_name("table", self._table, _NAME_BYTES - len(rejects_of("")))
        check_column_names(selection, "Redshift", longest=_NAME_BYTES, kept=folded)
        if self.merges:
            check_merge(selection)
        self._check_keys(selection)
        self._check_view(selection)

        def reached(resources: Any) -> RedshiftDestination:
            connection: RedshiftConnectionResource = getattr(resources, self.connection)
            return RedshiftDestination(
                connect=connection.connect,
                address=connection.uri,
                name=TableName(self.schema_name, self._table),
                export=self.name,
                projection=selection,
                copy_from=self._stage_area(self.stage, resources) if self.stage else None,
                straight=self._straight(selection, resources),
                semi_structured_type=self.semi_structured_type,
                write_mode=self._mode,
                on_unrepresentable=self.on_unrepresentable,
                on_missing_column=self.on_missing_column,
                dist_key=self.dist_key,
                sort_key=tuple(self.sort_key),
                resolved_view=self.resolved_view,
            )

        return reached

    def _stage_area(self, stage: StageModel, resources: Any) -> StageArea:
        connection: S3ConnectionResource = getattr(resources, stage.connection)
        keys: S3ConnectionResource = getattr(resources, self._keys_of)
        return StageArea(
            client=connection.client(),
            bucket=stage.bucket_name,
            key_prefix=stage.folder,
            authorization=authorized(self.authorization, self._keys_of, keys),
            files=stage.files,
        )

    def _straight(self, selection: Selection, resources: Any) -> Straight | None:
        if self._loaded is None or self.stage is None:
            return None
        files: DeliveredFiles = getattr(resources, self._loaded.name)
        return Straight(files.deliveries, lambda interval: files.read(selection, interval))

    def _check_view(self, selection: Selection) -> None:
        if self.resolved_view is None:
            return
        if selection.model is not AMPLITUDE_MERGED_IDS:
            raise ConfigurationError(
                "resolved_view",
                f"the model {selection.model.name} has no merges to resolve.",
                remedy="Leave it out.",
            )
        delivered = [column.name for column in selection.columns]
        if missing := [c.name for c in selection.model.columns if c.name not in delivered]:
            raise ConfigurationError(
                "resolved_view",
                f"it needs the column {missing[0]!r}.",
                remedy="Add it to the export's columns.",
            )

    def _check_keys(self, selection: Selection) -> None:
        columns = {column.name: column for column in selection.columns}
        keys = [("dist_key", self.dist_key)] if self.dist_key is not None else []
        for field, name in [*keys, *(("sort_key", name) for name in self.sort_key)]:
            if name not in columns:
                raise ConfigurationError(
                    field,
                    f"{name!r} is not a column of the export.",
                    remedy=f"It has {', '.join(columns)}.",
                )
            if self._column_type(columns[name]) == "SUPER":
                raise ConfigurationError(
                    field,
                    f"{name!r} is a SUPER column, by which Redshift neither spreads nor sorts.",
                    remedy="Name another column.",
                )
        if len(set(self.sort_key)) < len(self.sort_key) or len(self.sort_key) > _MOST_SORT_KEYS:
            raise ConfigurationError(
                "sort_key",
                f"it names a column twice, or more than {_MOST_SORT_KEYS}.",
                remedy="Name each column once.",
            )

    def _named(self, model: Model) -> Model:
        """Files that another export delivered keep its names."""
        return model if self._loaded else renamed(model, folded)

    @property
    def appends(self) -> bool:
        return self._mode == "append"

    @property
    def merges(self) -> bool:
        return self._mode == "merge"

    @property
    def resolves(self) -> bool:
        return self.resolved_view is not None

    @property
    def unsharded(self) -> str:
        if self.mode == "INSERT":
            return "rows that mode: INSERT stages are seen by its own session alone; COPY can."
        return ""

    @property
    def pool(self) -> str:
        return self.connection

    @property
    def destination_resources(self) -> frozenset[str]:
        if self.stage is None:
            return frozenset({self.connection})
        loaded = {self.load_from} if self.load_from is not None else set()
        return frozenset({self.connection, self.stage.connection, self._keys_of, *loaded})

    @property
    def asset_metadata(self) -> Mapping[str, Any]:
        return {
            "dagster/uri": f"redshift://{self.connection}/{self.schema_name}/{self._table}",
            "dagster/table_name": f"{self.schema_name}.{self._table}",
            "dagster/storage_kind": "redshift",
            "write_mode": self._mode,
            "load_mode": self.mode,
        }

    def _column_type(self, column: Column) -> str:
        return made_type(column, self.semi_structured_type)

    @property
    def _keys_of(self) -> str:
        """The S3Connection whose keys the cluster gets, unless it has a role."""
        if self.authorization is not None and self.authorization.connection is not None:
            return self.authorization.connection
        assert self.stage is not None
        return self.stage.connection

    @property
    def _table(self) -> str:
        return self.table if self.table is not None else self._model().name

    @property
    def _mode(self) -> WriteMode:
        return self.write_mode or ("merge" if self._model().versions else "replace")
