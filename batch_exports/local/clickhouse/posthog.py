"""PostHog's tables on a ClickHouse of this machine, and the sample lake in them."""

from collections.abc import Callable
from pathlib import Path

DATABASE = "posthog"
TEAM_ID = 1  # the sample's
_HERE = Path(__file__).parent


def create_tables(run: Callable[[str], object]) -> None:
    """`run` takes one statement at a time."""
    for statement in _statements("tables.sql"):
        run(statement)


def insert_sample(run: Callable[[str], object], lake: Path) -> None:
    """Put a lake that `batch_exports.local.lake` laid into the tables, and leave it unmerged.

    The server must be able to read the lake's files.
    """
    for statement in _statements("sample.sql"):
        run(statement.format(lake=lake))


def _statements(name: str) -> list[str]:
    text = (_HERE / name).read_text()
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [one for one in "\n".join(lines).split(";\n") if one.strip()]
