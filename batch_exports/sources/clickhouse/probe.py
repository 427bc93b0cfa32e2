"""The steps by which a ClickHouse is tried: that it answers, has the project, and gives rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, PERSONS, SESSIONS
from batch_exports.probe import Finding, Step, passed, skipped, warning
from batch_exports.sources.clickhouse import sessions
from batch_exports.sources.clickhouse.clickhouse import ClickHouse
from batch_exports.sources.clickhouse.statement import TEAM, Statement
from batch_exports.sources.source import Selection

_LOG_IN = Statement("SELECT version() AS version, currentUser() AS user")
_TABLES = {EVENTS.name: "events", PERSONS.name: "person", SESSIONS.name: sessions.TABLE}


@dataclass
class Attempt:
    """`reach` makes the source, for which it may take credentials. `interval` is one to read."""

    reach: Callable[[], ClickHouse]
    selection: Selection
    interval: DataInterval

    @cached_property
    def source(self) -> ClickHouse:
        return self.reach()


def log_in(attempt: Attempt) -> Finding:
    """With the settings of a run, which a user that may only read cannot have."""
    source, model = attempt.source, attempt.selection.model
    (found,) = source.ask(_LOG_IN, model, attempt.interval).to_pylist()
    line = "TLS" if source.server.secure else "no TLS, on this machine"
    return passed(f"{source.server.uri}: ClickHouse {found['version']}, {found['user']!r}, {line}")


def find_project(attempt: Attempt) -> Finding:
    source, model = attempt.source, attempt.selection.model
    if model.origin:
        return skipped("the model is declared")
    table = _TABLES[model.name]
    statement = Statement(f"SELECT 1 AS one FROM {table} WHERE team_id = {TEAM} LIMIT 1")
    if source.ask(statement, model, attempt.interval).num_rows:
        return passed(f"{table} has rows of the project {source.team_id}")
    return warning(
        f"{table} has no row of the project {source.team_id}: every interval is empty.",
        remedy="Give the source's team_id as the project's URL in PostHog has it: /project/<id>.",
    )


def read_rows(attempt: Attempt) -> Finding:
    with attempt.source.read(attempt.selection, attempt.interval) as rows:
        first = next(iter(rows), None)
    if first is None:
        return passed(f"{attempt.interval} has the columns, and no row that is exported")
    return passed(f"{attempt.interval}: the first {first.num_rows} rows are read")


STEPS: Sequence[Step[Attempt]] = (
    Step("log in", log_in),
    Step("project", find_project),
    Step("rows", read_rows),
)
