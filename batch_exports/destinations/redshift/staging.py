"""An interval's rows on their way into stages: those to deliver, and those put aside."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.destinations.postgres.rejects import Rejects
from batch_exports.destinations.redshift import rejects
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.loading import Loader, Stage, create_stage
from batch_exports.destinations.redshift.presence import key_stage
from batch_exports.destinations.redshift.settlement import StagedRows
from batch_exports.destinations.redshift.table import count_rows
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.prefetch import prefetch

_ROWS = "_batch_exports_stage"
_REJECTED_KEYS = "_batch_exports_rejected_keys"


def stage_rows(
    connection: psycopg.Connection[Any],
    batches: Iterable[pa.RecordBatch],
    *,
    loader: Loader,
    fit: Fit,
    projection: Projection,
    policy: OnUnrepresentable,
    export: str,
    interval: DataInterval,
    run_id: str,
) -> StagedRows:
    """Fill the session's stages. Raises psycopg's and S3's errors, and those of `batches`."""
    rows = row_stage(fit)
    create_stage(connection, rows)
    with Rejects() as aside, Rejects() as keys, prefetch(batches, ahead=2) as read:

        def keep(originals: pa.RecordBatch) -> None:
            aside.keep(originals)
            keys.keep(originals.select(["_action", *projection.model.key]))

        sift = Sift(fit.capabilities, policy, projection.model.key, keep)
        loaded = loader.load(
            connection, rows, sift.clean(batch.select(fit.names) for batch in read)
        )
        found = rejects.staged_rejects(
            aside.replay(), projection.identity, export, interval, run_id
        )
        put_aside = sift.rejected or sift.replaced
        staged = StagedRows(
            rows=rows,
            loaded=loaded,
            rejected=sift.rejected,
            replaced=sift.replaced,
            rejects=_filled(connection, loader, rejects.STAGE, found) if put_aside else None,
            rejected_keys=_rejected_keys(connection, loader, fit, projection, keys.replay())
            if sift.rejected
            else None,
        )
    counted = count_rows(connection, rows.relation)
    if counted != loaded.rows:
        raise Terminal(
            f"{loaded.rows} rows were sent, and {counted} are staged.",
            remedy="Materialize the partition again. Nothing was delivered.",
        )
    return staged


def row_stage(fit: Fit) -> Stage:
    """The stage of the rows to deliver, in the order of the export's columns."""
    return Stage(_ROWS, fit.stage, fit.supers)


def _filled(
    connection: psycopg.Connection[Any],
    loader: Loader,
    stage: Stage,
    batches: Iterable[pa.RecordBatch],
) -> Stage:
    create_stage(connection, stage)
    loader.load(connection, stage, batches)
    return stage


def _rejected_keys(
    connection: psycopg.Connection[Any],
    loader: Loader,
    fit: Fit,
    projection: Projection,
    kept: Iterable[pa.RecordBatch],
) -> Stage:
    """Rows of these keys may have been delivered before, and are not any more.

    A key that the table cannot hold was never there; one of several findings comes several times.
    """
    stage = key_stage(_REJECTED_KEYS, fit, projection.model.key)
    sift = Sift(fit.capabilities, OnUnrepresentable.REPLACE, stage.names, keep=lambda _: None)
    schema = pa.schema([projection.schema.field(name) for name in stage.names])

    def keys() -> Iterator[pa.RecordBatch]:
        for batch in kept:
            rejected = batch.filter(pc.equal(batch.column("_action"), "rejected"))
            columns = [
                # What is no UTF-8 is found by the sift.
                rejected.column(field.name).cast(field.type, safe=False)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return _filled(connection, loader, stage, sift.clean(keys()))
