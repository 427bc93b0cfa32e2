"""The life of the parts, as a user leads it: through the command, and with real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from batch_exports.cli import main
from batch_exports.local import parts, postgres_server, seaweedfs

Command = Callable[[str], Result]
PROGRAM = str(Path(sys.executable).parent / "batch-exports")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "it's here"
    monkeypatch.setenv("BATCH_EXPORTS_LOCAL_DIR", str(folder))
    yield folder
    parts.down(folder)


@pytest.fixture
def local(state: Path) -> Command:
    return lambda word: CliRunner().invoke(main, ["local", word])


def test_up_status_env_down(local: Command, state: Path) -> None:
    never = local("env")
    assert (never.exit_code, never.stdout) == (1, "")
    assert "batch-exports local up" in never.stderr
    assert local("status").exit_code == 1

    up = local("up")
    assert up.exit_code == 0, up.stderr
    assert "starting" in up.stderr
    server = seaweedfs.find(state / "s3")
    postgres = postgres_server.find(state / "postgres")
    assert server
    assert postgres
    assert server.endpoint in up.stdout
    assert f"postgres  up    {postgres.host}:{postgres.port}" in up.stdout
    with psycopg.connect(parts.environment(state)["BATCH_EXPORTS_LOCAL_REDSHIFT_URL"]) as redshift:
        assert "Redshift" in str(redshift.execute("SELECT version()").fetchone())
    assert str(state) in up.stdout

    again = local("up")
    assert (again.exit_code, again.stdout, again.stderr) == (0, up.stdout, "")
    assert seaweedfs.find(state / "s3") == server
    assert postgres_server.find(state / "postgres") == postgres
    assert local("status").exit_code == 0

    script = f"{local('env').stdout}\nenv"
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    expected = {f"{name}={value}" for name, value in parts.environment(state).items()}
    assert expected <= set(told.stdout.splitlines())

    assert local("down").exit_code == 0
    assert local("down").exit_code == 0
    status = local("status")
    assert status.exit_code == 1
    assert "DOWN" in status.stdout
    assert local("env").exit_code == 0  # also while all is down
    leftovers = [str(path) for port in server.ports.values() for path in _sockets(port)]
    assert leftovers == []


def _sockets(port: int) -> list[Path]:
    return [*Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]


def test_crashed_server_comes_back_with_its_data(state: Path) -> None:
    parts.up(state)
    before = seaweedfs.find(state / "s3")
    assert before
    assert before.process
    kept = b"kept" * 50_000  # too much to be kept beside the object's name
    before.client().put_object(
        Bucket="batch-exports", Key="k", Body=kept, ServerSideEncryption="AES256"
    )
    os.kill(before.process.pid, signal.SIGKILL)

    parts.up(state)
    after = seaweedfs.find(state / "s3")
    assert after
    assert (after.endpoint, after.admin) == (before.endpoint, before.admin)
    assert after.process != before.process
    body = after.client().get_object(Bucket="batch-exports", Key="k")["Body"].read()
    assert body == kept


def test_number_of_a_dead_server_taken_by_another_process(state: Path) -> None:
    parts.up(state)
    parts.down(state)
    path = state / "s3" / "server.json"
    stored = json.loads(path.read_text()) | {"process": {"pid": os.getpid(), "born": "long ago"}}
    path.write_text(json.dumps(stored))
    parts.down(state)  # would end this test, were it to trust the number
    assert not parts.status(state)["s3"].up


def test_two_commands_at_once_start_one_server_that_outlives_them(state: Path) -> None:
    both = [
        subprocess.Popen([PROGRAM, "local", "up"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0] == told[1]
    assert (state / "s3" / "log").read_text().count("Starting SeaweedFS Mini") == 1
    assert (state / "postgres" / "log").read_text().count("LOG:  starting PostgreSQL") == 1
    assert all(part.up for part in parts.status(state).values())
