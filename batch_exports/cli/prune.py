"""The command `batch-exports prune`."""

from datetime import UTC, datetime

import click

from batch_exports.cli.exports import exports_known


@click.command()
@click.option("--older-than", required=True, help="Of runs that ended that long ago: 90 days.")
@click.option("--yes", is_flag=True, help="Do it, and not only count.")
def prune(older_than: str, yes: bool) -> None:
    """Delete what Dagster keeps of old runs, and nothing that tells which partitions are there.

    Runs go whose partition was delivered again by a later one. Of the others the logs keep what
    tells of partitions, checks and failures. Without --yes nothing is changed, and counted what
    would be.
    """
    import dagster as dg

    from batch_exports import demo
    from batch_exports.definitions import component_tree, load_definitions
    from batch_exports.duration import parse_duration
    from batch_exports.history.prune import check_age
    from batch_exports.history.prune import prune as prune_runs
    from batch_exports.lookup import find_exports

    with exports_known():
        age = parse_duration("older_than", older_than)
        tree = component_tree()
        check_age([each.export for each in find_exports(tree, load_definitions(tree))], age)
        demo.settle_dagster()
        with dg.DagsterInstance.get() as instance:
            pruned = prune_runs(instance, datetime.now(UTC) - age, only_count=not yes)
    would = "" if yes else "would be "
    click.echo(
        f"{pruned.seen} runs are older than {older_than}: {pruned.deleted} {would}deleted, the "
        f"logs of {pruned.shortened} {would}made shorter."
    )
    if not yes:
        click.echo("Nothing was changed. Run it with --yes to do it.")
