"""`python -m simulation`: see the package."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from simulation.pages import measure
from simulation.report import report, soak_report
from simulation.scale import simulate
from simulation.scale_report import scale_report
from simulation.size import Size
from simulation.soak import soak
from simulation.year import live

Told = Callable[[str], None]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    year = commands.add_parser("year", help="a year, with all that goes wrong in one")
    year.add_argument("--days", type=int, default=365, help="21 have all of it but one")
    soaked = commands.add_parser("soak", help="24 hours in which nothing goes wrong")
    soaked.add_argument("--hours", type=int, default=24)
    paged = commands.add_parser("pages", help="what ticks and pages cost, with a year remembered")
    paged.add_argument("--exports", type=int, default=200)
    scaled = commands.add_parser("scale", help="a day of the scheduler at any size, without data")
    scaled.add_argument("--exports", type=int, default=1)
    scaled.add_argument("--interval", default="every 5 minutes")
    scaled.add_argument("--rows-a-day", type=float, default=1e10, help="of all exports together")
    scaled.add_argument("--shards", type=int, default=1)
    scaled.add_argument("--workers", type=int, default=2, help="runs that go at once")
    scaled.add_argument("--hours", type=int, default=6)
    scaled.add_argument("--sqlite", action="store_true", help="for Dagster's storage")
    for command in (year, soaked, paged, scaled):
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--folder", type=Path, help="an empty one to work in, which stays")
    options = parser.parse_args()
    with _folder(options.folder) as folder, _quiet(folder / "log") as told:
        began = time.monotonic()
        wrong = _COMMANDS[options.command](folder, options, told)
        told(f"Took {time.monotonic() - began:.0f} s.\n")
    sys.exit(bool(wrong))


def _year(folder: Path, options: argparse.Namespace, told: Told) -> Sequence[str]:
    outcome = live(folder, options.days, options.seed, lambda text: told(f"\r{text} "))
    told("\r")
    for line in report(outcome):
        told(f"{line}\n")
    return outcome.wrong


def _soak(folder: Path, options: argparse.Namespace, told: Told) -> Sequence[str]:
    soaked = soak(folder, options.hours, options.seed, lambda text: told(f"\r{text} "))
    told("\r")
    for line in soak_report(soaked):
        told(f"{line}\n")
    return soaked.wrong


def _pages(folder: Path, options: argparse.Namespace, told: Told) -> Sequence[str]:
    measure(folder, options.exports, lambda line: told(f"{line}\n"))
    return ()


def _scale(folder: Path, options: argparse.Namespace, told: Told) -> Sequence[str]:
    size = Size(
        exports=options.exports,
        interval=options.interval,
        rows_a_day=options.rows_a_day,
        shards=options.shards,
        workers=options.workers,
        seed=options.seed,
    )

    def progress(text: str) -> None:
        told(f"\r{text} ")

    day = simulate(folder, size, options.hours, progress, postgres=not options.sqlite)
    told("\r")
    for line in scale_report(day):
        told(f"{line}\n")
    return [*day.missed, *day.twice]


_COMMANDS = {"year": _year, "soak": _soak, "pages": _pages, "scale": _scale}


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="simulation-") as name:
        yield Path(name)


@contextmanager
def _quiet(path: Path) -> Iterator[Told]:
    """What Dagster writes to the terminal goes to a file; the block gets what still goes there."""
    terminal = sys.stdout

    def told(text: str) -> None:
        terminal.write(text)
        terminal.flush()

    with path.open("w") as log, redirect_stdout(log), redirect_stderr(log):
        yield told


if __name__ == "__main__":
    main()
