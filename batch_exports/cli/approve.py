"""The command `batch-exports approve`."""

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from batch_exports.cli.exports import exports_known

if TYPE_CHECKING:
    from batch_exports.drift.approval import Proposal


@click.command()
@click.argument("export")
@click.option("--yes", is_flag=True, help="Do not ask.")
def approve(export: str, yes: bool) -> None:
    """Show how the columns of EXPORT differ from those approved, at its source and where it
    delivers, and take them as they are.

    The check `schema_drift` compares with them from then on, and is run again for the partitions
    that it marked.
    """
    import dagster as dg

    from batch_exports import demo, lookup
    from batch_exports.drift import approval

    with exports_known():
        found, definitions = lookup.find_export_among_all(export)
        demo.settle_dagster()
        with dg.DagsterInstance.get() as instance:
            proposal = approval.propose(instance, found)
            _show(export, proposal)
            if proposal.differences or proposal.approved is None:
                if not yes:
                    click.confirm("Approve the columns as they are?", abort=True)
                approval.approve(instance, found.export, proposal, by=_user(), at=datetime.now(UTC))
                click.echo("They are approved.")
            passed = [ok for _, ok in approval.check_again(instance, definitions, found)]
    if passed:
        click.echo(f"Checked again: {len(passed)} partitions, of which {sum(passed)} pass.")


def _show(export: str, proposal: "Proposal") -> None:
    click.echo(f"{export}, by the partition {proposal.partition}")
    if proposal.approved is None:
        click.echo("No columns were approved yet.")
        return
    click.echo(f"approved {proposal.approved}")
    for difference in proposal.differences:
        click.echo(str(difference))
    if not proposal.differences:
        click.echo("Nothing differs.")


def _user() -> str:
    """Containers may run as a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
