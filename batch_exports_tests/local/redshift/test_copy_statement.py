"""COPY statements: what is taken, and what is refused, with the page of AWS that says so."""

from typing import Any

import pytest

from batch_exports.local.redshift.authorization import AccessKeys, Role
from batch_exports.local.redshift.copy_statement import Copy, parse_copy
from batch_exports.local.redshift.refusal import Refusal

DOCS = "https://docs.aws.amazon.com/redshift/latest/dg/"
ARN = "arn:aws:iam::123456789012:role/loader"
ROLE = f"IAM_ROLE '{ARN}'"
KEYS = AccessKeys("AKIA", "secret")


def parsed(options: str, target: str = "events", source: str = "s3://b/key") -> Copy:
    return parse_copy(f"COPY {target} FROM '{source}' {options}")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ROLE, Role(ARN)),
        ("iam_role default", Role(None)),
        (f"CREDENTIALS 'aws_iam_role={ARN}'", Role(ARN)),
        (f"WITH CREDENTIALS AS 'aws_iam_role={ARN}'", Role(ARN)),
        ("credentials 'aws_access_key_id=AKIA;aws_secret_access_key=secret'", KEYS),
        (
            "CREDENTIALS 'aws_access_key_id=AKIA;aws_secret_access_key=se=cret;token=t'",
            AccessKeys("AKIA", "se=cret", "t"),
        ),
        ("ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY 'secret'", KEYS),
        (
            "ACCESS_KEY_ID AS 'AKIA'\nSECRET_ACCESS_KEY AS 'secret' SESSION_TOKEN AS 't'",
            AccessKeys("AKIA", "secret", "t"),
        ),
    ],
)
def test_authorization(options: str, expected: Role | AccessKeys) -> None:
    """copy-parameters-authorization.html"""
    assert parsed(f"{options} FORMAT JSON").authorization == expected
    assert parsed(f"FORMAT JSON {options};").authorization == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("PARQUET", {}),
        ("FORMAT PARQUET", {}),
        ("FORMAT AS PARQUET SERIALIZETOJSON", {"serialize_to_json": True}),
        ("manifest STATUPDATE OFF format as parquet", {"manifest": True}),
        ("FORMAT AS PARQUET ACCEPTINVCHARS AS '^'", {"replacement": "^"}),
        ("JSON", {"json": "auto"}),
        ("FORMAT JSON 'auto ignorecase'", {"json": "auto ignorecase"}),
        ("JSON AS 'noshred' ZSTD", {"json": "noshred", "compression": "zstd"}),
        ("GZIP REGION AS 'eu-west-1' JSON 'auto'", {"compression": "gzip", "region": "eu-west-1"}),
        (
            "JSON 'auto' TIMEFORMAT 'epochmillisecs' DATEFORMAT AS 'auto' MAXERROR AS 7",
            {"time_format": "epochmillisecs", "date_format": "auto", "max_errors": 7},
        ),
        (
            "JSON TRUNCATECOLUMNS EMPTYASNULL BLANKSASNULL ACCEPTINVCHARS NOLOAD",
            {
                **{"truncate": True, "empty_as_null": True, "blanks_as_null": True},
                **{"replacement": "?", "no_load": True},
            },
        ),
        ("JSON COMPUPDATE OFF STATUPDATE ON", {"json": "auto"}),
        ("JSON COMPUPDATE PRESET STATUPDATE /* none */ -- at all", {"json": "auto"}),
    ],
)
def test_options(options: str, expected: dict[str, Any]) -> None:
    """r_COPY.html: parameters come in any order, FORMAT and AS may be left out."""
    copy = parsed(f"{options}\n{ROLE}")
    assert {name: getattr(copy, name) for name in expected} == expected
    assert (copy.json is None) == ("PARQUET" in options.upper())


@pytest.mark.parametrize(
    ("target", "table", "columns"),
    [
        ("events", "events", None),
        ("exports.events", "exports.events", None),
        ('"exports"."Events" (id, "Event", "a""b")', '"exports"."Events"', ("id", "event", 'a"b')),
    ],
)
def test_target(target: str, table: str, columns: tuple[str, ...] | None) -> None:
    """r_names.html: names are folded to lower case, even quoted ones."""
    copy = parsed(f"{ROLE} PARQUET", target)
    assert (copy.table, copy.columns, copy.table_name) == (table, columns, "events")


