"""Which files a COPY loads: those that its manifest lists, or all under a prefix.

https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from batch_exports.local.redshift.copy_statement import Copy, s3_location
from batch_exports.local.redshift.internal_errors import internal_error, scan_error
from batch_exports.local.redshift.objects import Objects
from batch_exports.local.redshift.refusal import Refusal


@dataclass(frozen=True)
class File:
    """A file to load; `length` is what the manifest says of its bytes."""

    bucket: str
    key: str
    length: int | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def files_to_load(copy: Copy, objects: Objects) -> list[File]:
    """The files of a COPY in the order in which they are loaded, each as often as it is listed.

    Raises Refusal where a manifest is none, a mandatory file is not there, or nothing is.
    """
    if copy.manifest:
        listed = _listed(copy, objects)
        found = [file for entry in listed if (file := _present(entry, copy, objects))]
        if not found:
            raise internal_error(f"No files of the manifest {_uri(copy)} were found.", 8001)
        return found
    # A manifest that lies under the prefix is taken for a file like any other.
    found = [File(copy.bucket, key) for key in objects.keys(copy.bucket, copy.key)]
    if not found:
        raise internal_error(f"The specified S3 prefix '{copy.key}' does not exist", 8001)
    return found


def _uri(copy: Copy) -> str:
    return f"s3://{copy.bucket}/{copy.key}"


def _listed(copy: Copy, objects: Objects) -> list[Any]:
    try:
        text = objects.read(copy.bucket, copy.key)
    except Refusal as error:
        message = f"Problem reading manifest file - {error.message}"
        raise replace(error, message=message) from error
    try:
        entries = json.loads(text)["entries"]
        if not all(isinstance(entry["url"], str) for entry in entries):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        message = "Manifest file is not in correct json format"
        raise internal_error(message, 8001, f"Manifest file={_uri(copy)}") from error
    return list(entries)


def _present(entry: Any, copy: Copy, objects: Objects) -> File | None:
    bucket, key = s3_location(entry["url"])
    length = _length(entry) if copy.json is None else None
    if objects.size(bucket, key) is None:
        if entry.get("mandatory", False):
            message = f"Mandatory url is not present in manifest file: {entry['url']}"
            raise internal_error(message, 8001, f"Manifest file={_uri(copy)}")
        return None
    return File(bucket, key, length)


def _length(entry: Any) -> int:
    if not isinstance(entry.get("meta"), dict):
        raise internal_error("File entry does not have 'meta' key.", 15003, entry["url"])
    length = entry["meta"].get("content_length")
    if not isinstance(length, int) or isinstance(length, bool):
        message = "File 'meta' entry does not have 'content_length' key."
        raise internal_error(message, 15003, entry["url"])
    return length


def check_length(file: File, content: bytes) -> None:
    """A columnar file is read by the length that the manifest says: its end is found by it.

    Raises Refusal where that is not the file's. Too large a one was met by
    https://github.com/awslabs/aws-lambda-redshift-loader/issues/223.
    """
    if file.length is None or file.length == len(content):
        return
    if file.length > len(content):
        raise scan_error(
            "HTTP response error code: 416 Message: InvalidRange The requested range is not "
            f"satisfiable, File name: {file.uri}",
            15001,
        )
    raise scan_error(f"File '{file.uri}' has an invalid version number or is corrupt.", 15001)
