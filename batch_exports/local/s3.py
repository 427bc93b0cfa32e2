"""The S3 part: a SeaweedFS server in `<state>/s3`, with one bucket ready to export to."""

from pathlib import Path

from batch_exports.local import seaweedfs
from batch_exports.local.errors import LocalError
from batch_exports.local.status import Status

BUCKET = "batch-exports"


def start(state: Path) -> None:
    """Start the server, unless it runs, and make the bucket. Raises LocalError."""
    client = seaweedfs.start(state / "s3").client()
    if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=BUCKET)


def stop(state: Path) -> None:
    """Stop the server; what was exported stays on disk."""
    seaweedfs.stop(state / "s3")


def status(state: Path) -> Status:
    server = seaweedfs.find(state / "s3")
    if server is None:
        return Status(up=False, text="never started")
    if not seaweedfs.is_running(server):
        return Status(up=False, text=f"not running; its data is in {state / 's3'}")
    return Status(up=True, text=f"{server.endpoint}, bucket {BUCKET}, data in {state / 's3'}")


def environment(state: Path) -> dict[str, str]:
    """Endpoint, credentials and bucket. Raises LocalError when no server was ever started."""
    server = seaweedfs.find(state / "s3")
    if server is None:
        raise LocalError(
            f"no S3 server was ever started in {state}: run `batch-exports local up` first"
        )
    return {
        "BATCH_EXPORTS_LOCAL_S3_ENDPOINT": server.endpoint,
        "BATCH_EXPORTS_LOCAL_S3_ACCESS_KEY_ID": server.admin.access_key_id,
        "BATCH_EXPORTS_LOCAL_S3_SECRET_ACCESS_KEY": server.admin.secret_access_key,
        "BATCH_EXPORTS_LOCAL_S3_BUCKET": BUCKET,
    }
