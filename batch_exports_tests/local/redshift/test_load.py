"""COPY from S3: rights, files, manifests, and what becomes of errors."""

import gzip
import json
from contextlib import closing
from dataclasses import replace
from socket import socket
from typing import Any

import pytest

from batch_exports.local.redshift.copy_statement import parse_copy
from batch_exports.local.redshift.load import LoadedFile, LoadError, load
from batch_exports.local.redshift.refusal import Refusal
from batch_exports_tests.local.redshift.copying import ROLE, Copying, columns, drained, parquet

ID = columns(id="int8")
JSON = "FORMAT JSON 'auto'"


def ids(*numbers: int) -> bytes:
    return parquet({"id": list(numbers)})


def refused(loading: Any, message: str) -> Refusal:
    with pytest.raises(Refusal, match=message) as raised:
        drained(loading())
    return raised.value


def test_a_prefix_means_all_that_begins_with_it(copying: Copying) -> None:
    """copy-parameters-data-source-s3.html#copy-s3-objectpath"""
    for number, key in enumerate(["data", "data.bak", "data/a/b", "data_1", "other"]):
        copying.put(key, json.dumps({"id": number}))
    loading = copying.begin(ID, JSON, source="data")
    assert copying.landed(loading, ID) == [("0",), ("1",), ("2",), ("3",)]
    keys = ["data", "data.bak", "data/a/b", "data_1"]
    assert loading.files == [LoadedFile(copying.uri(key), 1) for key in keys]


def test_a_manifest_under_the_prefix_is_taken_for_data(copying: Copying) -> None:
    """copy-parameters-data-source-s3.html: without MANIFEST it is a file like any other."""
    copying.put("data/1.json", '{"id": 1}')
    copying.put_manifest(copying.entry("data/1.json"), key="data/manifest")
    assert copying.rows(ID, JSON) == [("1",), (None,)]
    copying.put("data/1.json", ids(1))
    refusal = refused(lambda: copying.begin(ID, "PARQUET"), "Spectrum Scan Error")
    assert "data/manifest" in str(refusal.detail)


def test_nothing_under_the_prefix(copying: Copying) -> None:
    refused(lambda: copying.begin(ID, JSON, source="none/"), "S3 prefix '.*/none/' does not exist")


def test_manifest(copying: Copying, bucket: str) -> None:
    """loading-data-files-using-manifest.html: any bucket, twice if listed twice, and what is
    neither there nor mandatory is passed over."""
    first, second = ids(1, 2), ids(3)
    copying.put("data/1", first)
    copying.client.put_object(Bucket=bucket, Key="2", Body=second)
    elsewhere = {"url": f"s3://{bucket}/2", "meta": {"content_length": len(second)}}
    copying.put_manifest(
        copying.entry("data/1", len(first), mandatory=True),
        elsewhere,
        copying.entry("data/absent", 10),
        copying.entry("data/1", len(first)),
    )
    loading = copying.begin(ID, "MANIFEST PARQUET", source="manifest")
    assert copying.landed(loading, ID) == [("1",), ("2",), ("3",), ("1",), ("2",)]
    assert [file.rows for file in loading.files] == [2, 1, 2]


def test_a_manifest_for_json_needs_no_meta(copying: Copying) -> None:
    """loading-data-files-using-manifest.html: only columnar formats need it."""
    copying.put("data/1", '{"id": 1}')
    copying.put_manifest(copying.entry("data/1"))
    assert copying.rows(ID, f"MANIFEST {JSON}", source="manifest") == [("1",)]


@pytest.mark.parametrize(
    ("entry", "message", "detail"),
    [
        ({"mandatory": True}, "Mandatory url is not present", "8001"),
        ({}, "No files of the manifest", "8001"),
        ({"key": "data/1", "length": None}, "does not have 'meta' key", "15003"),
        ({"key": "data/1", "length": None, "meta": {}}, "'content_length' key", "15003"),
        ({"key": "data/1", "length": 10**6}, "Spectrum Scan Error", "error code: 416"),
        ({"key": "data/1", "length": 50}, "Spectrum Scan Error", "15001"),
    ],
)
def test_wrong_entries(copying: Copying, entry: dict[str, Any], message: str, detail: str) -> None:
    """loading-data-files-using-manifest.html; what lengths do was met in
    https://github.com/awslabs/aws-lambda-redshift-loader/issues/223 and pull request 221."""
    copying.put("data/1", ids(1))
    named: dict[str, Any] = {"key": "data/absent", "length": 10, **entry}
    copying.put_manifest(copying.entry(**named))
    refusal = refused(lambda: copying.begin(ID, "MANIFEST PARQUET", source="manifest"), message)
    assert refusal.code == "XX000"
    assert detail in str(refusal.detail)


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', '{"entries": [{"path": "x"}]}'])
def test_what_is_no_manifest(copying: Copying, text: str) -> None:
    """copy-parameters-data-source-s3.html#copy-manifest: COPY fails."""
    copying.put("manifest", text)
    loading = lambda: copying.begin(ID, f"MANIFEST {JSON}", source="manifest")  # noqa: E731
    refused(loading, "not in correct json format")
    copying.client.delete_object(Bucket=copying.bucket, Key=copying.key("manifest"))
    refused(loading, "Problem reading manifest file - S3ServiceException:.*,Status 404")


