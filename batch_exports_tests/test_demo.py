"""The README's first command, as a user runs it, and what an independent reader then finds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pytest
import redshift_connector

from batch_exports.local import parts, postgres_server, seaweedfs
from batch_exports.local.sample_events import END, START

PROGRAM = Path(sys.executable).with_name("batch-exports")
BUCKET = "batch-exports"


@dataclass(frozen=True)
class Demo:
    """A state folder in which the demo ran, the files that landed, and what it printed."""

    state: Path
    landed: Path
    output: str

    @property
    def lake(self) -> str:
        return f"read_parquet('{self.state}/lake/events/**/*.parquet')"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    state = tmp_path_factory.mktemp("demo")
    try:
        first = run_demo(state)
        assert first.returncode == 0, first.stdout + first.stderr
        yield Demo(state, download(state, tmp_path_factory.mktemp("landed")), first.stdout)
    finally:
        parts.down(state)


def run_demo(state: Path) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"BATCH_EXPORTS_LOCAL_DIR": str(state)}
    return subprocess.run(
        [PROGRAM, "demo"], env=environment, capture_output=True, text=True, check=False
    )


def etags(state: Path) -> dict[str, str]:
    server = seaweedfs.find(state / "s3")
    assert server is not None
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {item["Key"]: item["ETag"] for page in pages for item in page["Contents"]}


def download(state: Path, folder: Path) -> Path:
    server = seaweedfs.find(state / "s3")
    assert server is not None
    for key in etags(state):
        # Readers go by the ending, and take `.parquet.zst` for a file to decompress first.
        path = folder / key.replace(".parquet.zst", ".parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        server.client().download_file(BUCKET, key, str(path))
    return folder


def rows(query: str) -> list[tuple[object, ...]]:
    return duckdb.sql(query).fetchall()


def test_says_what_landed_where(demo: Demo) -> None:
    total = rows(f"select count(*) from {demo.lake}")[0][0]
    assert f"all 72 partitions {total:>9} {total:>8}" in demo.output
    assert "124 of 124 partitions are good" in demo.output
    assert demo.output.splitlines()[-1] == "See them in Dagster: make ui"


def test_every_hour_holds_exactly_the_lakes_rows(demo: Demo) -> None:
    landed = f"read_parquet('{demo.landed}/events/**/*.parquet', filename = true)"
    # The name of the object tells the hour; the lake's rows tell theirs by their arrival.
    hour = "strptime(regexp_extract(filename, '(\\d{8}T\\d{6})Z-', 1), '%Y%m%dT%H%M%S')"
    columns = """uuid, event, distinct_id, timestamp, person_id, elements_chain, created_at,
        properties::varchar, person_properties::varchar"""
    # One sample row has surrogates without partners, delivered as U+FFFD, and counted.
    mended = r"""replace(replace(properties::varchar, '"\ud800"', '"\ufffd"'),
        'x\udfff"', 'x\ufffd"')"""
    theirs = f"""select date_trunc('hour', inserted_at at time zone 'UTC') as hour,
        inserted_at, {columns.replace("properties::varchar,", f"{mended},", 1)} from {demo.lake}"""
    ours = f"select {hour} as hour, _inserted_at, {columns} from {landed}"
    assert rows(f"({theirs}) except all ({ours})") == []
    assert rows(f"({ours}) except all ({theirs})") == []


def test_every_day_of_purchases_holds_exactly_the_lakes_rows(demo: Demo) -> None:
    landed = f"""read_json('{demo.landed}/*_events/*.jsonl.gz', format = 'newline_delimited',
        columns = {{uuid: 'VARCHAR', event: 'VARCHAR', distinct_id: 'VARCHAR', set: 'JSON',
        timestamp: 'TIMESTAMPTZ', properties: 'JSON', ip: 'VARCHAR', _inserted_at: 'TIMESTAMPTZ'}},
        filename = true)"""
    day = "regexp_extract(filename, '/(\\d{4}-\\d\\d-\\d\\d)T00:00:00.00:00-', 1)"
    columns = "uuid, event, distinct_id, timestamp, json(properties), json(set), ip"
    theirs = f"""select strftime(inserted_at at time zone 'UTC', '%Y-%m-%d'), inserted_at, {columns}
        from {demo.lake} where event in ('purchase', '$identify')"""
    ours = f"select {day}, _inserted_at, {columns} from {landed}"
    assert rows(f"({theirs}) except all ({ours})") == []
    assert rows(f"({ours}) except all ({theirs})") == []


def in_postgres(state: Path, query: str) -> list[tuple[object, ...]]:
    server = postgres_server.find(state / "postgres")
    assert server is not None
    with server.connect(server.exporter) as connection:
        return connection.execute(query.encode()).fetchall()


def test_every_event_stands_in_the_table_once(demo: Demo) -> None:
    columns = "uuid, event, distinct_id, team_id"
    theirs = rows(
        f"select {columns}, epoch_us(timestamp), "
        f"try(json_extract_string(properties, '$.\"$session_id\"')) from {demo.lake} order by uuid"
    )
    ours = in_postgres(
        demo.state,
        f"select {columns}, round(extract(epoch from timestamp) * 1000000)::bigint, "
        "properties ->> '$session_id' from exports.events order by uuid",
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("model", "key", "versions", "value"),
    [
        (
            "persons",
            "team_id, distinct_id",
            "person_distinct_id_version, person_version",
            "person_id",
        ),
        ("sessions", "team_id, session_id", "end_timestamp", "pageview_count"),
    ],
)
def test_every_key_stands_in_its_newest_version(
    demo: Demo, model: str, key: str, versions: str, value: str
) -> None:
    newest = f"row_number() over (partition by {key} order by ({versions}) desc) = 1"
    shown = versions.replace("end_timestamp", "epoch_us(end_timestamp)")
    lake = f"read_parquet('{demo.state}/lake/{model}/**/*.parquet')"
    theirs = rows(
        f"select {key}, {shown}, {value} from {lake} qualify {newest} order by {key}",
    )
    exact = "round(extract(epoch from end_timestamp) * 1000000)::bigint"
    ours = in_postgres(
        demo.state,
        f"select {key}, {versions.replace('end_timestamp', exact)}, {value} "
        f"from exports.{model} order by {key}",
    )
    assert ours == theirs


@contextmanager
def cluster(state: Path) -> Iterator[Callable[[str], list[list[object]]]]:
    """Asks the emulator of Redshift by AWS's own driver, as the exporter."""
    found = parts.environment(state)
    told = {name: found[f"BATCH_EXPORTS_LOCAL_REDSHIFT_{name.upper()}"] for name in
            ("host", "port", "database", "user", "password", "root_cert")}  # fmt: skip
    connect = partial(redshift_connector.connect, host=told["host"], port=int(told["port"]))
    with (
        pytest.MonkeyPatch.context() as environment,
        connect_with(environment, connect, told) as connection,
        connection.cursor() as cursor,
    ):

        def ask(query: str) -> list[list[object]]:
            cursor.execute(query)
            return [list(row) for row in cursor.fetchall()]

        yield ask


