"""What users write of Amplitude, its errors, and what they see of it before the first run."""

from pathlib import Path

import dagster as dg
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

ARCHIVES = """\
type: batch_exports.AmplitudeSource
attributes:
  name: amplitude
  path: exports
"""
API = """\
type: batch_exports.AmplitudeSource
attributes:
  name: amplitude
  api_key: {env: TEST_API_KEY}
  secret_key: {env: TEST_SECRET_KEY}
"""
EVENTS = EXPORT.replace("source: lake", "source: amplitude").replace(
    "model: events", "model: amplitude_events"
)
MERGED_IDS = EVENTS.replace("amplitude_events", "amplitude_merged_ids")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", "key")
    monkeypatch.setenv("TEST_SECRET_KEY", "secret")


def loaded(folder: Path, patch: pytest.MonkeyPatch, *documents: str) -> dg.Definitions:
    return load(folder, {"a/defs.yaml": "---\n".join(documents)}, patch)


@pytest.mark.parametrize(
    ("source", "assets", "kinds", "uri"),
    [
        (ARCHIVES, ["amplitude_events", "amplitude_merged_ids"], {"file"}, "exports"),
        (ARCHIVES.replace("path: exports", "path: s3://b/p"),
         ["amplitude_events", "amplitude_merged_ids"], {"s3"}, "s3://b/p"),
        (API, ["amplitude_events"], {"api"}, "https://amplitude.com"),
        (API + "  region: eu\n", ["amplitude_events"], {"api"},
         "https://analytics.eu.amplitude.com"),
    ],
)  # fmt: skip
def test_assets(
    source: str,
    assets: list[str],
    kinds: set[str],
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs = loaded(tmp_path, monkeypatch, source).resolve_all_asset_specs()
    assert [spec.key.path for spec in specs] == [["amplitude", name] for name in assets]
    assert specs[0].kinds == kinds
    assert specs[0].metadata["dagster/uri"] == uri


@pytest.mark.parametrize(
    ("source", "field", "words"),
    [
        (ARCHIVES.replace("  path: exports\n", ""), "path", ["needs a path", "Give path, or"]),
        (API + "  path: exports\n", "path", ["and not both"]),
        (API.replace("  secret_key: {env: TEST_SECRET_KEY}\n", ""), "secret_key", ["Give both"]),
        (API.replace("  api_key: {env: TEST_API_KEY}\n", ""), "api_key", ["Give both"]),
        (API.replace("{env: TEST_SECRET_KEY}", "s3cr3t"), "secret_key", ["must not stand in the"]),
        (API.replace("TEST_SECRET_KEY", "TEST_UNSET"), "secret_key", ["TEST_UNSET is not set"]),
        (API + "  region: apac\n", "region", ["'us' or 'eu'"]),
        (API + "  connection: archive\n", "connection", ["no use to the API"]),
        (API + "  endpoint_url: http://proxy\n", "endpoint_url", ["Begin it with https://"]),
        (API + "  endpoint_url: https://k:s3cr3t@proxy\n", "endpoint_url", ["has credentials"]),
        (ARCHIVES.replace("path: exports", "path: gs://b"), "path", ["'gs://b' is of a kind"]),
        (ARCHIVES.replace("path: exports", "path: s3://b\n  connection: nowhere"), "connection",
         ["there is no S3Connection named 'nowhere'"]),
    ],
)  # fmt: skip
def test_mistakes(
    source: str, field: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidComponent) as error:
        loaded(tmp_path, monkeypatch, source)
    told = str(error.value)
    assert f"{field}: " in told
    assert all(word in told for word in words), told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    ("source", "export", "field", "words"),
    [
        (ARCHIVES, EVENTS, "delay_seconds", ["60 is too soon", "Give 3600 or more"]),
        (API, EVENTS, "delay_seconds", ["60 is too soon", "Give 7200 or more"]),
        (API, EVENTS + "  interval: every 5 minutes\n", "delay_seconds", ["Give 10500 or more"]),
        (API, EVENTS + "  shards: 2\n", "shards", ["each would download all", "give its path"]),
        (API, MERGED_IDS, "model", ["'amplitude' has no amplitude_merged_ids"]),
        (ARCHIVES, EVENTS.replace("model: amplitude_events", "model: events"), "model",
         ["It has amplitude_events, amplitude_merged_ids."]),
        (LAKE, EVENTS, "source",
         ["There is: lake.", "batch_exports.AmplitudeSource or batch_exports."]),
    ],
)  # fmt: skip
def test_exports_that_it_cannot_serve(
    source: str,
    export: str,
    field: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InvalidComponent) as error:
        loaded(tmp_path, monkeypatch, CONNECTION, source, export)
    told = str(error.value)
    assert f"{field}: " in told
    assert all(word in told for word in words), told


def test_a_lake_may_have_the_models_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_lake = MERGED_IDS.replace("source: amplitude", "source: lake")
    assert loaded(tmp_path, monkeypatch, CONNECTION, LAKE, in_lake).resolve_job_def(
        "events_archive_job"
    )
