"""`python -m benchmarks`: measure exports beside their peers, and write docs/performance.md."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import quick, report
from benchmarks.contenders import PEERS_PYTHON, Contender
from benchmarks.hops import HOPS
from benchmarks.results import LAST, Results
from benchmarks.running import Plan, run

_MILLION = 1_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    _add_quick(commands)
    _add_fixed_cost(commands)
    _add_plan_time(commands)
    publishing = commands.add_parser("publish", help="write docs/performance.md and its pictures")
    publishing.set_defaults(action=_publish)
    for command in commands.choices.values():
        command.add_argument(
            "--folder", type=Path, help="where to work, and to leave lakes and servers"
        )
        command.add_argument("--results", type=Path, default=LAST, help="the file to add to")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        if options.folder is None:
            made = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
            options.folder = Path(stack.enter_context(made))
        options.folder.mkdir(parents=True, exist_ok=True)
        options.folder = options.folder.absolute()
        sys.exit(options.action(options))


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("run", help="measure hops; results accumulate")
    parser.add_argument("--hop", choices=list(HOPS), action="append", help="these alone")
    parser.add_argument("--rows", type=int, action="append", help="1, 2 and 4 million without")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--contender", action="append", help="those alone whose names hold this, whatever the case"
    )
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds after which a run is given up"
    )
    parser.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    words = [word.lower() for word in options.contender or [""]]

    def wanted(_: str, contender: Contender) -> bool:
        return any(word in contender.name.lower() for word in words)

    plan = Plan(
        hops=options.hop or list(HOPS),
        sizes=options.rows or [_MILLION, 2 * _MILLION, 4 * _MILLION],
        repeat=options.repeat,
        patience=options.patience,
        wanted=wanted,
    )
    run(plan, options.folder, Results(options.results))


def _add_quick(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "quick", help="ours against the limit, compared with guard.toml: 1 where it has got slower"
    )
    parser.add_argument("--hop", choices=list(HOPS), action="append", help="these alone")
    parser.add_argument("--rows", type=int, default=quick.ROWS)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep what is measured in guard.toml")
    parser.set_defaults(action=_quick)


def _quick(options: argparse.Namespace) -> int:
    guard = quick.Guard.read()
    # Of its own: what nightly runs measure is not what is published.
    results = Results(options.folder / "quick.json")
    hops = options.hop or list(HOPS)
    quick.measure(guard, options.folder, results, hops, options.repeat, options.rows)
    slower = quick.compare(guard, results, hops)
    if options.write:
        quick.write(guard, results)
        return 0
    print("\n" + ("\n".join(slower) or "No hop has got slower."))
    return 1 if slower else 0


def _add_fixed_cost(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "fixed-cost", help="runs with one row, and backfills of them, through the daemon"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--intervals", type=int, default=60)
    parser.add_argument("--full", action="store_true", help="1,000 intervals")
    parser.set_defaults(action=_fixed_cost)


def _fixed_cost(options: argparse.Namespace) -> None:
    from benchmarks import fixed_cost

    intervals = 1000 if options.full else options.intervals
    told = fixed_cost.measure(options.folder, runs=options.runs, intervals=intervals)
    print(json.dumps(told, indent=1))
    Results(options.results).note("fixed-cost", told)


def _add_plan_time(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("plan-time", help="loading and ticks of many exports")
    parser.add_argument("--exports", type=int, default=200)
    parser.set_defaults(action=_plan_time)


def _plan_time(options: argparse.Namespace) -> None:
    from benchmarks import plan_time

    told = plan_time.measure(options.folder / "plan", options.exports)
    print(json.dumps(told, indent=1))
    Results(options.results).note("plan-time", told)


def _publish(options: argparse.Namespace) -> None:
    """The pictures are drawn in the peers' environment, which has matplotlib."""
    results = Results(options.results)
    print(f"docs/performance.md: {', '.join(report.publish(results))}")
    command = [str(PEERS_PYTHON), "-m", "benchmarks.plots"]
    subprocess.run([*command, str(options.results), str(report.IMAGES)], check=True)


if __name__ == "__main__":
    main()
