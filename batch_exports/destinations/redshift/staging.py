"""An interval's rows on their way into stages: those to deliver, and those put aside."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.destinations.postgres.rejects import Rejects
from batch_exports.destinations.redshift import rejects
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.loading import Loaded, Loader, Stage, create_stage
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

    def fill(stage: Stage, batches: Iterable[pa.RecordBatch]) -> Loaded:
        create_stage(connection, stage)
        return loader.load(connection, stage, batches)

    rows = row_stage(fit)
    sifted = sift_rows(
        fill,
        batches,
        fit=fit,
        projection=projection,
        policy=policy,
        export=export,
        interval=interval,
        run_id=run_id,
    )
    check_count(connection, rows, sifted.loaded.rows)
    return StagedRows(
        rows=rows,
        loaded=sifted.loaded,
        rejected=sifted.rejected,
        replaced=sifted.replaced,
        rejects=rejects.STAGE if sifted.rejected or sifted.replaced else None,
        rejected_keys=key_stage_of(fit, projection) if sifted.rejected else None,
    )


@dataclass(frozen=True)
class Sifted:
    """The rows to deliver, and how many were rejected, or hold a value in a changed form."""

    loaded: Loaded
    rejected: int
    replaced: int


def sift_rows(
    fill: Callable[[Stage, Iterable[pa.RecordBatch]], Loaded],
    batches: Iterable[pa.RecordBatch],
    *,
    fit: Fit,
    projection: Projection,
    policy: OnUnrepresentable,
    export: str,
    interval: DataInterval,
    run_id: str,
    first_number: int = 0,
) -> Sifted:
    """Part the rows, and hand each part to `fill` with its stage: those to deliver in any case,
    what was put aside and the keys of rejected rows where there are some.

    Findings are numbered from `first_number` on. Raises what `fill` and `batches` raise.
    """
    with Rejects() as aside, Rejects() as keys, prefetch(batches, ahead=2) as read:

        def keep(originals: pa.RecordBatch) -> None:
            aside.keep(originals)
            keys.keep(originals.select(["_action", *projection.model.key]))

        sift = Sift(fit.capabilities, policy, projection.model.key, keep)
        loaded = fill(row_stage(fit), sift.clean(batch.select(fit.names) for batch in read))
        if sift.rejected or sift.replaced:
            found = rejects.staged_rejects(
                aside.replay(), projection.identity, export, interval, run_id, first_number
            )
            fill(rejects.STAGE, found)
        if sift.rejected:
            fill(key_stage_of(fit, projection), _rejected_keys(fit, projection, keys.replay()))
    return Sifted(loaded, sift.rejected, sift.replaced)


def check_count(connection: psycopg.Connection[Any], stage: Stage, rows: int) -> None:
    """Raises `Terminal` where the stage has not as many rows as were sent."""
    counted = count_rows(connection, stage.relation)
    if counted != rows:
        raise Terminal(
            f"{rows} rows were sent, and {counted} are staged.",
            remedy="Materialize the partition again. Nothing was delivered.",
        )


def row_stage(fit: Fit) -> Stage:
    """The stage of the rows to deliver, in the order of the export's columns."""
    return Stage(_ROWS, fit.stage, fit.supers)


def key_stage_of(fit: Fit, projection: Projection) -> Stage:
    """The stage of the keys of rejected rows: rows of these may have been delivered before, and are
    not any more."""
    return key_stage(_REJECTED_KEYS, fit, projection.model.key)


def _rejected_keys(
    fit: Fit, projection: Projection, kept: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """A key that the table cannot hold was never there; one of several findings comes several
    times."""
    stage = key_stage_of(fit, projection)
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

    return sift.clean(keys())
