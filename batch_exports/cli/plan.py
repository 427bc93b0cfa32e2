"""The command `batch-exports plan`."""

import json
import sys

import click

from batch_exports.cli.exports import exports_known


@click.command()
@click.argument("export")
@click.option("--partition", help="The partition's key; by default the newest that may be read.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def plan(export: str, partition: str | None, as_json: bool) -> None:
    """Say what a run of EXPORT would do for a partition; nothing is written.

    The query or files at the source, filters, rows, columns with their types at both ends, what is
    there already, and each statement or object. Exit with 1 if the run would fail.
    """
    from batch_exports import lookup
    from batch_exports import plan as plans
    from batch_exports.plan_text import plan_text

    with exports_known():
        told = plans.plan(lookup.find_export(export), partition)
        text = json.dumps(plans.as_json(told), indent=2) if as_json else plan_text(told)
    click.echo(text)
    sys.exit(1 if told.problems else 0)
