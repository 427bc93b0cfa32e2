"""Try deploy/compose without containers: an export delivered by its processes, on this machine.

    python -m deploy.trial

Starts an S3 server and a PostgreSQL, then web server, daemon and code server by the commands, the
dagster.yaml and the health checks of compose; launches two partitions of a sample export as the UI
does; and looks at what came of it. Takes about a minute; all of it is gone afterwards.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.lake import lay_lake
from deploy.trial import graphql, services
from deploy.trial.instance import instance_env

KEYS = ("2026-11-01-12:00", "2026-11-01-13:00")
BUCKET = "trial"
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


def main() -> None:
    with tempfile.TemporaryDirectory() as name, parts(Path(name)) as (s3, postgres):
        home = Path(name, "home")
        home.mkdir()
        exports = exports_env(Path(name), s3)
        with services.running(home, instance_env(s3, postgres, BUCKET), exports) as it:
            print("web server, daemon and code server are up", flush=True)
            runs = graphql.launch(it.url, "events_archive_job", KEYS)
            found = graphql.ended(it.url, runs)
            expect("both partitions are delivered", set(found) == {"SUCCESS"}, found)
            events = [graphql.events(it.url, run) for run in runs]
            sick = it.sick()
        listed = s3.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    pids = {graphql.process(of_run) for of_run in events}
    checks = [[e["evaluation"] for e in of_run if "evaluation" in e] for of_run in events]
    logs = [item["Key"] for item in listed if item["Key"].startswith("dagster/storage/")]
    expect("runs are processes of their own", len(pids - {None}) == len(runs), pids)
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


def green(checks: list[list[dict[str, Any]]]) -> bool:
    return all(
        of_run and all(one == {"success": True, "partition": key} for one in of_run)
        for key, of_run in zip(KEYS, checks, strict=True)
    )


def expect(what: str, so: object, otherwise: object) -> None:
    if not so:
        sys.exit(f"NOT SO: {what}: {otherwise}")
    print(what, flush=True)


if __name__ == "__main__":
    main()
