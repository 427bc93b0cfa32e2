"""Runs contenders in turns, verifies what each delivered, and keeps what was measured."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Contender, contenders
from benchmarks.contents import files, tables
from benchmarks.hops import HOPS
from benchmarks.lake import lay_lake
from benchmarks.measurement import Failed, measure
from benchmarks.results import Entry, Results
from benchmarks.servers import Servers, clear_prefix, clear_schema, serving
from benchmarks.stopwatch import Lap
from benchmarks.task import Task


@dataclass(frozen=True)
class Plan:
    """What to measure: hops with numbers of rows, how often, and for which contenders.

    A run that takes longer than `patience` seconds is given up, and its contender with it. Peers
    may run once, where they are there only to be seen.
    """

    hops: Sequence[str]
    sizes: Sequence[int]
    repeat: int
    patience: float
    wanted: Callable[[str, Contender], bool]
    peers_once: bool = False


def run(plan: Plan, folder: Path, results: Results) -> None:
    """Measure all of the plan, the smallest number of rows first."""
    for rows in sorted(plan.sizes):
        for name in plan.hops:
            most = HOPS[name].most_rows
            if most is None or rows <= most or rows == min(plan.sizes):
                size = min(rows, most) if most else rows
                lake = lay_lake(folder, size)
                with serving(folder / "servers", HOPS[name].needs) as servers:
                    _run_hop(_Hop(name, size, lake, servers), plan, results)


@dataclass(frozen=True)
class _Hop:
    name: str
    rows: int
    lake: Path
    servers: Servers


def _run_hop(hop: _Hop, plan: Plan, results: Results) -> None:
    print(f"\n{HOPS[hop.name].title}, {hop.rows:,} rows", flush=True)
    entries: dict[str, Entry] = {}
    running = []
    for contender in contenders(hop.name):
        if plan.wanted(hop.name, contender):
            entries[contender.name] = entry = Entry(contender.kind)
            entry.skipped = contender.missing() or _too_long(hop, contender, plan, results)
            if entry.skipped:
                _tell(contender.name, f"left out: {entry.skipped}")
                results.put(hop.name, hop.rows, contender.name, entry)
            else:
                results.keep(contender.versions())
                running.append(contender)
    _prepare(hop)
    for turn in range(plan.repeat):
        for contender in running:
            entry = entries[contender.name]
            once = plan.peers_once and contender.kind == "peer"
            if not entry.skipped and not (once and turn):
                _run_once(hop, contender, entry, plan.patience)
                results.put(hop.name, hop.rows, contender.name, entry)


def _run_once(hop: _Hop, contender: Contender, entry: Entry, patience: float) -> None:
    """One run, verified; the entry has its numbers, or why it has none."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        # The database's server reads files of it, as another user.
        Path(folder).chmod(0o755)
        prefix = f"{hop.name}/{'-'.join(contender.name.lower().replace(',', '').split())}/"
        task = Task(
            hop=hop.name,
            lake=hop.lake,
            folder=Path(folder),
            prefix=prefix.replace("'", "").replace("\\", ""),
            **hop.servers.places(),
        )
        _clear(hop, task)
        try:
            measured, lap = measure(contender.command, task, hop.servers.processes, patience)
        except Failed as failure:
            entry.skipped = str(failure).strip().splitlines()[-1]
            _tell(contender.name, f"failed:\n{failure}")
            return
        found = _verify(hop, task, lap)
    entry.runs.append(measured)
    entry.contents = sorted({*(entry.contents or []), *found}) if found is not None else None
    _tell(
        contender.name,
        f"{measured.seconds:8.2f} s {measured.cpu:7.2f} + {measured.server_cpu:6.2f} CPU s "
        f"{measured.memory:6.0f} MiB  {_contents(found)}",
    )


def _verify(hop: _Hop, task: Task, lap: Lap) -> list[str] | None:
    """How what was delivered differs from the lake; None where nothing was to be delivered."""
    if not lap.delivers:
        return None
    content = HOPS[hop.name].content
    if content is None:
        if lap.files:
            return files.differences(hop.lake, lap.files)
        with tempfile.TemporaryDirectory(prefix="bench-delivered-") as folder:
            found = files.download(hop.servers, task.prefix, Path(folder))
            return files.differences(hop.lake, found)
    place = task.redshift or task.postgres
    assert place
    with hop.servers.database.connect(autocommit=True, dbname=place.name) as connection:
        connection.execute("SET timezone TO 'UTC'")
        return tables.differences(connection, hop.lake, content, lap.table)


def _clear(hop: _Hop, task: Task) -> None:
    needs = HOPS[hop.name].needs
    if "s3" in needs:
        clear_prefix(hop.servers, task.prefix)
    if "postgres" in needs and HOPS[hop.name].prepare is None:
        clear_schema(hop.servers, redshift="redshift" in needs)


def _prepare(hop: _Hop) -> None:
    if prepare := HOPS[hop.name].prepare:
        if "postgres" in HOPS[hop.name].needs:
            clear_schema(hop.servers)
        prepare(hop.servers, hop.lake)


def _too_long(hop: _Hop, contender: Contender, plan: Plan, results: Results) -> str:
    """Whether fewer rows tell that it would not end in time."""
    for rows in (size for size in results.sizes(hop.name) if size < hop.rows):
        for name, entry in results.entries(hop.name, rows):
            if name == contender.name and entry.runs:
                expected = entry.seconds * hop.rows / rows
                if expected > plan.patience:
                    return f"would take {expected:,.0f} s"
    return ""


def _contents(found: list[str] | None) -> str:
    if found is None:
        return "delivers nothing"
    return "equal" if not found else "; ".join(found)


def _tell(name: str, text: str) -> None:
    print(f"  {name:<52}{text}", flush=True)


def clean(folder: Path) -> None:
    """Remove all that runs have left."""
    shutil.rmtree(folder, ignore_errors=True)
