"""The reference pages of Redshift: the statements that they show are those that are run, in order,
and their queries run."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pytest

from batch_exports.local.redshift.server import Emulator
from batch_exports.models import EVENTS, Projection
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.administered import MERGED
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from docs import destination_redshift, redshift_write_modes

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_KEYED = Projection(
    EVENTS, tuple(c for c in PROJECTION.columns if c.name != "_inserted_at"), "inserted_at"
)
_SECTION: dict[str, str] = {
    "range": "`replace`",
    "key": "By keys alone",
    "merge": "`merge`",
    "append": "`append`",
}
_PROPERTIES = ["{}"] * 5 + ["no JSON"]


@pytest.mark.parametrize("way", ["COPY", "INSERT"])
@pytest.mark.parametrize("move", _SECTION)
def test_statements_are_those_that_are_run(
    by_copy_to_emulator: RedshiftAdapter, redshift: Emulator, way: str, move: str
) -> None:
    """What is written, of a delivery that replaces another and rejects a row; what is only read,
    and how keys and rejects are staged, the page does not show."""
    adapter = by_copy_to_emulator.by(way)
    mode = "replace" if move in ("range", "key") else move
    table, projection = "events", _KEYED if move == "key" else PROJECTION
    rows, changed = make_rows(range(6)), make_rows(range(6), columns={"properties": _PROPERTIES})
    if move == "merge":
        table, projection = "persons", MERGED
        rows, changed = persons(1, ["{}"] * 6), persons(2, _PROPERTIES)
    destination = adapter.destination(projection, write_mode=mode, table=table)
    names = projection.schema.names
    destination.write(stream(rows.select(names)), HOUR, "first run")
    redshift.clear()
    destination.write(stream(changed.select(names)), HOUR, "second run")
    documented = [
        *shown("How rows are staged", block=0 if way == "COPY" else 1),
        *(
            statement
            for line in shown("The transaction")
            for statement in (shown(_SECTION[move]) if line.startswith("--") else [line])
        ),
    ]
    run = [s for s in written(redshift.statements, adapter.schema) if not is_passed_over(s)]
    assert len(run) == len(documented), "\n".join(run)
    for statement, line in zip(run, documented, strict=True):
        assert matches(line.replace("exports.events", f"exports.{table}"), statement)


def test_findings_in_parts_are_put_together(
    by_insert: RedshiftAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_VARBYTE.html"""
    long, short = '{"a": "' + "ä" * 70_000, "no JSON"
    rows = make_rows(range(3), columns={"properties": ["{}", long, short]})
    by_insert.destination(PROJECTION).write(stream(rows), HOUR, "a run")
    parts = by_insert.execute("SELECT part FROM {schema}.events_rejects")
    assert max(part["part"] for part in parts) > 1
    [example] = blocks(destination_redshift.tables(), "python")
    with by_insert.connect() as connection:
        exec(example.replace("exports.", f"{by_insert.schema}."), {"connection": connection})
    told = capsys.readouterr().out.splitlines()
    keys = rows.column("uuid").to_pylist()[1:]
    for line, key, original in zip(told, keys, (long, short), strict=True):
        assert line.startswith("rejected properties ")
        assert key in line
        assert repr(original.encode()) in line


def test_the_ledgers_query_runs(by_insert: RedshiftAdapter) -> None:
    by_insert.destination(PROJECTION).write(stream(make_rows([1])), HOUR, "a run")
    [query] = [b for b in blocks(destination_redshift.tables(), "sql") if "SELECT" in b]
    [row] = by_insert.execute(query.replace("exports.", "{schema}."))
    assert row["rows"] == 1
    assert row["left_behind"] == row["taken_over"] == 0


def persons(version: int, properties: list[str]) -> pa.Table:
    count = len(properties)
    columns = {
        "team_id": [1] * count,
        "distinct_id": [f"user {number}" for number in range(count)],
        "person_id": [f"person {number}" for number in range(count)],
        "properties": properties,
        "person_distinct_id_version": [version] * count,
        "person_version": [version] * count,
        "created_at": [HOUR.start] * count,
    }
    schema = MERGED.schema
    plain = {name: pa.array(values) for name, values in columns.items()}
    plain["properties"] = pa.ExtensionArray.from_storage(pa.json_(), plain["properties"])
    return pa.table({f.name: plain[f.name].cast(f.type) for f in schema}, schema=schema)


def blocks(page: str, kind: str) -> list[str]:
    return [body for found, body in _FENCED.findall(page) if found == kind]


def shown(heading: str, block: int = 0) -> list[str]:
    """The statements of a section of the page, each on one line."""
    page = redshift_write_modes.write_modes()
    section = re.split(rf"^#+ {re.escape(heading)}$", page, flags=re.MULTILINE)[1]
    lines = re.sub(r"\n {4}", " ", blocks(section, "sql")[block]).splitlines()
    return [line.removesuffix(";") for line in lines]


def written(statements: Sequence[str], schema: str) -> list[str]:
    """Those that do more than read, without quotes, as of the schema `exports`."""
    plain = (re.sub(r"\s+", " ", s.replace('"', "")).replace(schema, "exports") for s in statements)
    return [statement for statement in plain if not statement.lstrip().startswith("SELECT")]


def is_passed_over(statement: str) -> bool:
    """How rejects and the keys of rejected rows get into stages of their own; what the session is
    set to."""
    return bool(
        re.match(
            r"(DROP TABLE IF EXISTS|CREATE TEMP TABLE|COPY|INSERT INTO) "
            r"_batch_exports_reject(s|ed_keys)\b|SET ",
            statement,
        )
    )


def matches(line: str, statement: str) -> bool:
    """Whether a line of the page, in which `...` is anything, is the statement."""
    return (
        re.fullmatch(".*".join(map(re.escape, line.split("..."))), statement, re.DOTALL) is not None
    )
