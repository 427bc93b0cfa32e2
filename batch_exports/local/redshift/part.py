"""The Redshift part: the emulator in `<state>/redshift`, before the server of the Postgres part.

`server.json` there holds its port and its process. Its COPY and UNLOAD reach the server of the S3
part.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg

from batch_exports.local import postgres_server
from batch_exports.local.errors import LocalError
from batch_exports.local.ports import free_ports
from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.private import make_private_folder, write_private
from batch_exports.local.process import Process
from batch_exports.local.redshift.installation import SCHEMA, exporter
from batch_exports.local.redshift.roles import ROLE_ARN
from batch_exports.local.status import Status

START_SECONDS = 30.0


@dataclass(frozen=True)
class _Found:
    port: int
    process: Process | None


def start(state: Path) -> None:
    """Start the emulator, unless it runs; the parts S3 and Postgres are up. Raises LocalError."""
    known = _find(state)
    if known and known.process and _refusal(state, known) is None:
        return
    stop(state)
    folder = state / "redshift"
    make_private_folder(folder)
    log, module = folder / "log", "batch_exports.local.redshift.process"
    refusal: str | None = None
    for port in ([known.port] if known else []) + free_ports(2):
        command = [sys.executable, "-m", module, str(state), str(port)]
        launched = _Found(port, Process.spawn(command, dict(os.environ), log))
        _store(folder, launched)
        refusal = _await_answer(state, launched)
        if refusal is None:
            return
        stop(state)
    told = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise LocalError(f"the Redshift emulator did not start: {refusal}. Its log, {log}:\n{told}")


def stop(state: Path) -> None:
    """Stop the emulator; what was exported stays in the Postgres part."""
    known = _find(state)
    if known and known.process:
        known.process.kill()
        _store(state / "redshift", _Found(known.port, None))


def status(state: Path) -> Status:
    known = _find(state)
    if known is None:
        return Status(up=False, text="never started")
    if known.process is None or _refusal(state, known) is not None:
        return Status(up=False, text="not running; its data is the Postgres part's")
    host = postgres_server.Server.host
    place = f"{host}:{known.port}, database {EMULATED_DATABASE}"
    return Status(up=True, text=f"emulator on {place}, schema {SCHEMA}")


def environment(state: Path) -> dict[str, str]:
    """How exports reach it, and the role that its COPY uses.

    Raises LocalError when it never was started.
    """
    known, server = _find(state), postgres_server.find(state / "postgres")
    if known is None or server is None:
        raise LocalError(
            f"no Redshift emulator was ever started in {state}: run `batch-exports local up` first"
        )
    login = exporter(server)
    tls = {"sslmode": "verify-full", "sslrootcert": str(server.root_certificate)}
    place = f"{server.host}:{known.port}/{EMULATED_DATABASE}?{urlencode(tls, quote_via=quote)}"
    return {
        "BATCH_EXPORTS_LOCAL_REDSHIFT_URL": f"postgresql://{login.user}:{login.password}@{place}",
        "BATCH_EXPORTS_LOCAL_REDSHIFT_HOST": server.host,
        "BATCH_EXPORTS_LOCAL_REDSHIFT_PORT": str(known.port),
        "BATCH_EXPORTS_LOCAL_REDSHIFT_DATABASE": EMULATED_DATABASE,
        "BATCH_EXPORTS_LOCAL_REDSHIFT_SCHEMA": SCHEMA,
        "BATCH_EXPORTS_LOCAL_REDSHIFT_USER": login.user,
        "BATCH_EXPORTS_LOCAL_REDSHIFT_PASSWORD": login.password,
        "BATCH_EXPORTS_LOCAL_REDSHIFT_ROOT_CERT": str(server.root_certificate),
        "BATCH_EXPORTS_LOCAL_REDSHIFT_ROLE_ARN": ROLE_ARN,
    }


def _find(state: Path) -> _Found | None:
    path = state / "redshift" / "server.json"
    try:
        stored = json.loads(path.read_text())
        process = Process(**stored["process"]) if stored["process"] else None
        return _Found(stored["port"], process)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(
            f"cannot read the state of the Redshift emulator in {path}: {error!r}. Remove "
            f"{path.parent}; an emulator that still runs has to be killed by hand"
        ) from error


def _store(folder: Path, found: _Found) -> None:
    write_private(folder / "server.json", json.dumps(asdict(found), indent=2))


def _await_answer(state: Path, launched: _Found) -> str | None:
    deadline = time.monotonic() + START_SECONDS
    while refusal := _refusal(state, launched):
        if launched.process is None or not launched.process.alive:
            return "its process ended"
        if time.monotonic() > deadline:
            return f"not ready within {START_SECONDS:g} s: {refusal}"
        time.sleep(0.05)
    return None


def _refusal(state: Path, known: _Found) -> str | None:
    """Why the emulator does not answer; None when it does."""
    server = postgres_server.find(state / "postgres")
    if server is None:
        return "the Postgres part was never started"
    try:
        parameters = {"port": known.port, "dbname": EMULATED_DATABASE, "connect_timeout": 10}
        server.connect(exporter(server), client_encoding="utf8", **parameters).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None
