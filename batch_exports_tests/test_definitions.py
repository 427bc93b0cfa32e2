"""The code location's definitions, as Dagster asks for them."""

from pathlib import Path

import pytest

from batch_exports.definitions import defs
from batch_exports_tests.deployment import LAKE


def test_they_are_loaded_once_and_again_when_a_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run asks for them several times; two hundred exports take seconds to load."""
    monkeypatch.setenv("BATCH_EXPORTS_DEFS", str(tmp_path))
    file = tmp_path / "defs.yaml"
    file.write_text(LAKE)
    before = defs()
    assert defs() is before
    file.write_text(LAKE.replace("name: lake", "name: pond"))
    assert set(before.resources or {}) == {"lake"}
    assert set(defs().resources or {}) == {"pond"}
