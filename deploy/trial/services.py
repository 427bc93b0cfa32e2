"""The services of deploy/compose as processes of this machine, by the commands of its file."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from dagster._grpc.client import DagsterGrpcClient

from deploy.trial import workers as celery

FOLDER = Path(__file__).parents[1] / "compose"
START_SECONDS = 120
STOP_SECONDS = 10

# What is started in the background ignores SIGINT and so would its children, but SIGINT is how
# these are told to stop. The daemon looks at backfills and at its queue every second, instead of
# every 30 and 5: a trial has little to do, and nobody should wait for it.
_LAUNCH = """
import signal, sys
from importlib.metadata import entry_points
signal.signal(signal.SIGINT, signal.default_int_handler)
name = sys.argv.pop(1)
(program,) = entry_points(group="console_scripts", name=name)
if name == "dagster-daemon":
    from dagster._daemon import controller
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
sys.exit(program.load()())
"""
_QUEUE_SECONDS = 1


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


@dataclass(frozen=True)
class Services:
    """Where the web server is, what compose would ask to know whether each service is well, and
    the process of each, workers among them."""

    url: str
    pids: Mapping[str, int]
    checks: Mapping[str, list[str]]
    home: Path
    environment: Mapping[str, str]

    def sick(self) -> list[str]:
        """The services whose health check fails."""
        return [name for name, command in self.checks.items() if not self._passes(command)]

    def _passes(self, command: list[str]) -> bool:
        return (
            subprocess.run(
                command, cwd=self.home, env=self.environment, check=False, timeout=START_SECONDS
            ).returncode
            == 0
        )


@contextmanager
def running(
    home: Path,
    instance: Mapping[str, str],
    exports: Mapping[str, str],
    workers: Sequence[str] = (),
) -> Iterator[Services]:
    """Start code server, web server and daemon, and yield when they answer.

    `instance` are the values of compose's own variables, `exports` those of exports.env. Runs are
    processes of the code server, as they are with compose; with `workers`, Celery hands them out to
    processes of these names. At the end all processes are gone, those of runs too.
    """
    services = {name: it for name, it in compose()["services"].items() if "command" in it}
    ports = {name: _free_port() for name in ("code", "webserver")}
    _write_home(home, ports, celery.SETTINGS if workers else {})
    spread = celery.celery_env(instance) if workers else {}
    environments = {
        name: _environment(home, it, instance, exports) | spread for name, it in services.items()
    }
    commands = {name: _here(it["command"], ports) for name, it in services.items()}
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, command: list[str], service: str) -> None:
        processes[name] = _start(home, name, command, environments[service])

    try:
        start("code", commands["code"], "code")
        if workers:
            celery.prepare(spread)
        for name in workers:  # with the exports' secrets, as they do what the code server would
            start(name, celery.command(name), "code")
        _wait(home, "code", lambda: _serves(ports["code"]))
        for name in ("webserver", "daemon"):
            start(name, commands[name], name)
        url = f"http://127.0.0.1:{ports['webserver']}"
        _wait(home, "webserver", lambda: urlopen(f"{url}/server_info", timeout=5).status == 200)
        checks = {
            name: _here(it["healthcheck"]["test"][1:], ports) for name, it in services.items()
        }
        pids = {name: process.pid for name, process in processes.items()}
        yield Services(url, pids, checks, home, environments["daemon"])
    finally:
        _stop(processes.values())


def _write_home(home: Path, ports: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """compose's dagster.yaml with these settings more, and its workspace.yaml for these ports."""
    dagster = yaml.safe_load((FOLDER / "dagster.yaml").read_text())
    dagster["run_queue"]["dequeue_interval_seconds"] = _QUEUE_SECONDS
    (home / "dagster.yaml").write_text(yaml.safe_dump({**dagster, **settings}))
    workspace = yaml.safe_load((FOLDER / "workspace.yaml").read_text())
    (server,) = (entry["grpc_server"] for entry in workspace["load_from"])
    server |= {"host": "127.0.0.1", "port": ports[server["host"]]}
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace))


def _environment(
    home: Path, service: Mapping[str, Any], instance: Mapping[str, str], exports: Mapping[str, str]
) -> dict[str, str]:
    """What the service's container would have, and what any process of this machine needs."""
    foreign = ("DAGSTER_", "AWS_", "BATCH_EXPORTS_")
    own = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    given = {key: instance[key] for key in service["environment"]}
    secrets = exports if "env_file" in service else {}
    return {**own, **given, **secrets, "DAGSTER_HOME": str(home)}


def _here(words: list[str], ports: Mapping[str, int]) -> list[str]:
    """A command of a container, on this machine's ports and by this interpreter's programs."""
    changes = {
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=4000": f"--port={ports['code']}",
        "--port=3000": f"--port={ports['webserver']}",
    }
    program, *rest = (
        changes.get(word, word).replace(":3000/", f":{ports['webserver']}/") for word in words
    )
    if program == "python":
        return [sys.executable, *rest]
    return [sys.executable, "-c", _LAUNCH, program, *rest]


def _start(
    home: Path, name: str, command: list[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ctrl-C for all, and for what they have started; whoever is left afterwards is killed."""
    for process in processes:
        _signal(process, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _wait(home: Path, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(Exception):
            if ready():
                return
        time.sleep(0.1)
    log = (home / f"{name}.log").read_text()
    raise RuntimeError(f"{name} did not answer in {START_SECONDS} s. Its log:\n{log}")


def _serves(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)):  # Dagster prints what it cannot reach
        pass
    client: Any = DagsterGrpcClient(host="127.0.0.1", port=port)
    return bool(client.health_check_query() == "SERVING")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
