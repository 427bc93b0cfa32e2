"""Errors from inside a cluster: their code and context stand in the detail of an XX000.

The form is that of reports by users, such as
https://github.com/aws/amazon-redshift-python-driver/issues/107 and
https://github.com/aws/aws-sdk-pandas/issues/280.
"""

from batch_exports.local.redshift.refusal import Refusal

_LINE = "-" * 47


def internal_error(error: str, code: int, context: str = "") -> Refusal:
    """An error with a number of Redshift's own; 8001 is one of S3."""
    detail = (
        f"\n  {_LINE}\n  error:  {error}\n  code:      {code}\n  context:   {context}\n  {_LINE}\n"
    )
    return Refusal("XX000", error, detail)


def scan_error(context: str, code: int = 15007) -> Refusal:
    """An error of the part that reads columnar files; `context` names the file."""
    return internal_error("Spectrum Scan Error", code, context)


def s3_error(message: str, status: int, error: str, context: str = "") -> Refusal:
    """An answer of S3 that is an error, with its HTTP status and its name."""
    return internal_error(
        f"S3ServiceException:{message},Status {status},Error {error}", 8001, context
    )
