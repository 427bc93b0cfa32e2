"""Archives tried step by step."""

from pathlib import Path

import pytest

from batch_exports.probe import Finding, probe
from batch_exports.sources.amplitude import Archives
from batch_exports.sources.amplitude.probe import ARCHIVES_STEPS, ArchivesAttempt
from batch_exports_tests.sources.amplitude.rows import event, events, name, packed
from batch_exports_tests.sources.amplitude.test_archives import put


def tried(source: Archives) -> dict[str, Finding]:
    attempt = ArchivesAttempt(lambda: source, events())
    return {result.step: result.finding for result in probe(ARCHIVES_STEPS, attempt)}


def test_the_newest_archive_is_read(tmp_path: Path) -> None:
    """The hour before ten sorts behind it by its text."""
    found = tried(put(tmp_path, {name(9): b"", name(10): packed([event(600)])}))
    assert found == {
        "archives": Finding(
            "passed", "2 archives of amplitude_events, the newest of 2026-11-01 10 h UTC"
        ),
        "rows": Finding("passed", f"archives/{name(10)}: its rows can be read"),
    }


@pytest.mark.parametrize(
    ("files", "verdicts"),
    [
        ({name(9): packed([])}, ["passed", "passed"]),
        ({name(9): b"no gzip"}, ["passed", "failed"]),
        ({"-1_2026-11-01_9.json.gz": packed([])}, ["warning", "skipped"]),
        ({"notes.txt": b""}, ["failed", "skipped"]),
    ],
)
def test_what_is_found(tmp_path: Path, files: dict[str, bytes], verdicts: list[str]) -> None:
    assert [finding.verdict for finding in tried(put(tmp_path, files)).values()] == verdicts
