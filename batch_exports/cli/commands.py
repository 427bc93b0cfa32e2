"""The command `batch-exports`."""

import os
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import click

from batch_exports.cli.approve import approve
from batch_exports.cli.backfill import backfill
from batch_exports.cli.exports import errors_told, exports_known
from batch_exports.cli.pause import pause, resume
from batch_exports.cli.plan import plan
from batch_exports.cli.prune import prune
from batch_exports.cli.verify import verify
from batch_exports.local import parts
from batch_exports.probe import Result, Verdict


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Product-analytics data, exported one data interval at a time."""


main.add_command(approve)
main.add_command(backfill)
main.add_command(plan)
main.add_command(prune)
main.add_command(pause)
main.add_command(resume)
main.add_command(verify)


@main.group()
def local() -> None:
    """The embedded parts: an S3 server, PostgreSQL and sample events, on this machine.

    Their state is kept in .local/ of the current folder, or in the folder that
    BATCH_EXPORTS_LOCAL_DIR names.
    """


@local.command()
def up() -> None:
    """Start every part, or find it running, and say where it is."""
    with errors_told():
        parts.up(parts.state_folder(), _progress)
    _show_status()


@local.command()
def down() -> None:
    """Stop every part. What was exported stays."""
    state = parts.state_folder()
    with errors_told():
        parts.down(state, _progress)
    click.echo(f"All parts are down. Their data stays in {state}")


@local.command()
def status() -> None:
    """Say what is up and where; exit with 1 unless everything is."""
    if not _show_status():
        sys.exit(1)


@local.command()
def env() -> None:
    """Print how to reach the parts, as shell variables.

    Use it so: eval "$(batch-exports local env)"
    """
    state = parts.state_folder()
    with errors_told():
        variables = parts.environment(state)
        down_now = [name for name, part in parts.status(state).items() if not part.up]
    for name, value in variables.items():
        click.echo(f"export {name}={_quoted(value)}")
    if down_now:
        _progress(f"not running: {', '.join(down_now)}; `batch-exports local up` starts them")


@main.command()
def demo() -> None:
    """Export the sample events to an S3 server on this machine, and show what landed."""
    from batch_exports import demo as demonstration  # Dagster takes seconds to import

    began = time.monotonic()
    with errors_told():
        demonstration.start_parts(_progress)
        demonstration.settle_dagster()
        _progress("loading the exports ...")
        rows = demonstration.run(_progress_line)
    _progress_line("")
    click.echo(demonstration.table(rows))
    bad = [row for row in rows if not row.good]
    for row in bad:
        click.echo(f"FAILED {row.export} {row.partition}: {row.problem or 'see its checks'}")
    good = len(rows) - len(bad)
    click.echo(f"{good} of {len(rows)} partitions are good, in {time.monotonic() - began:.0f} s.")
    click.echo("See them in Dagster: make ui")
    sys.exit(1 if bad else 0)


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port on this machine.")
def ui(port: int) -> None:
    """Open the Dagster UI with its daemon, so that schedules and backfills run."""
    from batch_exports import demo as demonstration

    with errors_told():
        if "BATCH_EXPORTS_DEFS" not in os.environ:
            demonstration.start_parts(_progress)
        demonstration.settle_dagster()
    click.echo(f"The Dagster UI will be at http://127.0.0.1:{port}; Ctrl-C ends it.")
    code = (
        ["-w", "workspace.yaml"]
        if Path("workspace.yaml").exists()
        else ["-m", "batch_exports.definitions"]
    )
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", *code, "--host", "127.0.0.1", "--port", str(port)]
    os.execv(command[0], command)


@main.command("setup-sql")
@click.argument("export")
@click.option(
    "--with-tables",
    is_flag=True,
    help="Make the tables as well, so that the export's user needs no right to make any.",
)
@click.option(
    "--policy",
    type=click.Choice(["stage", "cluster", "trust", "login"]),
    help="Print one of the IAM policies that an export to Redshift needs, and no SQL.",
)
def setup_sql(export: str, with_tables: bool, policy: str | None) -> None:
    """Print the SQL by which an administrator prepares PostgreSQL or Redshift for EXPORT.

    EXPORT may be a WarehouseTableSource as well: then for its user, and the state of its syncs.

    For Redshift the IAM policies are in its comments: of the identity that stages files on S3, of
    the one by which the cluster reads them, who may assume that, and of who logs in.
    """
    from batch_exports import administration, source_lookup

    with exports_known():
        found = source_lookup.find(export)
        if isinstance(found, source_lookup.FoundTable):
            click.echo(administration.source_setup_sql(found))
            for rule in administration.broken_password_rules(found):
                _progress(f"warning: the password in the environment breaks a rule: {rule}")
        elif policy:
            click.echo(administration.policy(found, policy))
        else:
            click.echo(administration.setup_sql(found, with_tables=with_tables))


@main.command("test")
@click.argument("export")
def test_export(export: str) -> None:
    """Try the source and the destination of EXPORT, step by step; exit with 1 if one fails.

    All that a delivery does is done, on objects and rows of its own, and nothing is left behind.
    EXPORT may be a WarehouseTableSource as well.
    """
    from batch_exports import source_lookup, trial

    with exports_known():
        found = source_lookup.find(export)
        if isinstance(found, source_lookup.FoundTable):
            verdicts = _show_results("source", trial.try_table(found))
        else:
            verdicts = [
                *_show_results("source", trial.try_source(found)),
                *_show_results("destination", trial.try_destination(found)),
            ]
    _conclude(verdicts)


@main.command()
@click.argument("source")
@click.option("--search", default="", help="List columns with this in their name or type alone.")
@click.option("--rows", default=10, show_default=True, help="How many rows to show.")
def preview(source: str, search: str, rows: int) -> None:
    """Show the columns and first rows of SOURCE, and the event that becomes of one.

    SOURCE is a WarehouseTableSource. Nothing is changed, nor synced.
    """
    from batch_exports import preview as previews
    from batch_exports import source_lookup
    from batch_exports.sources.warehouse.sample import sample

    with exports_known():
        found = source_lookup.find_table(source)
        with found.resources() as resources:
            shown = sample(found.reader(resources), rows)
        click.echo(f"{found.component.synced.table}, {found.component.mode}")
        click.echo(previews.preview(source, shown, search))


def _conclude(verdicts: Sequence[Verdict]) -> None:
    counts = ((verdicts.count(verdict), verdict) for verdict in get_args(Verdict))
    click.echo(", ".join(f"{count} {verdict}" for count, verdict in counts if count))
    sys.exit(1 if "failed" in verdicts else 0)


def _show_results(part: str, results: Iterable[Result]) -> list[Verdict]:
    """Print each result as it comes."""
    verdicts = []
    for result in results:
        found = result.finding
        verdict = found.verdict.upper() if found.verdict == "failed" else found.verdict
        click.echo(f"{verdict:<8} {part:<12}{result.step:<19} {found.text}")
        if found.remedy:
            click.echo(f"{'':<9}{found.remedy}")
        verdicts.append(found.verdict)
    return verdicts


def _show_status() -> bool:
    """Print a line a part; whether all are up."""
    state = parts.state_folder()
    with errors_told():
        shown = parts.status(state)
    for name, part in shown.items():
        click.echo(f"{name:<10}{'up' if part.up else 'DOWN':<6}{part.text}")
    click.echo(f"state {state}")
    return all(part.up for part in shown.values())


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _progress_line(line: str) -> None:
    """One line that is written over, on a terminal; a line each elsewhere."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
    elif line:
        click.echo(line, err=True)
