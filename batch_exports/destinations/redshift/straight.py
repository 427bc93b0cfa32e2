"""Rows into a stage straight from files that another export has delivered to S3.

Nothing is uploaded. The rows are read all the same: COPY of Parquet ends at the first value that it
refuses, so what it is to load is proven before.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pyarrow as pa

from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.copy import RefusedValue, copy_files
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.loading import Loaded, Stage, create_stage
from batch_exports.destinations.redshift.settlement import StagedRows
from batch_exports.destinations.redshift.staging import row_stage
from batch_exports.destinations.redshift.types import passing
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.interval_files import IntervalFiles
from batch_exports.models import Projection, type_name
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.prefetch import prefetch

_CODECS = ("none", "zstd", "snappy", "gzip")
# What a file's name ends in, COPY takes off: of Parquet nothing would be left that it could read.
# https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
_UNPACKED = (".gz", ".snappy", ".bz2")
# What COPY says of files as such, and not of its rights or of S3.
_UNFIT = re.compile(
    r"incompatible Parquet schema|[Uu]nmatched number of columns|declared column type"
    r"|longer than the length defined|invalid version number|[Uu]nsupported (codec|compression)"
)


@dataclass(frozen=True)
class Straight:
    """`files` tells the deliveries that make up an interval; `read` opens its rows once more."""

    files: Callable[[DataInterval], Sequence[IntervalFiles]]
    read: Callable[[DataInterval], AbstractContextManager[pa.RecordBatchReader]]


@dataclass(frozen=True)
class Cluster:
    """Who loads: the session, by which rights it reads S3, and what errors name."""

    connection: psycopg.Connection[Any]
    authorization: Authorization
    schema: str


def stage_straight(
    cluster: Cluster,
    batches: Iterable[pa.RecordBatch],
    interval: DataInterval,
    *,
    straight: Straight,
    fit: Fit,
    projection: Projection,
    policy: OnUnrepresentable,
    otherwise: Callable[[Iterable[pa.RecordBatch]], StagedRows],
) -> StagedRows:
    """Fill the session's stage from the files if they allow it, else with `otherwise`.

    Raises psycopg's errors, those of `batches`, and `Transient` for files that were replaced.
    """
    deliveries = straight.files(interval)
    if reason := obstacle(deliveries, projection):
        return replace(otherwise(batches), way=f"staged: {reason}")
    found = _unproven(batches, sum(d.rows for d in deliveries), fit, projection, policy) or _load(
        cluster, deliveries, fit, projection
    )
    if found:
        with straight.read(interval) as again:
            return replace(otherwise(again), way=f"staged: {found}")
    if list(straight.files(interval)) != list(deliveries):
        raise Transient(
            f"Files of {interval} were delivered again while they were loaded.",
            remedy="It is tried again.",
        )
    return StagedRows(
        rows=row_stage(fit),
        loaded=_loaded(deliveries),
        rejected=0,
        replaced=0,
        rejects=None,
        rejected_keys=None,
        way="straight",
    )


def obstacle(deliveries: Sequence[IntervalFiles], projection: Projection) -> str | None:
    """Why COPY cannot take the files as they are, whatever they hold; None if it may."""
    filled = [delivery for delivery in deliveries if delivery.files]
    types = {column.name: type_name(column.type) for column in projection.model.columns}
    for delivery in filled:
        if reason := _unreadable(delivery):
            return reason
        if list(delivery.columns.items()) != list(filled[0].columns.items()):
            return "the files do not all have the same columns"
        for name, type_ in delivery.columns.items():
            if types.get(name) != type_:
                return f"the files have the column {name} as {type_}"
            if type_.startswith("list"):
                return f"the files have the column {name}, a list"
    return None


def _unreadable(delivery: IntervalFiles) -> str | None:
    if not delivery.copyable:
        return "a manifest is of an earlier version, without entries"
    if delivery.file_format != "parquet":
        return f"the files are {delivery.file_format}"
    if delivery.compression not in _CODECS:
        return f"COPY does not know {delivery.compression}"
    for file in delivery.files:
        if file.uri.endswith(_UNPACKED):
            return "COPY would unpack files of that name; see parquet_codec_suffix"
    return None


def _unproven(
    batches: Iterable[pa.RecordBatch],
    expected: int,
    fit: Fit,
    projection: Projection,
    policy: OnUnrepresentable,
) -> str | None:
    """Why not every row of the files may go into the table as it is there."""
    sift = Sift(fit.capabilities, policy, projection.model.key, keep=lambda _: None)
    rows = 0
    with prefetch(batches, ahead=2) as read:
        for batch in sift.clean(batch.select(fit.names) for batch in read):
            rows += batch.num_rows
            if sift.replaced:
                break
    if sift.replaced or sift.rejected:
        return "the table cannot hold each value as it is in the files"
    return None if rows == expected else f"{rows} of the files' {expected} rows are loaded"


def _load(
    cluster: Cluster, deliveries: Sequence[IntervalFiles], fit: Fit, projection: Projection
) -> str | None:
    """Fill the stage by a COPY for each delivery that has files; the reason where one does not
    fit. The stage has all columns of the files, in their order."""
    filled = [delivery for delivery in deliveries if delivery.files]
    columns = {column.name: column for column in projection.model.columns}
    staged = {column.name: column for column in fit.stage}
    names = filled[0].columns if filled else fit.names
    stage = Stage(
        row_stage(fit).name, [staged.get(name) or passing(columns[name]) for name in names]
    )
    create_stage(cluster.connection, stage)
    reasons = (_copy(cluster, stage, delivery) for delivery in filled)
    return next(filter(None, reasons), None)


def _copy(cluster: Cluster, stage: Stage, delivery: IntervalFiles) -> str | None:
    """Load one delivery; the reason where its files do not fit."""
    connection, manifest = cluster.connection, delivery.manifest
    with redshift_errors(
        manifest,
        user=connection.info.user,
        schema=cluster.schema,
        authorization=cluster.authorization,
        stage=manifest[: manifest.rindex("/") + 1],
    ):
        try:
            copy_files(connection, stage, manifest, cluster.authorization, delivery.rows)
        except RefusedValue as error:
            return error.message
        except psycopg.errors.InternalError_ as error:
            if found := _UNFIT.search(f"{error} {error.diag.message_detail}"):
                return f"COPY refuses the files: {found[0]}"
            raise
    return None


def _loaded(deliveries: Sequence[IntervalFiles]) -> Loaded:
    files = [file for delivery in deliveries for file in delivery.files]
    return Loaded(
        sum(file.rows for file in files),
        sum(file.bytes for file in files),
        hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest(),
    )
