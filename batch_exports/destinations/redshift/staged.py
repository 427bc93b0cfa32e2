"""Rows of a shard, as files in the interval's folder on S3 until the interval is committed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import pyarrow as pa

from batch_exports.destinations.receipts import Receipt, content_of, gone
from batch_exports.destinations.redshift import rejects
from batch_exports.destinations.redshift.copy import copy_files
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.loading import Loaded, Stage, create_stage
from batch_exports.destinations.redshift.settlement import StagedRows
from batch_exports.destinations.redshift.stage_area import StagedFile, StageFolder
from batch_exports.destinations.redshift.staging import check_count, key_stage_of, row_stage
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.redshift_rows import for_parquet


class StagedStage(msgspec.Struct, frozen=True):
    """The files that fill one stage of the commit's session. `rows` are in all of them."""

    rows: int = 0
    files: list[StagedFile] = []


class RedshiftReceipt(Receipt, frozen=True, kw_only=True):
    """The files of rows to deliver, of those put aside, and of the keys of those not delivered.
    `before` tells the deliveries that there were when the shard began."""

    staged: StagedStage
    put_aside: StagedStage
    rejected_keys: StagedStage
    before: list[str]

    @property
    def files(self) -> Iterator[StagedFile]:
        for stage in (self.staged, self.put_aside, self.rejected_keys):
            yield from stage.files


@dataclass(frozen=True)
class FilesOfStages:
    """Takes rows for stages that there are not yet: into `files` files each, under a `label` that
    no other try of a shard has."""

    folder: StageFolder
    files: int
    label: str
    put: dict[str, StagedStage] = field(default_factory=dict)

    def fill(self, stage: Stage, batches: Iterable[pa.RecordBatch]) -> Loaded:
        rows = (for_parquet(batch.select(stage.names), stage.supers) for batch in batches)
        found, loaded = self.folder.put(f"{self.label}/{stage.name}", rows, self.files)
        self.put[stage.name] = StagedStage(loaded.rows, found)
        return loaded

    def of(self, stage: Stage) -> StagedStage:
        return self.put.get(stage.name, StagedStage())


def told(deliveries: Iterable[tuple[Any, ...]]) -> list[str]:
    """What the ledger tells of deliveries, in a form that goes into receipts."""
    return sorted(
        " ".join(
            part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part)
            for part in delivery
        )
        for delivery in deliveries
    )


def load_staged(
    connection: psycopg.Connection[Any],
    folder: StageFolder,
    receipts: Sequence[RedshiftReceipt],
    fit: Fit,
    projection: Projection,
    label: str,
) -> StagedRows:
    """Fill the session's stages with the shards' files. Raises what COPY raises."""

    def fill(stage: Stage, parts: Sequence[StagedStage]) -> Stage | None:
        files = [file for part in parts for file in part.files]
        if not files and stage is not rows:
            return None
        create_stage(connection, stage)
        if files:
            manifest = folder.put_manifest(f"{label}/{stage.name}", files)
            count = sum(part.rows for part in parts)
            copy_files(connection, stage, manifest, folder.authorization, count)
        return stage

    rows, keys = row_stage(fit), key_stage_of(fit, projection)
    fill(rows, [receipt.staged for receipt in receipts])
    staged = StagedRows(
        rows=rows,
        loaded=Loaded(
            sum(receipt.rows for receipt in receipts),
            sum(receipt.bytes for receipt in receipts),
            content_of(receipts),
        ),
        rejected=sum(receipt.rejected for receipt in receipts),
        replaced=sum(receipt.replaced for receipt in receipts),
        rejects=fill(rejects.STAGE, [receipt.put_aside for receipt in receipts]),
        rejected_keys=fill(keys, [receipt.rejected_keys for receipt in receipts]),
    )
    check_count(connection, rows, staged.loaded.rows)
    return staged


def check_files(
    folder: StageFolder, receipts: Sequence[RedshiftReceipt], interval: DataInterval
) -> None:
    """Raises `Terminal` where files are gone, or are others."""
    sizes = folder.sizes()
    if missing := [
        receipt.shard
        for receipt in receipts
        if any(sizes.get(file.key) != file.bytes for file in receipt.files)
    ]:
        raise gone(interval, missing)
