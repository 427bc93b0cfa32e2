"""The command `batch-exports verify`."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from batch_exports.cli.exports import exports_known

if TYPE_CHECKING:
    from batch_exports.export import Export


@click.command()
@click.argument("export")
@click.option("--partition", help="The partition's key; by default the newest that may be read.")
@click.option("--from", "start", help="Where the first interval begins, in the place of a key.")
@click.option("--to", "end", help="Where the last interval ends: it is exclusive.")
def verify(export: str, partition: str | None, start: str | None, end: str | None) -> None:
    """Compare what landed of EXPORT with what was recorded when it was delivered.

    All of it is read again; nothing is changed. The check `content` in the Dagster UI shows what
    was found of each partition. Exit with 1 if anything differs.
    """
    if (start is None) != (end is None) or (partition and start):
        raise click.UsageError("Give --partition, or both --from and --to.")
    import dagster as dg

    from batch_exports import demo, lookup
    from batch_exports.content_report import verify_each

    with exports_known():
        found, definitions = lookup.find_export_among_all(export)
        keys = _keys(found.export, partition, start, end)
        demo.settle_dagster()
        differ = 0
        with dg.DagsterInstance.get() as instance:
            for key, told in verify_each(instance, definitions, found, keys):
                differ += not told.passed
                verdict = "ok" if told.passed else "DIFFERS"
                click.echo(f"{verdict:<8} {key}  {told.description}")
    click.echo(f"{len(keys) - differ} of {len(keys)} partitions are as they were delivered.")
    sys.exit(1 if differ else 0)


def _keys(export: "Export", partition: str | None, start: str | None, end: str | None) -> list[str]:
    from batch_exports.backfills.bounds import keys_within, read_bounds
    from batch_exports.plan import partition_of

    if start is None or end is None:
        return [partition_of(export, partition)]
    bounds = read_bounds(export.partitions, start, end, datetime.now(UTC))
    return keys_within(export.partitions, bounds)
