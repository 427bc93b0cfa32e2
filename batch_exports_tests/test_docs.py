"""The documentation: generated pages are current, links lead somewhere, YAML examples load."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from batch_exports.definitions import load_definitions
from docs.generate import REFERENCE, render

ROOT = Path(__file__).parent.parent
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\benv(?:: *|\.)(\w+)")
_S3 = "type: batch_exports.S3Connection\nattributes: {{name: {0}}}\n"
_POSTGRES = """\
type: batch_exports.PostgresConnection
attributes: {{name: {0}, host: db.example.com, database: d, user: u, password: {{env: HOME}}}}
"""
_REDSHIFT = """\
type: batch_exports.RedshiftConnection
attributes: {{name: {0}, host: db.example.com, database: d, user: u, password: {{env: HOME}}}}
"""
_WRITTEN_WITH = {
    "PostgresBatchExport": _POSTGRES,
    "RedshiftBatchExport": _REDSHIFT,
    "WarehouseTableSource": _REDSHIFT,
}
# What stands for a variable, by a word in its name.
_VALUES = {
    "ENDPOINT": "http://127.0.0.1:1",
    "PORT": "1",
    "ROLE_ARN": "default",
    "ROOT_CERT": str(files("batch_exports.components") / "amazon_authorities.pem"),
}
_SOURCE = "type: batch_exports.LakeSource\nattributes: {{name: {0}, path: ., connection: null}}\n"
_DELIVERED = """\
type: batch_exports.S3BatchExport
attributes:
  {{name: {0}, source: {0}_lake, model: events, start: "2026-11-01", connection: {0}_store,
  bucket_name: b}}
---
"""
_DELIVERED += f"{_SOURCE.replace('{0}', '{0}_lake')}---\n{_S3.replace('{0}', '{0}_store')}"


def pages() -> list[Path]:
    hand_written = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*hand_written, *sorted((ROOT / "docs").rglob("*.md"))]


def examples() -> Iterator[Any]:
    """Each block of YAML that holds components."""
    for page in pages():
        blocks = [body for kind, body in _FENCED.findall(page.read_text()) if kind == "yaml"]
        for number, body in enumerate(blocks, start=1):
            if "type: batch_exports." in body:
                yield pytest.param(body, id=f"{page.relative_to(ROOT)}-{number}")


def test_reference_is_what_the_code_says() -> None:
    committed = {path.name: path.read_text() for path in REFERENCE.iterdir()}
    assert committed == render(), "run `make docs` and commit what it writes"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in links(page.read_text()) if not leads_somewhere(page, link)]
    assert broken == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading, `here`\n[a](page.md#a-heading-here) [b](#none) [c](gone.md)")
    found = [link for link in links(page.read_text()) if not leads_somewhere(page, link)]
    assert found == ["#none", "gone.md"]


def test_examples_are_found() -> None:
    assert {str(example.id).split("-")[0] for example in examples()} >= {"README.md"}


@pytest.mark.parametrize("example", examples())
def test_yaml_example_loads(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example").mkdir()
    (tmp_path / "example" / "defs.yaml").write_text(completed(example))
    monkeypatch.setenv("BATCH_EXPORTS_DEFS", str(tmp_path))
    for variable in _VARIABLE.findall(example):
        known = [value for word, value in _VALUES.items() if word in variable]
        monkeypatch.setenv(variable, known[0] if known else "x")
    definitions = load_definitions()
    named = [item["attributes"]["name"] for item in yaml.safe_load_all(example)]
    assets = {spec.key.path[-1] for spec in definitions.resolve_all_asset_specs()}
    alerts = {sensor.name.removesuffix("_alerts") for sensor in definitions.sensors or ()}
    assert {*named} <= assets | set(definitions.resources or {}) | alerts


def completed(example: str) -> str:
    """The example with what it refers to and does not show: connections, sources, files."""
    documents = list(yaml.safe_load_all(example))
    there = {document["attributes"]["name"] for document in documents}
    wanted: dict[str, str] = {}
    for kind, attributes in (document.values() for document in documents):
        own = _WRITTEN_WITH.get(kind.removeprefix("batch_exports."), _S3)
        stage = attributes.get("stage", {})
        for named, field, template in (
            (attributes, "connection", own),
            (attributes, "source", _SOURCE),
            (attributes, "load_from", _DELIVERED),
            (stage, "connection", _S3),
        ):
            if named.get(field):
                wanted[named[field]] = template
    missing = [template.format(name) for name, template in wanted.items() if name not in there]
    return "---\n".join([example, *missing])


def links(text: str) -> list[str]:
    """Targets of links and images within the repository."""
    return [link for link in _LINK.findall(_FENCED.sub("", text)) if "://" not in link]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not anchor or anchor in {slug(h) for h in _HEADING.findall(target.read_text())}


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
