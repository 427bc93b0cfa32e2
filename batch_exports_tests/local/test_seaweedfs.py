"""The server does what exports rely on: it refuses, encrypts, and keeps what it was given."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from batch_exports.local import seaweedfs
from batch_exports.local.errors import LocalError
from batch_exports.local.seaweedfs import Keys, Server

AES256 = {"ServerSideEncryption": "AES256"}
KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/exports"}


@pytest.mark.parametrize("encryption", [{}, AES256, KMS], ids=["none", "AES256", "aws:kms"])
def test_object_comes_back_as_it_was_encrypted(
    s3_server: Server, bucket: str, encryption: dict[str, Any]
) -> None:
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="k", Body=b"value", **encryption)
    head = client.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in encryption} == encryption  # type: ignore[literal-required]
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"value"


@pytest.mark.parametrize("encryption", [AES256, KMS], ids=["AES256", "aws:kms"])
def test_multipart_upload_is_encrypted(
    s3_server: Server, bucket: str, encryption: dict[str, Any]
) -> None:
    client = s3_server.client()
    bodies = [b"a" * 5 * 2**20, b"b"]
    upload = client.create_multipart_upload(Bucket=bucket, Key="k", **encryption)["UploadId"]
    parts = [
        client.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=body)
        for n, body in enumerate(bodies, 1)
    ]
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"PartNumber": n, "ETag": p["ETag"]} for n, p in enumerate(parts, 1)]
        },
    )
    head = client.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in encryption} == encryption  # type: ignore[literal-required]
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)


def test_reader_reads_but_may_not_write(s3_server: Server, bucket: str) -> None:
    s3_server.client().put_object(Bucket=bucket, Key="k", Body=b"value")
    reader = s3_server.client(s3_server.reader)
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"value"
    assert reader.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    for write in (
        lambda: reader.put_object(Bucket=bucket, Key="new", Body=b""),
        lambda: reader.delete_object(Bucket=bucket, Key="k"),
        lambda: reader.create_multipart_upload(Bucket=bucket, Key="new"),
        lambda: reader.create_bucket(Bucket=f"{bucket}-2"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            write()


def test_unknown_key_and_missing_bucket_are_refused(s3_server: Server, bucket: str) -> None:
    stranger = s3_server.client(Keys("NOBODY", s3_server.admin.secret_access_key))
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()
    forger = s3_server.client(Keys(s3_server.admin.access_key_id, "guess"))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        forger.list_buckets()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3_server.client().put_object(Bucket=f"{bucket}-absent", Key="k", Body=b"")


def test_credentials_are_private(tmp_path: Path) -> None:
    try:
        server = seaweedfs.start(tmp_path)
        assert server.process
        command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()
        for secret in (server.admin.secret_access_key, server.encryption_key):
            assert secret not in command
            assert secret not in (tmp_path / "log").read_text()
    finally:
        seaweedfs.stop(tmp_path)
    files = [tmp_path / name for name in ("server.json", "s3.json", "log")]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 3
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_server_that_never_answers_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "weed"
    program.write_text("#!/bin/sh\necho no more room >&2\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(seaweedfs, "_program", lambda: str(program))
    monkeypatch.setattr(seaweedfs, "START_SECONDS", 0.5)
    with pytest.raises(LocalError, match=r"did not answer within 0\.5 s(.|\n)*no more room"):
        seaweedfs.start(tmp_path / "state")


def test_state_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{}")
    with pytest.raises(LocalError, match=r"server\.json.*Remove"):
        seaweedfs.find(tmp_path)
