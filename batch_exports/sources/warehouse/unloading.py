"""Answers of a query by UNLOAD: Redshift's slices write Parquet files to S3, all at once.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
"""

import json
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.redshift.stage_area import StageArea, StageFolder
from batch_exports.destinations.s3.objects import open_parquet, parquet_batches
from batch_exports.errors import Terminal
from batch_exports.transform.block import sliced

_DENIED = re.compile(r"Access ?Denied|AllAccessDisabled|Status 403|response error code: 403")
_WRONG_KEYS = re.compile(r"InvalidAccessKey|Signature|Token")
_BATCH_ROWS = 8192
_BATCH_BYTES = 4 * 2**20


def unloaded(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    schema: pa.Schema,
    folder: StageFolder,
    rows: int,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query, of which there are `rows`, in batches of bounded bytes.

    The folder is empty before and after, and no other run's meanwhile. Raises psycopg's errors,
    those of S3 as ours, `Transient` while another run is there, and `Terminal` where the manifest
    tells of another number of rows.
    """
    label = secrets.token_hex(4)
    with folder.held(f"unload-{label}"):
        with _denials(folder):
            connection.execute(_statement(query, f"{folder.uri}{label}/", folder))
        connection.rollback()  # what is read from now on lies on S3
        client, bucket = folder.area.client, folder.area.bucket
        manifest = client.get_object(Bucket=bucket, Key=f"{folder.prefix}{label}/manifest")
        told = json.loads(manifest["Body"].read())
        # https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD_command_examples.html
        if told["meta"]["record_count"] != rows:
            raise Terminal(
                f"UNLOAD wrote {told['meta']['record_count']} rows to {folder.uri}, and {rows} "
                "were there.",
                remedy="Materialize the partition again.",
            )
        for entry in told["entries"]:
            key = entry["url"].removeprefix(f"s3://{bucket}/")
            with open_parquet(client, bucket, key) as file:
                for batch in parquet_batches(file, _BATCH_ROWS):
                    yield from sliced(_typed(batch, schema), _BATCH_BYTES)


@contextmanager
def _denials(folder: StageFolder) -> Generator[None, None, None]:
    """What S3 does not let the cluster do, with the policy that allows it.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html
    """
    try:
        yield
    except psycopg.Error as error:
        said = f"{error.diag.message_primary} {error.diag.message_detail or ''}"
        if not _DENIED.search(said) or _WRONG_KEYS.search(said):
            raise
        raise Terminal(
            f"{folder.uri}: Redshift may not write there: {error.diag.message_primary}.",
            remedy=f"Allow {folder.authorization}: {json.dumps(unload_policy(folder.area))}; where "
            "the bucket is encrypted with a KMS key, kms:GenerateDataKey and kms:Decrypt too.",
        ) from None


def unload_policy(stage: StageArea) -> Mapping[str, Any]:
    """What UNLOAD needs on a stage, as an IAM policy."""
    objects = f"arn:aws:s3:::{stage.bucket}/{stage.key_prefix}*"
    allowed: list[dict[str, Any]] = [
        {"Action": ["s3:PutObject", "s3:GetObject"], "Resource": objects},
        {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{stage.bucket}"},
    ]
    statements = [{"Effect": "Allow", **each} for each in allowed]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(query: sql.Composable, place: str, folder: StageFolder) -> sql.Composed:
    """A query within quotes, in which Redshift reads a backslash as an escape."""
    quoted = query.as_string().replace("\\", "\\\\").replace("'", "''")
    return sql.SQL("UNLOAD ('{}') TO {} {} FORMAT AS PARQUET MANIFEST VERBOSE").format(
        sql.SQL(quoted),
        sql.Literal(place),
        folder.authorization.clause(),
    )


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """JSON, which SUPER is in Parquet, as its text."""
    columns = [_storage(batch.column(field.name)).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _storage(values: pa.Array) -> pa.Array:
    return values.storage if isinstance(values, pa.ExtensionArray) else values
