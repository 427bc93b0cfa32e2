"""Try deploy/compose without containers: an export delivered by its processes, on this machine.

    python -m deploy.trial

Starts an S3 server and a PostgreSQL, then web server, daemon and code server by the commands, the
dagster.yaml and the health checks of compose; launches two partitions of a sample export as the UI
does; and looks at what came of it. Takes about a minute; all of it is gone afterwards.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from psycopg import sql

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.lake import lay_lake
from deploy.trial import services

KEYS = ("2026-11-01-12:00", "2026-11-01-13:00")
BUCKET = "trial"
RUN_SECONDS = 120
EXPORTS = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.S3_ENDPOINT }}"
  allow_http: true
  aws_access_key_id: {env: S3_KEY_ID}
  aws_secret_access_key: {env: S3_SECRET}
---
type: batch_exports.LakeSource
attributes: {name: lake, path: "{{ env.LAKE }}"}
---
type: batch_exports.S3BatchExport
attributes:
  {name: events_archive, source: lake, model: events, interval: hour, start: "2026-11-01",
   status: stopped, connection: archive, bucket_name: trial}
"""
_LAUNCH = """
mutation($runs: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $runs) {
  ... on LaunchMultipleRunsResult { launchMultipleRunsResult {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } } } }
"""
_STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
_EVENTS = """
query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message }
  ... on AssetCheckEvaluationEvent { evaluation { success partition } } } } } }
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name, parts(Path(name)) as (s3, postgres):
        home = Path(name, "home")
        home.mkdir()
        exports = exports_env(Path(name), s3)
        with services.running(home, instance_env(s3, postgres), exports) as it:
            print("web server, daemon and code server are up", flush=True)
            runs = launch(it.url)
            wait_for(it.url, runs)
            events = [ask(it.url, _EVENTS, run=run)["logsForRun"]["events"] for run in runs]
            sick = it.sick()
        listed = s3.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    told = ["\n".join(event.get("message", "") for event in of_run) for of_run in events]
    pids = [re.findall(r"Executing steps in process \(pid: (\d+)\)", text) for text in told]
    checks = [[e["evaluation"] for e in of_run if "evaluation" in e] for of_run in events]
    logs = [item["Key"] for item in listed if item["Key"].startswith("dagster/storage/")]
    expect("runs are processes of their own", pids[0] and pids[1] and pids[0] != pids[1], pids)
    expect("all checks of both partitions are green", green(checks), checks)
    expect("what runs printed is on S3", len(logs) >= len(runs), logs)
    expect("compose would find all services healthy", not sick, sick)


@contextmanager
def parts(folder: Path) -> Iterator[tuple[seaweedfs.Server, postgres_server.Server]]:
    """An S3 server with an empty bucket, and a PostgreSQL."""
    with ExitStack() as stack:
        stack.callback(seaweedfs.stop, folder / "s3")
        s3 = seaweedfs.start(folder / "s3")
        s3.client().create_bucket(Bucket=BUCKET)
        stack.callback(postgres_server.stop, folder / "postgres")
        yield s3, postgres_server.start(folder / "postgres")


def instance_env(s3: seaweedfs.Server, postgres: postgres_server.Server) -> dict[str, str]:
    """What a user writes into .env."""
    owner = postgres.exporter
    with postgres.connect(autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE dagster OWNER {}")
        connection.execute(create.format(sql.Identifier(owner.user)))
    return {
        "DAGSTER_POSTGRES_HOST": postgres.host,
        "DAGSTER_POSTGRES_PORT": str(postgres.port),
        "DAGSTER_POSTGRES_DATABASE": "dagster",
        "DAGSTER_POSTGRES_USER": owner.user,
        "DAGSTER_POSTGRES_PASSWORD": owner.password,
        "COMPUTE_LOGS_BUCKET": BUCKET,
        "COMPUTE_LOGS_REGION": "us-east-1",
        "COMPUTE_LOGS_ENDPOINT": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret_access_key,
    }


def exports_env(folder: Path, s3: seaweedfs.Server) -> dict[str, str]:
    """What a user writes into exports.env, and the folder of YAML that compose mounts."""
    lay_lake(folder / "lake")
    defs = folder / "defs" / "trial"
    defs.mkdir(parents=True)
    (defs / "defs.yaml").write_text(EXPORTS)
    return {
        "BATCH_EXPORTS_DEFS": str(defs.parent),
        "S3_ENDPOINT": s3.endpoint,
        "S3_KEY_ID": s3.admin.access_key_id,
        "S3_SECRET": s3.admin.secret_access_key,
        "LAKE": str(folder / "lake"),
    }


def launch(url: str) -> list[str]:
    """Put both partitions into the queue, as the UI does; their runs."""
    job = {
        "repositoryLocationName": "batch_exports",
        "repositoryName": "__repository__",
        "jobName": "events_archive_job",
    }
    tags = [[{"key": "dagster/partition", "value": key}] for key in KEYS]
    runs = [
        {"selector": job, "runConfigData": {}, "executionMetadata": {"tags": own}} for own in tags
    ]
    launched = ask(url, _LAUNCH, runs=runs)["launchMultipleRuns"]
    return [one["run"]["runId"] for one in launched["launchMultipleRunsResult"]]


def wait_for(url: str, runs: list[str]) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    found: list[str] = []
    while time.monotonic() < deadline:
        found = [ask(url, _STATUS, run=run)["runOrError"]["status"] for run in runs]
        if set(found) <= {"SUCCESS", "FAILURE", "CANCELED"}:
            break
        time.sleep(0.3)
    expect("both partitions are delivered", set(found) == {"SUCCESS"}, found)


def green(checks: list[list[dict[str, Any]]]) -> bool:
    return all(
        of_run and all(one == {"success": True, "partition": key} for one in of_run)
        for key, of_run in zip(KEYS, checks, strict=True)
    )


def ask(url: str, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    if "errors" in found:
        sys.exit(f"the web server refuses: {found['errors']}")
    return found["data"]


def expect(what: str, so: object, otherwise: object) -> None:
    if not so:
        sys.exit(f"NOT SO: {what}: {otherwise}")
    print(what, flush=True)


if __name__ == "__main__":
    main()
