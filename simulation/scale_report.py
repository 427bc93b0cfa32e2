"""What a simulated day of a large deployment came to, as a person reads it."""

from collections.abc import Iterator, Sequence

from simulation.scale import Day


def scale_report(day: Day) -> Iterator[str]:
    """The lines of it."""
    runs = max(len(day.delays), 1)
    yield f"{day.due} intervals were due, {len(day.delays)} runs ended."
    yield f"missed: {_shown(day.missed)}; started more than once: {_shown(day.twice)}"
    yield f"a run took, simulated seconds       {_spread(day.durations)}"
    yield f"it began so many after it was due   {_spread(day.delays)}"
    yield f"runs that waited at once            {day.most_queued} at most"
    yield f"it left in Dagster's storage        {day.bytes / runs:,.0f} bytes"
    if day.rows:
        yield f"rows of it in the event log         {day.rows / runs:.1f}"
    daemon, server = _of_runs(day)
    yield f"asking for it, and launching it     {daemon / runs:.2f} processor seconds of the daemon"
    yield f"                                    {server / runs:.2f} of PostgreSQL"
    yield ""
    yield "Processor seconds, a time; those of the server are the storage's. The second pair has"
    yield "what it takes to connect for each query, as Dagster's daemon does."
    yield f"{'':<18}{'times':>7}{'daemon':>9}{'server':>9}{'daemon':>10}{'server':>9}"
    own, its = day.connection
    for name, spent in day.spent.items():
        times = max(spent.times, 1)
        daemon, server, connections = (
            each / times for each in (spent.daemon, spent.storage, spent.connections)
        )
        yield (
            f"{name:<18}{times:>7}{daemon:>9.3f}{server:>9.3f}"
            f"{daemon + connections * own:>10.3f}{server + connections * its:>9.3f}"
        )


def _of_runs(day: Day) -> tuple[float, float]:
    """Processor seconds of schedules and queue, of the daemon and of its storage."""
    spent = [day.spent[name] for name in ("schedules", "queue")]
    connections = sum(each.connections for each in spent)
    own, its = day.connection
    return (
        sum(each.daemon for each in spent) + connections * own,
        sum(each.storage for each in spent) + connections * its,
    )


def _shown(found: Sequence[str]) -> str:
    return f"{len(found)} ({found[0]} and so on)" if found else "none"


def _spread(values: Sequence[float]) -> str:
    """Half of them are below the first, 19 of 20 below the second, all up to the third."""
    if not values:
        return "none"
    ordered = sorted(values)
    median, most = ordered[len(ordered) // 2], ordered[len(ordered) * 19 // 20]
    return f"{median:.0f} (median), {most:.0f} (19 of 20), {ordered[-1]:.0f} (at most)"
