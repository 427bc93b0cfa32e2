"""A folder of YAML as a user keeps it, loaded as the code location loads it."""

from pathlib import Path

import dagster as dg
import pytest

from batch_exports.definitions import load_definitions

CONNECTION = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
"""
LAKE = """\
type: batch_exports.LakeSource
attributes:
  name: lake
  path: lake
"""
EXPORT = """\
type: batch_exports.S3BatchExport
attributes:
  name: events_archive
  source: lake
  model: events
  start: "2026-11-01"
  connection: archive
  bucket_name: exports
"""


def load(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The definitions of a deployment whose folder holds these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("BATCH_EXPORTS_DEFS", str(folder))
    definitions = load_definitions()
    dg.Definitions.validate_loadable(definitions)
    return definitions
