"""The command `batch-exports backfill`, and what follows a backfill."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from batch_exports.cli.exports import exports_known

if TYPE_CHECKING:
    import dagster as dg

    from batch_exports.backfills.progress import Progress
    from batch_exports.backfills.proposal import Proposal

_POLL_SECONDS = 5
_SILENT_SECONDS = 300


class _Backfills(click.Group):
    """What is no other command is the name of an export."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["start", *args]
        return super().resolve_command(ctx, args)


_yes = click.option("--yes", is_flag=True, help="Do not ask before it is launched.")
_wait = click.option("--wait", is_flag=True, help="Until it ends; exit with 1 if any failed.")


@click.group(
    cls=_Backfills,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    subcommand_metavar="EXPORT --from BOUND --to BOUND | COMMAND ID",
)
def backfill() -> None:
    """Deliver past intervals of an export, or follow such a backfill.

    \b
    batch-exports backfill EXPORT --from 2026-11-01 --to 2026-11-03
    batch-exports backfill status|cancel|resume ID

    It is Dagster's own: the daemon of the instance in DAGSTER_HOME works it off, and its UI shows
    it under Runs, Backfills.
    """


@backfill.command()
@click.argument("export")
@click.option("--from", "start", required=True, help="Where the first interval begins.")
@click.option("--to", "end", required=True, help="Where the last interval ends: it is exclusive.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest interval.")
@click.option("--single-run", is_flag=True, help="One run for all that follow one another.")
@click.option(
    "--missing/--all",
    "only_missing",
    default=True,
    show_default=True,
    help="Leave out what is delivered, or deliver it again.",
)
@_yes
@_wait
def start(
    export: str,
    start: str,
    end: str,
    newest_first: bool,
    single_run: bool,
    only_missing: bool,
    yes: bool,
    wait: bool,
) -> None:
    """Estimate, ask, and launch a backfill of EXPORT.

    A bound is a date or a time in the export's time zone, a time with an offset, or a partition's
    key. Each is to be the bound of an interval: none is delivered in part.
    """
    from batch_exports import lookup
    from batch_exports.backfills import bounds, proposal

    with exports_known(), _instance() as instance:
        found = lookup.find_export(export)
        now = datetime.now(UTC)
        partitions = found.export.partitions
        keys = bounds.keys_within(partitions, bounds.read_bounds(partitions, start, end, now))
        way = proposal.Way(newest_first, single_run)
        proposed = proposal.propose(instance, found, keys, way, only_missing=only_missing, now=now)
        _launch(instance, proposed, yes=yes, wait=wait)


@backfill.command()
@click.argument("backfill_id", metavar="ID")
@_wait
def status(backfill_id: str, wait: bool) -> None:
    """Say how far a backfill is."""
    with exports_known(), _instance() as instance:
        _follow(instance, backfill_id, wait=wait)


@backfill.command()
@click.argument("backfill_id", metavar="ID")
def cancel(backfill_id: str) -> None:
    """End a backfill, with those of its runs that wait or are under way.

    What these have delivered stays; a delivery that is ended leaves nothing.
    """
    from batch_exports.backfills import dagster_backfill

    with exports_known(), _instance() as instance:
        found = dagster_backfill.find(instance, backfill_id)
        if dagster_backfill.has_ended(found):
            raise click.ClickException(
                f"{backfill_id} has ended: {dagster_backfill.state_of(found)}."
            )
        dagster_backfill.cancel(instance, found)
    click.echo(f"{backfill_id} is being cancelled. `batch-exports backfill resume` goes on.")


@backfill.command()
@click.argument("backfill_id", metavar="ID")
@_yes
@_wait
def resume(backfill_id: str, yes: bool, wait: bool) -> None:
    """Launch another backfill of the partitions that one has not delivered."""
    from batch_exports.backfills import resumption

    with exports_known(), _instance() as instance:
        proposed = resumption.propose_again(instance, backfill_id, datetime.now(UTC))
        _launch(instance, proposed, yes=yes, wait=wait, resumes=backfill_id)


@contextmanager
def _instance() -> Iterator["dg.DagsterInstance"]:
    """That of `batch-exports ui`, unless DAGSTER_HOME names another one."""
    import dagster as dg

    from batch_exports import demo

    demo.settle_dagster()
    with dg.DagsterInstance.get() as instance:
        yield instance


def _launch(
    instance: "dg.DagsterInstance",
    proposed: "Proposal",
    *,
    yes: bool,
    wait: bool,
    resumes: str | None = None,
) -> None:
    click.echo(proposed.text)
    if not proposed.runs:
        click.echo("There is nothing to deliver.")
        return
    if not yes:
        click.confirm("Launch it?", abort=True)
    backfill_id = proposed.launch(instance, resumes=resumes)
    click.echo(f"Launched {backfill_id}: in the UI at /runs/b/{backfill_id}")
    _warn_without_daemon(instance)
    if wait:
        _follow(instance, backfill_id, wait=True)


def _warn_without_daemon(instance: "dg.DagsterInstance") -> None:
    heartbeat = instance.get_daemon_heartbeats().get("BACKFILL")
    if heartbeat is None or time.time() - heartbeat.timestamp > _SILENT_SECONDS:
        click.echo(
            "It waits for a daemon: none has been seen at this instance of late. "
            "`batch-exports ui`, or dagster-daemon, starts one.",
            err=True,
        )


def _follow(instance: "dg.DagsterInstance", backfill_id: str, *, wait: bool) -> None:
    """Print how far it is, until it ends if that is waited for."""
    from batch_exports.backfills import progress

    last = None
    while True:
        found = progress.progress(instance, backfill_id, datetime.now(UTC))
        line = _line(found)
        if line != last:
            click.echo(f"{backfill_id} {line}")
        last = line
        if found.has_ended or not wait:
            sys.exit(1 if wait and not found.has_succeeded else 0)
        time.sleep(_POLL_SECONDS)


def _line(found: "Progress") -> str:
    parts = [
        f"{found.done:,} of {found.partitions:,} partitions done",
        f"{found.failed:,} failed" if found.failed else "",
        f"{found.running:,} running" if found.running else "",
        f"{found.left:,} left" if found.left else "",
        f"{found.rows:,} rows",
        f"about {max(found.minutes_left, 1):,.0f} min left" if found.minutes_left else "",
    ]
    return f"{found.state}: {', '.join(part for part in parts if part)}"
