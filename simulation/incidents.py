"""What goes wrong in the simulated time, when, and what people should be told of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulation.world import World

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)

Alerts = Mapping[str, Sequence[str]]
_FAILED: Sequence[str] = ("failed", "recovered")
_PAUSED: Sequence[str] = ("failed", "paused", "recovered")
_LATE: Sequence[str] = ("late", "recovered")


@dataclass(frozen=True)
class Step:
    """Something that happens to the deployment at a moment."""

    moment: datetime
    happen: Callable[[World], None]


@dataclass(frozen=True)
class Incident:
    """`alerts` are the kinds that people should be told for each export, in order, until `end`."""

    name: str
    story: str
    steps: Sequence[Step]
    end: datetime
    alerts: Alerts

    @property
    def begin(self) -> datetime:
        return self.steps[0].moment


# On which day, counted from BEGIN, each begins: in a year, in three weeks, and in what a test has
# time for. None is in the night before a Monday, when weeks are delivered as well.
_YEAR = {
    "s3": 14, "source": 35, "late": 50, "standstill": 70, "column": 100, "type": 103,
    "warehouse": 120, "second deployment": 140, "disk": 160, "kill": 180,
    "third deployment": 200, "password": 230, "autumn": 296,
}  # fmt: skip
_WEEKS = {
    "s3": 2, "source": 3, "late": 6, "warehouse": 7, "column": 9, "type": 9,
    "second deployment": 10, "disk": 10, "standstill": 12, "kill": 17, "third deployment": 18,
    "password": 19,
}  # fmt: skip
_FEW_DAYS = {"s3": 0}
_STANDSTILL = {True: timedelta(days=9), False: timedelta(days=4)}


_EVENTS = ("events_archive", "events_table", "berlin_days")


def incidents(days: int, *, has_disk: bool) -> list[Incident]:
    """Those of so many days, in order."""
    is_year = days > 300
    plan = _YEAR if is_year else _WEEKS if days > 10 else _FEW_DAYS
    dates = {name: BEGIN + timedelta(days=day) for name, day in plan.items() if day < days}
    if not has_disk:
        del dates["disk"]
    makers = {
        "s3": _s3_down, "source": _source_down, "late": _late_rows, "column": _column,
        "type": _type, "warehouse": _warehouse_down, "second deployment": _second,
        "disk": _disk_full, "kill": _kill, "third deployment": _third, "password": _password,
    }  # fmt: skip
    length = _STANDSTILL[is_year]
    found = [
        _standstill(date, length if name == "standstill" else timedelta(days=4))
        if name in ("standstill", "autumn")
        else makers[name](date)
        for name, date in dates.items()
    ]
    return sorted(found, key=lambda each: each.begin)


def _at(day: datetime, hours: int, minutes: int = 0) -> datetime:
    """From the day's midnight on: 25 is one in the next night."""
    return day + timedelta(hours=hours, minutes=minutes)


def _s3_down(day: datetime) -> Incident:
    return Incident(
        "S3 down",
        "the server is stopped for four hours of the night",
        [
            Step(_at(day, 23, 50), lambda world: world.parts.stop_s3()),
            Step(_at(day, 27, 40), World.start_s3),
        ],
        _at(day, 32),
        {"events_archive": _FAILED, "berlin_days": _FAILED},
    )


def _source_down(day: datetime) -> Incident:
    return Incident(
        "source down",
        "the application's database is stopped for two and a half hours",
        [
            Step(_at(day, 23, 50), lambda world: world.parts.stop(world.parts.app)),
            Step(_at(day, 26, 20), lambda world: world.parts.start(world.parts.app)),
        ],
        _at(day, 32),
        dict.fromkeys(("events_archive", "events_table", "persons_table"), _FAILED),
    )


def _late_rows(day: datetime) -> Incident:
    first, last = day - timedelta(days=4), day - timedelta(days=1)
    return Incident(
        "rows late, one deleted",
        "rows of three delivered days appear at the source, one is deleted",
        [
            Step(_at(day, 9), lambda world: world.sources.show_late(first, last)),
            Step(_at(day, 9), lambda world: world.sources.forget(first)),
        ],
        _at(day, 20),
        {},
    )


