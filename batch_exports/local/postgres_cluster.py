"""The data of a new PostgreSQL server: a database to export to, its users and their rights."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from batch_exports.local.postgres_programs import Programs

DATABASE = "analytics"
SCHEMA = "exports"
EMULATED_DATABASE = "dev"
"""Where the Redshift emulator keeps what it has, once it was started."""


@dataclass(frozen=True)
class Login:
    """The credentials of one user."""

    user: str
    password: str = field(repr=False)


def create(programs: Programs, cluster: Path, host: str, admin: Login, exporter: Login) -> None:
    """Make a data directory at `cluster`; one that is there stays.

    `admin` may do everything. `exporter` may do what the documentation of the Postgres destination
    grants: use SCHEMA in DATABASE, and create tables there. Both are let in from `host` alone, over
    TLS, with their passwords. The directory appears complete or not at all. Raises LocalError.
    """
    if cluster.exists():
        programs.own(cluster)
        return
    cluster.parent.mkdir(exist_ok=True)
    # What was killed while it did this may still write to a draft of its own, never to ours.
    for leftover in cluster.parent.glob("draft-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=cluster.parent))
    programs.own(draft)
    user, sort = ("--username", admin.user), ("--encoding=UTF8", "--locale=C")
    programs.run("initdb", "--pgdata", str(draft), *user, *sort, "--auth=reject", "--no-sync")
    # The emulator hands the server's question for a password on to its clients, and SCRAM would
    # notice. Who has no password in the form that md5 asks for is asked by SCRAM there, too.
    (draft / "pg_hba.conf").write_text(
        f"hostssl {EMULATED_DATABASE} all {host}/32 md5\nhostssl all all {host}/32 scram-sha-256\n"
    )
    _execute(programs, draft, "postgres", [
        f"ALTER USER {admin.user} PASSWORD '{admin.password}'",
        f"CREATE USER {exporter.user} WITH PASSWORD '{exporter.password}'",
        f"CREATE DATABASE {DATABASE}",
    ])  # fmt: skip
    _execute(programs, draft, DATABASE, [
        f"CREATE SCHEMA {SCHEMA}",
        f"GRANT CREATE ON SCHEMA {SCHEMA} TO {exporter.user}",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {exporter.user}",
    ])  # fmt: skip
    draft.rename(cluster)


def _execute(programs: Programs, cluster: Path, database: str, statements: list[str]) -> None:
    """Run statements without a server. They hold passwords, which no error shows."""
    options = ("exit_on_error=on", "log_min_error_statement=panic", "fsync=off")
    arguments = [word for option in options for word in ("-c", option)]
    script = "".join(f"{statement}\n" for statement in statements)
    programs.run("postgres", "--single", "-D", str(cluster), *arguments, database, stdin=script)
