"""An interval that comes in shards: each puts files into the interval's folder on S3, which one
commit loads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from batch_exports.destinations.receipts import (
    as_json,
    check_receipts,
    content_of,
    header,
    overtaken,
)
from batch_exports.destinations.redshift import rejects
from batch_exports.destinations.redshift.copy import CopyLoader
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.isolation import retried
from batch_exports.destinations.redshift.ledger import Entry
from batch_exports.destinations.redshift.settlement import Settlement, refuse_others
from batch_exports.destinations.redshift.staged import (
    FilesOfStages,
    RedshiftReceipt,
    check_files,
    load_staged,
    told,
)
from batch_exports.destinations.redshift.staging import key_stage_of, row_stage, sift_rows
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.shard import Shard

# Each shard numbers its findings on its own.
_FINDINGS_BITS = 40


@dataclass(frozen=True, kw_only=True)
class ShardedLoad:
    """What the shards of one interval, and their commit, need. `settlement` tells which deliveries
    there were when this step began."""

    connection: psycopg.Connection[Any]
    settlement: Settlement
    loader: CopyLoader
    fit: Fit
    policy: OnUnrepresentable

    def stage(self, batches: Iterable[pa.RecordBatch], shard: Shard) -> Mapping[str, Any]:
        """Put the shard's rows into files; its receipt."""
        settlement, loader = self.settlement, self.loader
        if settlement.mode == "replace":
            refuse_others(self.connection, settlement.ledger, settlement.rejects)
        name = f"shards/{shard.index:04}-of-{shard.of:04}-{loader.label}"
        files = FilesOfStages(loader.folder, loader.files, name)
        export, interval, run_id = settlement.ledger.export, settlement.interval, settlement.run_id
        sifted = sift_rows(
            files.fill,
            batches,
            fit=self.fit,
            projection=settlement.projection,
            policy=self.policy,
            export=export,
            interval=interval,
            run_id=run_id,
            first_number=shard.index << _FINDINGS_BITS,
        )
        receipt = RedshiftReceipt(
            **header(export, interval, run_id, shard, self._form),
            rows=sifted.loaded.rows,
            rejected=sifted.rejected,
            replaced=sifted.replaced,
            bytes=sifted.loaded.bytes,
            sha256=sifted.loaded.sha256,
            staged=files.of(row_stage(self.fit)),
            put_aside=files.of(rejects.STAGE),
            rejected_keys=files.of(key_stage_of(self.fit, settlement.projection)),
            before=told(settlement.deliveries_before),
        )
        return as_json(receipt)

    def commit(self, receipts: Sequence[Mapping[str, Any]]) -> Entry:
        """Load the shards' files, and move their rows into the table in one transaction.

        The files stay where that fails, for the next try. Where only its answer was lost, that
        finds their very content in the ledger.
        """
        settlement = self.settlement
        parts = check_receipts(
            receipts,
            RedshiftReceipt,
            settlement.ledger.export,
            settlement.interval,
            self._form,
        )
        kept = {file.key for part in parts for file in part.files}
        with self.loader.folder.held(settlement.run_id, kept):
            return self._earlier(parts) or self._deliver(parts)

    def _earlier(self, parts: Sequence[RedshiftReceipt]) -> Entry | None:
        """The entry of these very parts, if they were committed before. Raises `Terminal` where
        others delivered since a shard began."""
        ledger, interval = self.settlement.ledger, self.settlement.interval
        before = told(ledger.overlapping(self.connection, interval))
        if all(part.before == before for part in parts):
            return None
        done = ledger.entry(self.connection, interval)
        if done and done.content_sha256 == content_of(parts):
            return done
        raise overtaken(interval)

    def _deliver(self, parts: Sequence[RedshiftReceipt]) -> Entry:
        connection, settlement, loader = self.connection, self.settlement, self.loader
        check_files(loader.folder, parts, settlement.interval)
        staged = load_staged(
            connection, loader.folder, parts, self.fit, settlement.projection, loader.label
        )

        def settle() -> Entry:
            with connection.transaction():
                return settlement.settle(connection, staged)

        return retried(settle)

    @property
    def _form(self) -> str:
        """All that the shards' files and the table must have in common."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.fit.stage)
        return f"{self.settlement.name} ({columns})"
