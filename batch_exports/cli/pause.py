"""The commands `batch-exports pause` and `batch-exports resume`."""

from datetime import UTC, datetime

import click

from batch_exports.cli.exports import exports_known


@click.command()
@click.argument("export")
@click.option("--reason", required=True, help="What others are told who wonder why.")
def pause(export: str, reason: str) -> None:
    """Let nothing request runs of EXPORT, neither its schedule nor sensors, until `resume`.

    Runs that are under way go on, and so do backfills; what is launched by hand runs.
    """
    import dagster as dg

    from batch_exports import demo
    from batch_exports.automation.breaker import hold
    from batch_exports.lookup import find_export

    with exports_known():
        find_export(export)
        demo.settle_dagster()
        with dg.DagsterInstance.get() as instance:
            hold(instance, export, reason, datetime.now(UTC))
    click.echo(f"{export} is paused. `batch-exports resume {export}` ends the pause.")


@click.command()
@click.argument("export")
def resume(export: str) -> None:
    """End a pause of EXPORT, by hand or after failures, which count anew from now on."""
    import dagster as dg

    from batch_exports import demo
    from batch_exports.automation import breaker
    from batch_exports.lookup import find_export

    with exports_known():
        found = find_export(export).export
        demo.settle_dagster()
        with dg.DagsterInstance.get() as instance:
            before = breaker.pause_of(instance, found)
            breaker.resume(instance, export, datetime.now(UTC))
    if before is None:
        click.echo(f"{export} was not paused. Failures before now count no more.")
    else:
        click.echo(f"{export} goes on. {before.reason}")
