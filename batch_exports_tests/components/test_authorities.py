"""Which certificates are trusted: a file that is named, or the one of the machine."""

from pathlib import Path

import pytest

from batch_exports.components import authorities
from batch_exports.errors import ConfigurationError
from batch_exports.local.postgres_server import Server


def test_the_environment_comes_first(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(postgres_server.root_certificate))
    assert authorities.system_authorities("f") == str(postgres_server.root_certificate)


def test_a_place_where_systems_keep_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "not there"))
    there = tmp_path / "bundle.pem"
    monkeypatch.setattr(authorities, "_BUNDLES", (str(tmp_path / "neither"), str(there)))
    with pytest.raises(ConfigurationError, match="f: this machine has no file of authorities"):
        authorities.system_authorities("f")
    there.touch()
    assert authorities.system_authorities("f") == str(there)


def test_a_named_file_is_read(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = postgres_server.root_certificate
    assert authorities.named_authorities("f", str(root)) == str(root)
    monkeypatch.chdir(root.parent)
    assert authorities.named_authorities("f", root.name) == str(root)
    monkeypatch.setenv("HOME", str(root.parent))
    assert authorities.named_authorities("f", f"~/{root.name}") == str(root)
    broken = tmp_path / "broken.pem"
    broken.write_text(root.read_text()[:200])
    for wrong in (broken, tmp_path, tmp_path / "not there"):
        with pytest.raises(ConfigurationError, match=str(wrong)):
            authorities.named_authorities("f", str(wrong))
