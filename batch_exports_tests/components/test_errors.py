"""Each mistake in YAML is told with file, line, field, value and remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

KEYS = "  aws_access_key_id: {env: SOME_KEY_ID}\n  aws_secret_access_key: "
HTTP = "  endpoint_url: http://minio:9000\n"


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, *documents: str) -> str:
    """What the user is told about a file of these documents."""
    with pytest.raises(InvalidComponent) as error:
        load(folder, {"a/defs.yaml": "---\n".join(documents)}, monkeypatch)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    return str(error.value)


def test_what_is_right_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, EXPORT])}
    definitions = load(tmp_path, files, monkeypatch)
    assert definitions.resolve_job_def("events_archive_job")


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("bukket_name: b", "bukket_name", ["not a field", "Did you mean bucket_name?"]),
        ("zzz: b", "zzz", ["not a field", "The fields are name, source, load_from, model"]),
        ("file_format: parket", "file_format", ["'parket'", "'parquet' or 'jsonlines'"]),
        ("status: on", "status", ["True", "'running' or 'stopped'", "YAML reads on, off"]),
        ("delay_seconds: soon", "delay_seconds", ["'soon'", "integer"]),
        ("delay_seconds: -1", "delay_seconds", ["-1 is too small", "0 or more"]),
        ("partitions_per_run: 0", "partitions_per_run", ["0 is too small", "1 or more"]),
        ("max_file_size_mib: -5", "max_file_size_mib", ["-5 is too small", "0 or more"]),
        ("columns: uuid", "columns", ["'uuid'", "list"]),
        ("columns: [uuid, 3]", "columns", ["3 does not fit", "string"]),
        ("columns: [uuid, evnt]", "columns", ["no column 'evnt'", "It has uuid, event"]),
        ("columns: [event]", "columns", ["lacks 'uuid'", "Add uuid"]),
        ("membership: person_id", "membership", ["'person_id'", "Use inserted_at"]),
        ("interval: hourly", "interval", ["'hourly'", "Use hour, day, week"]),
        ("interval: every 7 minutes", "interval", ["every 7 minutes", "1, 2, 3, 4, 5, 6"]),
        ('interval: {cron: "99 * * * *"}', "interval", ["'99 * * * *'", "Correct it"]),
        ("interval: 5", "interval", ["5 does not fit"]),
        ("timezone: Europe/Berln", "timezone", ["'Europe/Berln'", "such as UTC"]),
        ('key_prefix: "{yeer}/"', "key_prefix", ["{yeer} is not a variable", "{year}, {month}"]),
        ('key_prefix: "{0}/"', "key_prefix", ["{0} is not a variable", "{data_interval_end}"]),
        ("compression: zip", "compression", ["'zip'", "'brotli'"]),
        ("encryption: aws:kms", "encryption", ["aws:kms needs a key", "Give kms_key_id"]),
        ("kms_key_id: k", "kms_key_id", ["'k'", "Set encryption: aws:kms"]),
        ('end: "2026-10-01"', "end", ["'2026-10-01'", "Set a later end"]),
        ('end: "2026-11-02T03:30"', "end", ["2026-11-02T03:30", "at 2026-11-02T04:00"]),
        (
            "filters: [{key: a, operator: equals, value: 1}]",
            "filters.0.operator",
            ["'equals'", "'is_not_set'"],
        ),
        ("filters: [{key: a, type: group}]", "filters.0.type", ["'group'", "'event' or 'person'"]),
        ("filters: [{kee: a, value: 1}]", "filters", ["'kee' is not a field"]),
        (
            'filters: [{key: a, operator: regex, value: "("}]',
            "filters",
            ["'('", "not a regular expression", "RE2"],
        ),
        ("filters: [{key: a, operator: gt, value: x}]", "filters", ["'x' is not a number"]),
        (
            'key_prefix: "{{ env.NOT_THERE }}"',
            "key_prefix",
            ["variable NOT_THERE is not set", "Set it where Dagster's processes start"],
        ),
        ('key_prefix: "a-{{ env.NOT_THERE }}/"', "key_prefix", ["NOT_THERE is not set"]),
        ("key_prefix: \"{{ env('NOT_THERE') }}\"", "key_prefix", ["NOT_THERE is not set"]),
        ('delay_seconds: "{{ env.NOT_THERE }}"', "delay_seconds", ["NOT_THERE is not set"]),
        (
            'filters: [{key: a, value: "{{ env.NOT_THERE }}"}]',
            "filters.0.value",
            ["NOT_THERE is not set"],
        ),
        ('key_prefix: "{{ nonsense }}"', "key_prefix", ["'nonsense' is undefined", "scope"]),
        ("asset_attributes: {ownerz: [a]}", "asset_attributes", ["'ownerz' is not a field"]),
        ("asset_attributes: {owners: [bob]}", "asset_attributes", ["'bob'", "team:"]),
    ],
)
def test_a_line_of_an_export(
    line: str, field: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = told(tmp_path, monkeypatch, CONNECTION, LAKE, f"{EXPORT}  {line}\n")
    # The line is the last of the third document.
    assert message.startswith(f"{tmp_path}/a/defs.yaml:19 - attributes.{field}\n")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("right", "wrong", "place", "words"),
    [
        ("source: lake", "source: lkae", "14 - attributes.source", ["'lkae'", "There is: lake"]),
        (
            "connection: archive",
            "connection: archiv",
            "17 - attributes.connection",
            ["no S3Connection named 'archiv'", "There is: archive"],
        ),
        ("model: events", "model: event", "15 - attributes.model", ["'event'", "lake has events"]),
        (
            '"2026-11-01"',
            '"2026-11-01T00:30"',
            "16 - attributes.start",
            ["2026-11-01T00:30", "the next does at 2026-11-01T01:00"],
        ),
        ('"2026-11-01"', '"1 Nov"', "16 - attributes.start", ["'1 Nov'", "like 2026-11-01"]),
        ("name: events_archive", "name: a-b", "13 - attributes.name", ["'a-b'", "underscores"]),
        (
            "  bucket_name: exports\n",
            "",
            "12 - attributes.bucket_name",
            ["is missing", "Add it: The bucket"],
        ),
        (
            "batch_exports.S3BatchExport",
            "batch_exports.S3Export",
            "11 - type",
            ["'batch_exports.S3Export'", "batch_exports.S3BatchExport"],
        ),
        ("source: lake", "source:", "14 - attributes.source", ["it is missing", "load_from"]),
    ],
)
def test_a_word_of_an_export(
    right: str,
    wrong: str,
    place: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert right in EXPORT
    message = told(tmp_path, monkeypatch, CONNECTION, LAKE, EXPORT.replace(right, wrong))
    assert message.startswith(f"{tmp_path}/a/defs.yaml:{place}\n")
    for word in words:
        assert word in message


def test_a_codec_that_the_format_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = f"{EXPORT}  file_format: jsonlines\n  compression: snappy\n"
    message = told(tmp_path, monkeypatch, export, CONNECTION, LAKE)
    assert message.startswith(f"{tmp_path}/a/defs.yaml:10 - attributes.compression\n")
    assert "jsonlines has no snappy. Use none, gzip, brotli, zstd." in message


def test_an_endpoint_without_encryption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = told(tmp_path, monkeypatch, CONNECTION + HTTP)
    assert message.startswith(f"{tmp_path}/a/defs.yaml:5 - attributes.endpoint_url\n")
    assert "'http://minio:9000' is not encrypted. Use https://, or set allow_http" in message


def test_the_excerpt_points_at_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = told(tmp_path, monkeypatch, CONNECTION + HTTP, LAKE)
    line, pointer = message.splitlines()[-2:]
    assert line == "   5 |   endpoint_url: http://minio:9000"
    assert pointer.endswith("^ 'http://minio:9000' is not encrypted.")


@pytest.mark.parametrize(
    "written",
    [
        "planted-5ecret",
        '"{{ env.PLANTED }}"',
        "[planted-5ecret]",
        "{value: planted-5ecret}",
        "{env: planted-5ecret}",
        '{env: "{{ env.PLANTED }}"}',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY_ID", "id")
    monkeypatch.setenv("PLANTED", "planted-5ecret")
    message = told(tmp_path, monkeypatch, CONNECTION + KEYS + written + "\n", LAKE)
    assert message.startswith(f"{tmp_path}/a/defs.yaml:6 - attributes.aws_secret_access_key\n")
    assert "write {env: ITS_NAME}" in message
    assert "5ecret" not in message


def test_a_secret_under_a_misspelt_name_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = f"{CONNECTION}  aws_secret_acces_key: planted-5ecret\n"
    message = told(tmp_path, monkeypatch, connection)
    assert "Did you mean aws_secret_access_key?" in message
    assert "5ecret" not in message


def test_the_excerpt_ends_where_the_next_document_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "# planted-5ecret\n"
    message = told(tmp_path, monkeypatch, CONNECTION + HTTP, secret + LAKE)
    assert "5ecret" not in message


def test_a_secret_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY_ID", "id")
    message = told(tmp_path, monkeypatch, CONNECTION + KEYS + "{env: NOT_THERE}\n")
    assert message.startswith(f"{tmp_path}/a/defs.yaml:6 - attributes.aws_secret_access_key\n")
    assert "the environment variable NOT_THERE is not set" in message


@pytest.mark.parametrize("twice", [CONNECTION, LAKE, EXPORT])
def test_a_name_given_twice(twice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, EXPORT]), "b/defs.yaml": twice}
    with pytest.raises(InvalidComponent) as error:
        load(tmp_path, files, monkeypatch)
    assert str(error.value).startswith(f"{tmp_path}/b/defs.yaml:3 - attributes.name\n")
    assert f"in {tmp_path}/a/defs.yaml:" in str(error.value)
    assert "Give each component a name of its own" in str(error.value)


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotADirectoryError, match=r"BATCH_EXPORTS_DEFS: .* is not a folder"):
        load(tmp_path / "nowhere", {}, monkeypatch)


def test_templates_with_a_value_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_DELAY", "90")
    lines = "  delay_seconds: \"{{ env.SOME_DELAY }}\"\n  key_prefix: \"{{ env('NOPE', 'x') }}/\"\n"
    definitions = load(
        tmp_path, {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, EXPORT + lines])}, monkeypatch
    )
    (schedule,) = definitions.schedules or []
    assert schedule.cron_schedule == "1 * * * *"


def test_the_command_line_shows_it_first(tmp_path: Path) -> None:
    """Not below the stack of whatever loaded it."""
    file = tmp_path / "defs" / "a" / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("---\n".join([CONNECTION, LAKE, f"{EXPORT}  status: on\n"]))
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dagster",
            "definitions",
            "validate",
            "-m",
            "batch_exports.definitions",
        ],
        env={**os.environ, "BATCH_EXPORTS_DEFS": str(tmp_path / "defs"), "DAGSTER_HOME": str(home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    output = done.stdout + done.stderr
    shown = output[output.index("InvalidComponent: ") :].splitlines()
    assert shown[0] == f"InvalidComponent: {file}:19 - attributes.status"
    assert shown[1].startswith("status: True does not fit")
    assert "errors.pydantic.dev" not in output