def test_rights_are_those_of_the_statement(copying: Copying) -> None:
    """copy-parameters-authorization.html"""
    copying.put("data/1", '{"id": 1}')
    reader = copying.server.reader
    key, secret = reader.access_key_id, reader.secret_access_key
    for rights in (
        f"IAM_ROLE '{ROLE}'",
        f"ACCESS_KEY_ID '{key}' SECRET_ACCESS_KEY '{secret}'",
        f"CREDENTIALS 'aws_access_key_id={key};aws_secret_access_key={secret}'",
    ):
        assert copying.rows(ID, f"{rights} {JSON}") == [("1",)]


@pytest.mark.parametrize(
    ("rights", "message"),
    [
        ("ACCESS_KEY_ID '{key}' SECRET_ACCESS_KEY 'wrong'", ",Status 403,Error SignatureDoesNot"),
        ("ACCESS_KEY_ID 'nobody' SECRET_ACCESS_KEY '{secret}'", ",Status 403,Error InvalidAccess"),
        ("IAM_ROLE 'arn:aws:iam::123456789012:role/other'", "not authorized to assume IAM Role"),
    ],
)
def test_wrong_rights(copying: Copying, rights: str, message: str) -> None:
    keys = copying.server.reader
    given = rights.format(key=keys.access_key_id, secret=keys.secret_access_key)
    refusal = refused(lambda: copying.begin(ID, f"{given} {JSON}"), message)
    assert refusal.code == "XX000"
    assert keys.secret_access_key not in repr(refusal)


def test_no_bucket_and_another_region(copying: Copying) -> None:
    """copy-parameters-data-source-s3.html#copy-region"""
    refused(lambda: copying.begin(ID, f"{JSON} REGION 'eu-west-1'"), "Status 301")
    storage = copying.storage
    object.__setattr__(copying, "bucket", "no-such-bucket")
    refused(
        lambda: copying.begin(ID, f"{JSON} REGION 'us-east-1'"), "Status 404,Error NoSuchBucket"
    )
    assert "secret" not in repr(storage)


def test_a_store_out_of_reach(copying: Copying) -> None:
    with closing(socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    copy = parse_copy("COPY t FROM 's3://b/k' IAM_ROLE default JSON")
    away = replace(copying.storage, endpoint_url=endpoint)
    refusal = refused(lambda: load(copy, ID, away), "S3CurlException: Could not connect")
    assert refusal.code == "XX000"


def test_columns_by_name(copying: Copying) -> None:
    """copy-parameters-column-mapping.html: of a list, in its order; the others are left out."""
    target = columns(id="int8", name="varchar(9)", at="timestamp")
    copying.put("data/1", parquet({"x": ["a"], "y": [1]}))
    listed = [target[1], target[0]]
    loading = copying.begin(target, "PARQUET", listed="(Name, id)")
    assert copying.landed(loading, listed) == [("a", "1")]
    refused(lambda: copying.begin(target, "PARQUET", listed="(nam)"), '"nam" of relation "t"')


BAD_LINES = "\n".join(
    ['{"id": 1}', '{"id": "x"}', "", '{"id": 3', '{"id": 4}', "[5]", '{"id": 99999999999999999999}']
)


def test_load_errors_up_to_maxerror(copying: Copying) -> None:
    """copy-parameters-data-load.html#copy-maxerror: the load fails with as many errors, or more.

    Codes are those of r_Load_Error_Reference.html.
    """
    copying.put("data/1", BAD_LINES)
    loading = copying.begin(ID, f"{JSON} MAXERROR 5")
    assert copying.landed(loading, ID) == [("1",), ("4",)]
    assert [(e.line, e.column, e.code) for e in loading.errors] == [
        *((2, "id", 1207), (4, "", 1224), (6, "", 1216), (7, "id", 1222)),
    ]
    assert loading.errors[0] == LoadError(
        *(copying.uri("data/1"), 2, "id", "int8", "", '"x"', 1207),
        "Invalid digit, Type: Integer",
    )


@pytest.mark.parametrize("limit", ["", "MAXERROR 0", "MAXERROR 1", "MAXERROR 4"])
def test_load_errors_beyond_maxerror(copying: Copying, limit: str) -> None:
    copying.put("data/1", BAD_LINES)
    loading = copying.begin(ID, f"{JSON} {limit}")
    refused(lambda: loading, "Load into table 't' failed.  Check 'stl_load_errors' system table")
    assert loading.errors


def test_noload_reads_and_loads_nothing(copying: Copying) -> None:
    """copy-parameters-data-load.html#copy-noload"""
    copying.put("data/1", '{"id": 1}')
    assert copying.rows(ID, f"{JSON} NOLOAD") == []
    copying.put("data/2", '{"id": "x"}')
    refused(lambda: copying.begin(ID, f"{JSON} NOLOAD"), "Load into table 't' failed")


def test_rows_come_in_bounded_chunks(copying: Copying) -> None:
    line = json.dumps({"id": 1, "document": {"text": ["x" * 1000] * 60}})
    copying.put("data/1", gzip.compress("\n".join([line] * 500).encode()))
    target = columns(id="int8", document="super")
    sizes = [len(chunk) for chunk in copying.begin(target, f"{JSON} GZIP").chunks()]
    assert len(sizes) > 8
    assert max(sizes) < 8 * 2**20
