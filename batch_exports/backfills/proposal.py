"""A backfill as it is proposed to the user: what it has and takes; and launched, if they agree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from batch_exports.backfills.choice import Choice, choose, in_runs
from batch_exports.backfills.dagster_backfill import Asked, launch
from batch_exports.backfills.estimate import Estimate, count_rows, estimate
from batch_exports.backfills.history import history
from batch_exports.export import Export
from batch_exports.lookup import Found

EXPORT_TAG = "batch_exports/backfill"
RESUMES_TAG = "batch_exports/resumes"
_ORDER_TAG = "batch_exports/order"
_SINGLE_RUN_TAG = "batch_exports/single_run"
# Runs of schedules have 0: whatever waits in the queue, they come first.
_PRIORITY = "-10"
_SHOWN = 5


@dataclass(frozen=True)
class Way:
    """In which order partitions are delivered, and whether by one run."""

    newest_first: bool = False
    single_run: bool = False

    @property
    def tags(self) -> dict[str, str]:
        order = {_ORDER_TAG: "newest first"} if self.newest_first else {}
        return {**order, **({_SINGLE_RUN_TAG: "true"} if self.single_run else {})}

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Way":
        """That of a backfill with these tags."""
        return cls(_ORDER_TAG in tags, _SINGLE_RUN_TAG in tags)


@dataclass(frozen=True)
class Proposal:
    """`runs` are the partitions of each run, in the order in which they are to start."""

    export: Export
    choice: Choice
    runs: Sequence[Sequence[str]]
    estimate: Estimate
    way: Way

    @property
    def text(self) -> str:
        """All that the user should know before they agree."""
        return "\n".join(_lines(self))

    def launch(self, instance: dg.DagsterInstance, *, resumes: str | None = None) -> str:
        """The ID of the backfill, which the daemon of the instance works off."""
        keys = self.choice.keys
        again = {RESUMES_TAG: resumes} if resumes else {}
        return launch(
            instance,
            Asked(
                self.export.key,
                self.export.partitions,
                self.runs,
                f"{self.export.name}: {keys[0]} to {keys[-1]}",
                {
                    EXPORT_TAG: self.export.name,
                    "dagster/priority": _PRIORITY,
                    **self.way.tags,
                    **again,
                },
            ),
        )


def propose(
    instance: dg.DagsterInstance,
    found: Found,
    keys: Sequence[str],
    way: Way,
    *,
    only_missing: bool,
    now: datetime,
) -> Proposal:
    """Choose of these partitions, and estimate. Raises what keeps the source from being reached."""
    export = found.export
    choice = choose(instance, export, keys, only_missing=only_missing, now=now)
    most = None if way.single_run else found.component.partitions_per_run
    runs = in_runs(export.partitions, choice.keys, most)
    past = history(instance, export)
    with found.resources({export.source}) as resources:
        rows = count_rows(export, export.reader(resources), choice.keys, past)
    taken = estimate(rows, past, partitions=len(choice.keys), runs=len(runs), instance=instance)
    return Proposal(export, choice, runs[::-1] if way.newest_first else runs, taken, way)


def _lines(proposal: Proposal) -> list[str]:
    choice, taken = proposal.choice, proposal.estimate
    lines = [f"partitions  {len(choice.keys):,}{_span(choice.keys)}"]
    if choice.again:
        lines.append(f"            {choice.again:,} of them are delivered already: they are again")
    if choice.delivered:
        lines.append(f"            {choice.delivered:,} are delivered already: they are left out")
    lines += [f"            {line}" for line in _left_out(choice.left_out)]
    if not choice.keys:
        return lines
    order = "newest first" if proposal.way.newest_first else "oldest first"
    runs = len(proposal.runs)
    unknown = "unknown yet: nothing was delivered"
    files = [] if taken.files is None else [f"files       about {taken.files:,}"]
    number = taken.rows.number
    return [
        *lines,
        f"runs        {runs:,}, {order}, {taken.at_once} at once"
        if runs > 1
        else "runs        1, which delivers one partition after the other, oldest first"
        if len(choice.keys) > 1
        else "runs        1",
        f"rows        {'unknown' if number is None else f'{number:,}'} ({taken.rows.told_by})",
        f"bytes       {unknown if taken.bytes is None else f'about {taken.bytes:,}'}",
        *files,
        f"minutes     {unknown if taken.minutes is None else _minutes(taken.minutes)}",
    ]


def _span(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    return f": {keys[0]}" + (f" to {keys[-1]}" if len(keys) > 1 else "")


def _left_out(left_out: Mapping[str, str]) -> list[str]:
    """Some of them by name, the others by number."""
    shown = [f"{key} is left out: {why}" for key, why in list(left_out.items())[:_SHOWN]]
    others = Counter(why.split()[0] for why in list(left_out.values())[_SHOWN:])
    return shown + ([f"and {others.total():,} more"] if others else [])


def _minutes(minutes: float) -> str:
    return "less than 1" if minutes < 1 else f"about {minutes:,.0f}"
