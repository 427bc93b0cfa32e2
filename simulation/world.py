"""A deployment under the simulated clock: what it reaches, what runs it, and what happens to it."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import yaml
from click.testing import CliRunner
from psycopg import sql

from batch_exports.cli import main
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.export import Export
from batch_exports.lookup import find_exports
from simulation import exports, parts
from simulation.clock import Clock, simulated
from simulation.daemon import Daemon
from simulation.launcher import HereLauncher
from simulation.source import Sources
from simulation.thrift import thrifty

_WAIT_SECONDS = 60.0


@dataclass
class World:
    """`down` is whether no daemon runs."""

    parts: parts.Parts
    sources: Sources
    instance: dg.DagsterInstance
    daemon: Daemon
    clock: Clock
    folder: Path
    down: bool = False
    new_from: str = ""

    def work(self, *, turns: int = 2) -> None:
        """What becomes due by now is done, unless nobody is there to do it."""
        self.sources.grow(self.clock.now)
        if not self.down:
            self.daemon.work(turns=turns)

    def deploy(self, version: int, new_from: str | None = None) -> None:
        """The export that the second deployment adds begins with the day `new_from`."""
        self.new_from = new_from or self.new_from
        exports.write(self.folder / "defs", version=version, new_from=self.new_from)
        self.daemon.restart()

    def stop_daemon(self) -> None:
        self.down = True

    def start_daemon(self) -> None:
        self.down = False
        self.daemon.restart()

    def start_s3(self) -> None:
        """If it is not where it was, the deployment is told so."""
        known = self.parts.s3.endpoint
        self.parts.start_s3()
        if self.parts.s3.endpoint != known:
            os.environ["S3_ENDPOINT"] = self.parts.s3.endpoint
            exports.touch(self.folder / "defs")
            self.daemon.restart()

    def command(self, name: str, *exports: str) -> None:
        """A command of `batch-exports`, as a person types it for each of the exports."""
        for export in exports:
            yes = ["--yes"] if name == "approve" else []
            result = CliRunner().invoke(main, [name, export, *yes])
            assert result.exit_code == 0, f"{result.output} {result.exception!r}"

    def kill_next_run(self, export: str, table: str) -> None:
        """Kill the process of the export's next run while it writes to the table."""
        launcher = self.instance.run_launcher
        assert isinstance(launcher, HereLauncher)

        def kill(process: "subprocess.Popen[bytes]") -> None:
            lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
            with self.parts.warehouse.connect() as connection:
                connection.execute(lock.format(sql.Identifier("exports", table)))
                self._await_waiting()
                process.kill()

        launcher.victim, launcher.kill = f"{export}_job", kill

    def _await_waiting(self) -> None:
        """Until a session of an export waits for a lock."""
        ends = time.monotonic() + _WAIT_SECONDS
        with self.parts.warehouse.connect(autocommit=True) as connection:
            while time.monotonic() < ends:
                found = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND usename = 'exporter'"
                ).fetchone()
                if found and found[0]:
                    return
                time.sleep(0.05)
        raise TimeoutError("The run that is to be killed never got to its table.")

    def change_password(self, password: str) -> None:
        """On the server's side alone."""
        statement = sql.SQL("ALTER USER exporter PASSWORD {}").format(sql.Literal(password))
        with self.parts.warehouse.connect() as connection:
            connection.execute(statement)

    def tell_password(self, password: str) -> None:
        """The deployment learns it, and is started again."""
        os.environ["WAREHOUSE_PASSWORD"] = password
        self.daemon.restart()

    def exports(self) -> Mapping[str, Export]:
        tree = component_tree()
        found = find_exports(tree, load_definitions(tree))
        return {each.export.name: each.export for each in found}

    def messages(self) -> list[dict[str, Any]]:
        """What people were told, in order."""
        return [json.loads(body) for _, _, body in self.parts.receiver.posted]


@contextmanager
def world(
    folder: Path, begin: datetime, seed: int, write: Callable[[Path], None]
) -> Iterator[World]:
    """A new one in `folder`, from `begin` on, with the exports that `write` lays in a folder."""
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(_settings())
    with parts.started(folder) as reached:
        write(folder / "defs")
        sources = Sources(reached.app, folder / "lake", seed, begin)
        variables = exports.environment(reached, folder / "defs", folder / "lake")
        with (
            patch.dict(os.environ, {**variables, "DAGSTER_HOME": str(home)}),
            simulated(begin) as clock,
            thrifty(),
            dg.DagsterInstance.get() as instance,
            Daemon(instance, clock) as daemon,
        ):
            yield World(reached, sources, instance, daemon, clock, folder)


def _settings() -> str:
    """The dagster.yaml of one machine, with runs within this process, whose output is the log."""
    text = (Path(__file__).parent.parent / "dagster.yaml").read_text()
    settings = yaml.safe_load(text)
    settings["run_launcher"] = {"module": "simulation.launcher", "class": "HereLauncher"}
    settings["compute_logs"] = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    return yaml.safe_dump(settings)