def connect_with(
    environment: pytest.MonkeyPatch,
    connect: "Callable[..., redshift_connector.Connection]",
    told: dict[str, str],
) -> "redshift_connector.Connection":
    """The driver trusts what OpenSSL's variable names."""
    environment.setenv("SSL_CERT_FILE", told["root_cert"])
    return connect(
        database=told["database"],
        user=told["user"],
        password=told["password"],
        ssl=True,
        sslmode="verify-full",
    )


def test_redshift_holds_the_same(demo: Demo) -> None:
    with cluster(demo.state) as ask:
        events = ask(
            "SELECT uuid, event, distinct_id, team_id, timestamp FROM exports.events ORDER BY uuid"
        )
        persons = ask(
            "SELECT team_id, distinct_id, person_id, person_version FROM exports.persons "
            "ORDER BY team_id, distinct_id"
        )
        sessions = ask(
            "SELECT session_id, pageview_count, urls FROM exports.sessions ORDER BY session_id"
        )
        loads = ask("SELECT COUNT(*), COUNT(DISTINCT uuid) FROM exports.amplitude_events")
        (unresolved,) = ask("SELECT COUNT(*) FROM exports.resolved_ids WHERE in_cycle")[0]
    in_lake = rows(
        f"select uuid, event, distinct_id, team_id, timestamp from {demo.lake} "
        "where event <> '$feature_interaction' order by uuid"
    )
    assert [tuple(row) for row in events] == in_lake
    in_table = in_postgres(
        demo.state,
        "select team_id, distinct_id, person_id, person_version from exports.persons "
        "order by team_id, distinct_id",
    )
    assert [tuple(row) for row in persons] == in_table
    in_table = in_postgres(
        demo.state,
        "select session_id, pageview_count, urls from exports.sessions order by session_id",
    )
    assert [(key, count, json.loads(str(urls))) for key, count, urls in sessions] == in_table
    assert loads == [[361, 361]]
    assert unresolved == 0


def test_identifies_are_the_persons_of_the_table(demo: Demo) -> None:
    """Each once: all of them, as the first sync finds them."""
    with cluster(demo.state) as ask:
        ids = ask("SELECT distinct_id FROM exports.persons")
    found = rows(
        f"select user_id from read_json('{demo.landed}/identifies/**/*.jsonl.gz') order by 1"
    )
    assert sorted(found) == sorted(tuple(row) for row in ids)
    assert len(found) == len(set(found)) > 0


def test_every_interval_has_a_manifest_even_without_rows(demo: Demo) -> None:
    hours = int((END - START).total_seconds()) // 3600
    manifests = rows(
        f"select len(files), rows from read_json('{demo.landed}/events/**/*_manifest.json')"
    )
    assert len(manifests) == hours
    assert (0, 0) in manifests


def test_nothing_is_left_beside_data_manifests_and_rejects(demo: Demo) -> None:
    endings = (".parquet.zst", ".jsonl.gz", "_manifest.json", "_rejects.arrow")
    assert [key for key in etags(demo.state) if not key.endswith(endings)] == []


def test_a_second_run_lands_nothing_twice(demo: Demo) -> None:
    before = etags(demo.state)
    ledger = "select export, interval_start, delivered_at from exports._batch_exports_ledger"
    entries = set(in_postgres(demo.state, ledger))
    assert len(entries) == 3 + 12 + 12
    again = run_demo(demo.state)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "124 of 124 partitions are good" in again.stdout
    assert "delivering" not in again.stderr
    assert etags(demo.state) == before
    assert set(in_postgres(demo.state, ledger)) == entries