def _standstill(day: datetime, length: timedelta) -> Incident:
    return Incident(
        "daemon down",
        f"no process of Dagster's runs for {length.days} days",
        [
            Step(_at(day, 10), World.stop_daemon),
            Step(_at(day, 10) + length, World.start_daemon),
        ],
        _at(day, 16) + length,
        # Nobody could be told before, and nobody else tells that there was nobody.
        dict.fromkeys((*_EVENTS, "persons_table"), _LATE),
    )


def _column(day: datetime) -> Incident:
    return Incident(
        "column added",
        "the source's table gets a column that no export names; a person approves it",
        [
            Step(_at(day, 10), lambda world: world.sources.alter(
                "ALTER TABLE events ADD COLUMN campaign text DEFAULT 'none'"
            )),
            Step(_at(day, 36), lambda world: world.command("approve", *_EVENTS)),
        ],
        _at(day, 15),
        {},
    )  # fmt: skip


def _type(day: datetime) -> Incident:
    return Incident(
        "type changed",
        "a time becomes a text at the source, and is corrected in the night",
        [
            Step(_at(day, 16), lambda world: world.sources.alter(
                'ALTER TABLE events ALTER COLUMN "timestamp" TYPE text'
            )),
            Step(_at(day, 25, 30), lambda world: world.sources.alter(
                'ALTER TABLE events ALTER COLUMN "timestamp" TYPE timestamptz'
                ' USING "timestamp"::timestamptz'
            )),
        ],
        _at(day, 32),
        {"events_archive": _FAILED, "events_table": _FAILED},
    )  # fmt: skip


def _warehouse_down(day: datetime) -> Incident:
    tables = ("events_table", "persons_table")
    return Incident(
        "warehouse down",
        "the server is stopped for twelve hours; a person resumes what is paused",
        [
            Step(_at(day, 23, 50), lambda world: world.parts.stop(world.parts.warehouse)),
            Step(_at(day, 36), lambda world: world.parts.start(world.parts.warehouse)),
            Step(_at(day, 36, 10), lambda world: world.command("resume", *tables)),
        ],
        _at(day, 40),
        dict.fromkeys(tables, _PAUSED),
    )


def _disk_full(day: datetime) -> Incident:
    return Incident(
        "disk full",
        "the warehouse's disk is full when more rows come; cleared after two and a half hours",
        [
            Step(_at(day, 23, 40), lambda world: world.sources.burst(day)),
            Step(_at(day, 23, 50), lambda world: world.parts.fill_disk()),
            Step(_at(day, 26, 20), lambda world: world.parts.empty_disk()),
        ],
        _at(day, 32),
        {"events_table": _FAILED},
    )


def _second(day: datetime) -> Incident:
    monday = day + timedelta(days=(7 - day.weekday()) % 7)
    return Incident(
        "deployment",
        "an export more, a column more, which a person approves, another delay",
        [
            Step(_at(day, 15), lambda world: world.deploy(2, f"{monday:%Y-%m-%d}")),
            Step(_at(day, 36), lambda world: world.command("approve", "events_table")),
        ],
        _at(day, 20),
        {},
    )


def _third(day: datetime) -> Incident:
    return Incident(
        "deployment",
        "another codec, another limit of files, a digest",
        [Step(_at(day, 15), lambda world: world.deploy(3))],
        _at(day, 20),
        {},
    )


def _kill(day: datetime) -> Incident:
    return Incident(
        "run killed",
        "a run's process gets SIGKILL while it writes its table",
        [Step(_at(day, 23, 50), lambda world: world.kill_next_run("events_table", "events"))],
        _at(day, 28),
        {},
    )


def _password(day: datetime) -> Incident:
    return Incident(
        "password changed",
        "on the server at ten, in the deployment three hours later",
        [
            Step(_at(day, 22), lambda world: world.change_password("another")),
            Step(_at(day, 25, 10), lambda world: world.tell_password("another")),
        ],
        _at(day, 30),
        {"events_table": _FAILED},
    )
