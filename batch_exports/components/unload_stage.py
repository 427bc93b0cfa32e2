"""Where UNLOAD puts a warehouse's rows on their way to an export."""

from typing import Any

import dagster as dg

from batch_exports.components.redshift_connection import RedshiftConnection
from batch_exports.components.redshift_stage import (
    AuthorizationModel,
    StageModel,
    authorized,
    check_lent_keys,
)
from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.errors import ConfigurationError


def check_unload_stage(stage: StageModel, authorization: AuthorizationModel | None) -> None:
    """What can be known to be wrong of it alone. Raises `ConfigurationError`."""
    stage.check()
    if stage.files is not None:
        raise ConfigurationError(
            "stage.files",
            f"{stage.files} is of no use: UNLOAD writes as many as the cluster has slices.",
            remedy="Leave it out.",
        )
    if authorization is not None:
        authorization.check()


def check_unload_references(
    context: dg.ComponentLoadContext,
    stage: StageModel,
    authorization: AuthorizationModel | None,
    cluster: RedshiftConnection,
) -> None:
    """Raises `ConfigurationError` for connections that are not there, or do not fit.

    UNLOAD writes to its own region alone, unless told of another.
    https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
    """
    written = find(context, S3Connection, "stage.connection", stage.connection)
    if written.region and cluster.region and written.region != cluster.region:
        raise ConfigurationError(
            "stage.connection",
            f"{stage.connection} is in {written.region}, the cluster in {cluster.region}.",
            remedy=f"Give a bucket in {cluster.region}.",
        )
    check_lent_keys(authorization, written)
    find(context, S3Connection, "authorization.connection", keys_of(stage, authorization))


def keys_of(stage: StageModel, authorization: AuthorizationModel | None) -> str:
    """The S3Connection whose keys the cluster gets, unless it has a role."""
    return (authorization and authorization.connection) or stage.connection


def stage_area(
    stage: StageModel, authorization: AuthorizationModel | None, resources: Any
) -> StageArea:
    """The stage as runs use it, out of their resources."""
    connection: S3ConnectionResource = getattr(resources, stage.connection)
    own = keys_of(stage, authorization)
    keys: S3ConnectionResource = getattr(resources, own)
    return StageArea(
        client=connection.client(),
        bucket=stage.bucket_name,
        key_prefix=stage.folder,
        authorization=authorized(authorization, own, keys),
    )
