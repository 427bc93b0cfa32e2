"""`python -m benchmarks`: run every contender, interleaved, and print the table."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.generator import write_lake
from batch_exports.local.person_generator import generate_persons
from benchmarks.contenders import HOPS
from benchmarks.ours import END, START
from benchmarks.stopwatch import Lap
from benchmarks.verify import (
    fingerprint_of_delivery,
    fingerprint_of_lake,
    postgres_equals_lake,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hop", choices=list(HOPS), action="append")
    parser.add_argument("--only", help="run only contenders whose name contains this")
    parser.add_argument(
        "--folder", type=Path, help="where to work; a temporary folder if not given"
    )
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    lake = _lay_lake(folder, options.rows)
    try:
        for hop in options.hop or HOPS:
            with _SERVERS[hop](folder):
                results = _run_hop(hop, lake, folder, options.repeat, options.only)
                _print(hop, options.rows, results)
                if any("batch_exports" in name for name in results):
                    _verify(hop, lake, folder)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def _lay_lake(folder: Path, rows: int) -> Path:
    """Events, and half as many persons in either half of the day, every other one in both."""
    lake = folder / f"lake-{rows}"
    if not lake.exists():
        write_lake(lake, rows, start=START, end=END, files=4, hostile_share=0)
        noon, count = START + timedelta(hours=12), rows // 2
        (lake / "persons").mkdir()
        for name, persons in {
            "first": generate_persons(count, start=START, end=noon),
            "second": generate_persons(count, start=noon, end=END, first=count // 2, version=1),
        }.items():
            with pq.ParquetWriter(lake / f"persons/{name}.parquet", persons.schema) as writer:
                for batch in persons:
                    writer.write_batch(batch)
    return lake


@contextmanager
def _s3(folder: Path) -> Iterator[None]:
    server = seaweedfs.start(folder / "s3")
    try:
        os.environ |= {
            "BENCH_S3_ENDPOINT": server.endpoint,
            "BENCH_S3_KEY": server.admin.access_key_id,
            "BENCH_S3_SECRET": server.admin.secret_access_key,
        }
        client = server.client()
        if not any(b["Name"] == "bench" for b in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket="bench")
        yield
    finally:
        seaweedfs.stop(folder / "s3")


@contextmanager
def _postgres(folder: Path) -> Iterator[None]:
    server = postgres_server.start(folder / "postgres", {"max_wal_size": "8GB"})
    try:
        os.environ |= {
            "BENCH_POSTGRES_FOLDER": str(folder / "postgres"),
            "BENCH_POSTGRES_HOST": server.host,
            "BENCH_POSTGRES_PORT": str(server.port),
            "BENCH_POSTGRES_DATABASE": server.database,
            "BENCH_POSTGRES_USER": server.exporter.user,
            "BENCH_POSTGRES_PASSWORD": server.exporter.password,
            "BENCH_POSTGRES_ROOT_CERT": str(server.root_certificate),
        }
        yield
    finally:
        postgres_server.stop(folder / "postgres")


_SERVERS = {"parquet": _s3, "jsonlines": _s3, "postgres": _postgres, "persons": _postgres}


def _verify(hop: str, lake: Path, folder: Path) -> None:
    """Compare what the last run of ours delivered with the lake; exit where they differ."""
    match hop:
        case "postgres" | "persons":
            same = postgres_equals_lake(hop, lake, postgres_server.find(folder / "postgres"))
        case _:
            client = seaweedfs.find(folder / "s3").client()
            same = fingerprint_of_delivery(client, "bench", hop) == fingerprint_of_lake(lake)
    print(f"contents of ours equal the lake's: {'yes' if same else 'NO'}\n")
    if not same:
        sys.exit(1)


def _run_hop(
    hop: str, lake: Path, folder: Path, repeat: int, only: str | None
) -> dict[str, list[Lap]]:
    names = [name for name in HOPS[hop] if not only or only in name]
    results: dict[str, list[Lap]] = {name: [] for name in names}
    for _ in range(repeat):
        for name in names:
            target = folder / "target"
            results[name].append(_run(hop, name, lake, target))
            target.unlink(missing_ok=True)
    return results


def _run(hop: str, name: str, lake: Path, target: Path) -> Lap:
    command = [sys.executable, "-m", "benchmarks.contender", hop, name, str(lake), str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"BENCH_FORMAT": hop}, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    return Lap(**json.loads(done.stdout.splitlines()[-1]))


def _print(hop: str, rows: int, results: dict[str, list[Lap]]) -> None:
    print(f"{hop}, {rows:,} rows, median of {len(next(iter(results.values())))}")
    print(f"{'':<48}{'s':>8}{'spread':>14}{'rows/s':>10}{'of first':>10}{'CPU s':>8}{'MiB':>7}")
    first = None
    for name, runs in results.items():
        seconds = statistics.median(run.seconds for run in runs)
        first = first or seconds
        spread = f"{min(r.seconds for r in runs):.2f}-{max(r.seconds for r in runs):.2f}"
        cpu = statistics.median(run.cpu for run in runs)
        memory = max(run.memory for run in runs)
        print(
            f"{name:<48}{seconds:>8.2f}{spread:>14}{rows / seconds:>10,.0f}"
            f"{first / seconds:>10.2f}{cpu:>8.2f}{memory:>7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
