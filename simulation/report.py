"""What came of a simulated time, as a person reads it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from simulation.soak import Soaked
from simulation.year import Outcome

_MOST_LINES = 40


def report(outcome: Outcome) -> Iterator[str]:
    """The lines of it."""
    yield f"{'began':<17} {'incident':<24} runs by what asked for them; what was told"
    for number, incident in enumerate(outcome.incidents):
        yield f"{incident.begin:%Y-%m-%d %H:%M}  {incident.name:<24} {incident.story}"
        yield f"{'':<43}{_counted(outcome.runs[number])}"
        for told in outcome.told:
            if told.incident == incident.name and told.kinds:
                yield f"{'':<43}told of {told.export}: {', '.join(told.kinds)}"
    yield ""
    yield ", ".join(f"{count} {name}" for name, count in outcome.totals.items())
    yield from _verdict(outcome.wrong)


def soak_report(soaked: Soaked) -> Iterator[str]:
    """The lines of it."""
    yield f"{soaked.runs} runs. A run leaves {soaked.bytes_per_run:,} bytes in Dagster's storage."
    shown = ", ".join(f"{each / 2**20:.0f}" for each in soaked.resident)
    yield f"Resident memory after each hour, in MiB: {shown}"
    if soaked.wrong:
        yield from _verdict(soaked.wrong)
    else:
        yield "Each interval has one run, and every partition is green."


def _counted(runs: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(runs.items())) or "no run"


def _verdict(wrong: Sequence[str]) -> Iterator[str]:
    if not wrong:
        yield "Every partition is green, and equal to its source. Nothing else was told."
        return
    yield f"{len(wrong)} things are wrong:"
    yield from wrong[:_MOST_LINES]
