"""The Dagster UI as its own process, for as long as a test wants it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

START_SECONDS = 60
STOP_SECONDS = 10

# No "Join the community" dialog over the first page, and nothing sent home.
INSTANCE = "nux: {enabled: false}\ntelemetry: {enabled: false}\n"

# A test run started in the background ignores SIGINT and so would its children, but SIGINT is how
# the web server and its code servers are told to stop.
LAUNCH = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("dagster_webserver", run_name="__main__", alter_sys=True)
"""


@contextmanager
def dagster_webserver(
    dagster_home: Path, *code: str, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve the definitions that `code` names, and yield the URL of the UI.

    `code` is written as for the command line: "-m", "batch_exports.definitions" or "-f", a path.
    The instance in `dagster_home` gets a quiet `dagster.yaml` unless it has one. On exit the web
    server and every process it started are gone.
    """
    instance = dagster_home / "dagster.yaml"
    if not instance.exists():
        instance.write_text(INSTANCE)
    port = _free_port()
    log = dagster_home / "webserver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, "-h", "127.0.0.1", "-p", str(port), *code],
            cwd=dagster_home,
            env={**os.environ, "DAGSTER_HOME": str(dagster_home), **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_server(url, process, log)
        yield url
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _await_server(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        # Before it listens, connections are refused; while it starts, they may be reset.
        with suppress(OSError), urlopen(f"{url}/server_info", timeout=5):
            return
        time.sleep(0.1)
    trouble = f"did not answer in {START_SECONDS} s" if process.poll() is None else "has ended"
    raise RuntimeError(f"The Dagster web server {trouble}. Its log:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C for the whole process group; whoever is left afterwards is killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