def test_source() -> None:
    copy = parsed(f"{ROLE} PARQUET", source="s3://a-bucket/it''s/a prefix")
    assert (copy.bucket, copy.key) == ("a-bucket", "it's/a prefix")


COLUMNAR = "copy-usage_notes-copy-from-columnar.html"


@pytest.mark.parametrize(
    ("options", "message", "page"),
    [
        *(
            (f"PARQUET {option}", f"{option.split()[0]} argument is not supported for", COLUMNAR)
            for option in (
                *("GZIP", "ZSTD", "MAXERROR 1", "REGION 'us-east-1'", "TIMEFORMAT 'auto'"),
                *("DATEFORMAT 'auto'", "NOLOAD", "TRUNCATECOLUMNS", "EMPTYASNULL"),
                *("BLANKSASNULL", "COMPUPDATE OFF"),
            )
        ),
        ("JSON SERIALIZETOJSON", "columnar", "copy-parameters-data-format.html"),
        ("JSON MAXERROR 100001", "between 0 and 100000", "copy-parameters-data-load.html"),
        ("JSON ACCEPTINVCHARS 'ab'", "one ASCII", "copy-parameters-data-conversion.html"),
        ("PARQUET MAKEITSO", 'near "MAKEITSO"', "r_COPY.html"),
        ("FORMAT AS PARQUETT", 'near "PARQUETT"', "r_COPY.html"),
        ("PARQUET PARQUET", "conflicting", "r_COPY.html"),
        ("PARQUET FORMAT", "end of input", "r_COPY.html"),
        ("PARQUET CREDENTIALS 'x=1'", "credentials", "copy-parameters-authorization.html"),
        ("CSV", "CSV is not covered", "copy-parameters-data-format.html"),
        ("JSON 's3://b/paths'", "JSONPaths is not covered", "copy-parameters-data-format.html"),
        ("", "delimited text is not covered", "copy-parameters-data-format.html"),
    ],
)  # fmt: skip
def test_refused(options: str, message: str, page: str) -> None:
    with pytest.raises(Refusal, match=message) as raised:
        parsed(f"{ROLE} {options}")
    assert raised.value.code in ("0A000", "42601", "XX000"), DOCS + page


@pytest.mark.parametrize("key", ["", "folder/"])
def test_a_manifest_is_named_in_full(key: str) -> None:
    """r_Load_Error_Reference.html, 8001"""
    with pytest.raises(Refusal, match="requires full path") as raised:
        parsed(f"{ROLE} MANIFEST PARQUET", source=f"s3://b/{key}")
    assert "8001" in (raised.value.detail or "")


@pytest.mark.parametrize(
    "statement",
    [
        "COPY t FROM 's3://b/k' PARQUET",
        "COPY t FROM STDIN",
        "COPY t TO 's3://b/k'",
        "COPY FROM 's3://b/k' PARQUET",
        "COPY t (a, FROM 's3://b/k' PARQUET",
        "COPY t FROM 'dynamodb://b' PARQUET",
        "COPY t FROM 's3://b/k' IAM_ROLE PARQUET",
        "COPY t FROM 's3://b/k' IAM_ROLE 'hush' PARQUET",
    ],
)
def test_incomplete(statement: str) -> None:
    """r_COPY.html: a table, a source, an authorization."""
    with pytest.raises(Refusal):
        parse_copy(statement)


@pytest.mark.parametrize(
    "options",
    [
        "ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY 'hush' 'more'",
        "ACCESS_KEY_ID 'AKIA' 'hush'",
        "CREDENTIALS 'aws_access_key_id=AKIA;aws_secret=hush'",
        "ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY 'hush' PARQUET GZIP",
    ],
)
def test_errors_hold_no_secrets(options: str) -> None:
    with pytest.raises(Refusal) as raised:
        parsed(options)
    assert "hush" not in f"{raised.value!r}{raised.value}"
    assert "hush" not in repr(AccessKeys("AKIA", "hush", "hush"))
