"""Writes docs/reference/ from the code itself.

python -m docs.generate
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs import (
    components,
    declared_models,
    destination_http,
    destination_postgres,
    destination_redshift,
    destination_s3,
    redshift_write_modes,
    rows,
)

REFERENCE = Path(__file__).parent / "reference"
_NOTE = "<!-- Written by `make docs` from the code: change that, not this file. -->\n\n"

PAGES: Mapping[str, Callable[[], str]] = {
    "connections.md": components.connections,
    "sources.md": components.sources,
    "exports.md": components.exports,
    "alerts.md": components.alerts,
    "models.md": rows.models,
    "custom-models.md": declared_models.declared_models,
    "filters.md": rows.filters,
    "checks.md": rows.checks,
    "s3-keys.md": destination_s3.keys,
    "s3-files.md": destination_s3.files,
    "s3-manifest.md": destination_s3.manifest,
    "postgres-tables.md": destination_postgres.tables,
    "postgres-write-modes.md": destination_postgres.write_modes,
    "redshift-tables.md": destination_redshift.tables,
    "redshift-write-modes.md": redshift_write_modes.write_modes,
    "http-endpoints.md": destination_http.endpoints,
}


def render() -> dict[str, str]:
    """The text of each page, by file name."""
    return {name: f"{_NOTE}{page().strip()}\n" for name, page in PAGES.items()}


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for stale in {path.name for path in REFERENCE.glob("*.md")} - set(PAGES):
        (REFERENCE / stale).unlink()
    for name, text in render().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    main()
