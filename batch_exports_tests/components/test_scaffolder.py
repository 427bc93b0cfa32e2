"""`dg`, as a user runs it in a project of their own that lists batch_exports."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from dagster_dg_cli.cli import create_dg_cli

import batch_exports
from batch_exports_tests.deployment import load

PROJECT = """\
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
registry_modules = ["batch_exports"]
"""
Dg = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    defs = tmp_path / "shop" / "defs"
    defs.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def dg(*arguments: str) -> str:
    done = CliRunner().invoke(create_dg_cli(), arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_scaffolded_export_loads(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dg("scaffold", "defs", "batch_exports.S3BatchExport", "my-export")
    text = (project / "shop" / "defs" / "my-export" / "defs.yaml").read_text()
    kinds = [document["type"] for document in yaml.safe_load_all(text)]
    assert kinds == [f"batch_exports.{k}" for k in ("S3Connection", "LakeSource", "S3BatchExport")]
    assert "# exclude_events" in text
    assert "successfully" in dg("check", "yaml")
    definitions = load(project / "shop" / "defs", {}, monkeypatch)
    assert definitions.resolve_job_def("my_export_job")


def test_its_comments_are_settings_that_work(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user who removes the `#` gets."""
    dg("scaffold", "defs", "batch_exports.S3BatchExport", "my_export")
    text = (project / "shop" / "defs" / "my_export" / "defs.yaml").read_text()
    monkeypatch.setenv("MY_EXPORT_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("MY_EXPORT_SECRET_ACCESS_KEY", "secret")
    settings = re.sub(r"(?m)^  # (?=\w+: )", "  ", text)
    assert settings.count("#") == text.count("#") - 7
    definitions = load(project / "other", {"a/defs.yaml": settings}, monkeypatch)
    assert definitions.resolve_job_def("my_export_job")


def test_a_scaffolded_export_to_redshift_loads(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dg("scaffold", "defs", "batch_exports.RedshiftBatchExport", "my_export")
    text = (project / "shop" / "defs" / "my_export" / "defs.yaml").read_text()
    monkeypatch.setenv("MY_EXPORT_PASSWORD", "secret")
    assert load(project / "shop" / "defs", {}, monkeypatch).resolve_job_def("my_export_job")
    commented = re.sub(r"(?m)^  # (?=\w+: )", "  ", text)
    assert commented.count("#") == text.count("#") - 5
    settings = re.sub(r"  password: .*\n", "", commented)  # iam stands in its place
    assert load(project / "other", {"a/defs.yaml": settings}, monkeypatch).resources


def test_components_are_listed_with_what_they_do(project: Path) -> None:
    listed = {
        c["key"]: c["summary"] for c in json.loads(dg("list", "components", "--json"))["items"]
    }
    assert {f"batch_exports.{name}" for name in batch_exports.COMPONENTS} <= set(listed)
    assert listed["batch_exports.S3BatchExport"].startswith("Delivers a model's rows to an S3")


def test_the_demo_is_good_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.chdir(Path(batch_exports.__file__).parents[1])
    assert "successfully" in dg("check", "yaml")


def test_components_are_attributes_of_the_package() -> None:
    for name in batch_exports.COMPONENTS:
        assert getattr(batch_exports, name).__name__ == name
        assert name in dir(batch_exports)
    with pytest.raises(AttributeError, match="no attribute 'S3BatchExpert'"):
        _ = batch_exports.S3BatchExpert
