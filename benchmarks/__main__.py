"""`python -m benchmarks`: measure exports beside their peers, and write docs/performance.md."""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.hops import HOPS
from benchmarks.results import LAST, Results
from benchmarks.running import Plan, run

_MILLION = 1_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    options = parser.parse_args(arguments)
    options.action(options)


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
    parser.add_argument("--folder", type=Path, help="where to work, and to leave lake and servers")
    parser.add_argument("--results", type=Path, default=LAST, help="the file to add to")
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
    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        run(plan, folder.absolute(), Results(options.results))


if __name__ == "__main__":
    main()
