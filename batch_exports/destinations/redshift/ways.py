"""The way that rows take to a cluster: by COPY of files on S3, or by INSERT, which needs none."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

from batch_exports.destinations.redshift.cluster import most_string_bytes, slices
from batch_exports.destinations.redshift.copy import CopyLoader
from batch_exports.destinations.redshift.insert import InsertLoader, has_backslash_escapes
from batch_exports.destinations.redshift.loading import Loader
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.interval import DataInterval
from batch_exports.transform.capabilities import SuperLimits


@contextmanager
def held(
    area: StageArea | None, export: str, interval: DataInterval, run_id: str
) -> Generator[None, None, None]:
    """Alone in the interval's folder on S3. INSERT has none: there two runs may stage at once, of
    which the second to come to its transaction finds the ledger changed, and is tried again."""
    if area is None:
        yield
        return
    with area.folder(export, interval).held(run_id):
        yield


def choose_loader(
    connection: psycopg.Connection[Any],
    area: StageArea | None,
    export: str,
    interval: DataInterval,
) -> Loader:
    if area is None:
        return InsertLoader(has_backslash_escapes(connection))
    return CopyLoader(area.folder(export, interval), area.files or slices(connection))


def super_limits(connection: psycopg.Connection[Any], loader: Loader) -> SuperLimits:
    """Those of the cluster, as far as documents get there."""
    limits = SuperLimits(string_bytes=most_string_bytes(connection))
    if loader.row_bytes is None:
        return limits
    return replace(limits, document_bytes=min(limits.document_bytes, loader.row_bytes))
