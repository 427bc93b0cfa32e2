"""What Redshift says in words alone: most of its own errors share the SQLSTATE XX000."""

import re
from dataclasses import dataclass

from batch_exports.errors import BatchExportError, Terminal, Transient


@dataclass(frozen=True)
class Meaning:
    """Whether to act and how. The remedy of what may pass by itself is what to do if it stays."""

    kind: type[Terminal] | type[Transient]
    remedy: str

    def error(self, text: str) -> BatchExportError:
        if self.kind is Transient:
            return Transient(text, remedy=f"It is tried again. If it stays, {self.remedy}")
        return self.kind(text, remedy=self.remedy)


# By its words, in the order in which they are tried. What stands there is of AWS's documentation
# where a URL is given, of reports by users elsewhere.
_MEANINGS = (
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html
        # https://repost.aws/knowledge-center/redshift-serializable-isolation
        r"^1023\b|serializable isolation violation",
        Transient,
        "let no other program change the table while it is exported to, or let an administrator "
        "run: ALTER DATABASE ... ISOLATION LEVEL SNAPSHOT;",
    ),
    (
        r"^1018\b|could not open relation|deadlock detected|concurrent transaction",
        Transient,
        "let no other program drop or replace the table while it is exported to.",
    ),
    (
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
        r"SlowDown|Status 5\d\d|response error code: 5\d\d|InternalError,|RequestTimeout\b"
        r"|Retries exceeded|[Cc]url(Code| error)|[Tt]hrottl",
        Transient,
        "stage fewer files, or let fewer runs at once use the connection: S3 is overloaded.",
    ),
    (
        r"NoSuchBucket|specified bucket does not exist",
        Terminal,
        "Create the bucket, or correct the stage's bucket_name.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
        r"PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed|Status 301"
        r"|must be addressed using the specified endpoint|different region|IncorrectEndpoint",
        Terminal,
        "Stage in a bucket of the cluster's own region: COPY reads Parquet from no other.",
    ),
    (
        r"ExpiredToken|token has expired|token included in the request is expired",
        Transient,
        "renew the connection's keys; those of its role_arn renew themselves.",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId"
        r"|token is malformed",
        Terminal,
        "Correct the keys of the connection that the export's authorization names; a session token "
        "belongs to its own keys.",
    ),
    (
        # https://github.com/databricks/spark-redshift/issues/111
        r"NoSuchKey|specified (S3 prefix .*|key) does not exist|File not found|Status 404"
        r"|Mandatory url is not present",
        Transient,
        "let nothing else delete what lies under the stage's key_prefix, such as a rule of the "
        "bucket's lifecycle.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
        r"incompatible Parquet schema|declared column type|columns? mismatch"
        r"|[Uu]nmatched number of columns|SERIALIZETOJSON",
        Terminal,
        "Let the column have the documented type, or leave it out of the export's columns.",
    ),
    (
        r"longer than the length defined in the table|String length exceeds DDL length",
        Terminal,
        "Make the column wider, by ALTER TABLE ... ALTER COLUMN ... TYPE varchar(...): its length "
        "is in bytes, and 65535 the most.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
        r"exceeds the max(imum)? size|exceeds the maximum .*SUPER|StringLimitExceeded",
        Terminal,
        "A SUPER value holds no text of more than 65,535 bytes: set on_unrepresentable: reject, "
        "or let an administrator allow large strings for the account.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
        r"[Ss]tatement is too large|StatementTooLarge",
        Terminal,
        "Use mode: COPY: a statement has 16 MB at most.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/r_SYS_LOAD_ERROR_DETAIL.html
        r"Load into table .* failed",
        Terminal,
        "See sys_load_error_detail at the server: file, column and reason stand there.",
    ),
    (
        r"Cannot COPY into nonexistent table",
        Terminal,
        "Create the table, or correct the export's schema and table.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/dg/cm-c-wlm-query-monitoring-rules.html
        r"WLM|[Qq]uery [Mm]onitoring [Rr]ule|Maximum query time",
        Terminal,
        "Change the rule or the limit of the queue, let the exports have one of their own (query "
        "group batch_exports*), or export smaller intervals.",
    ),
    (
        # https://repost.aws/knowledge-center/redshift-high-disk-usage
        r"[Dd]isk [Ff]ull",
        Terminal,
        "Drop what is not needed and run VACUUM, or let the cluster have more nodes; then "
        "materialize the partition.",
    ),
    (
        # https://docs.aws.amazon.com/redshift/latest/mgmt/amazon-redshift-limits.html
        r"connection limit|too many (connections|clients)",
        Transient,
        "let fewer runs at once use the connection, or raise the limit of the user or database.",
    ),
    (
        r"out of memory|[Ii]nsufficient memory",
        Transient,
        "let fewer runs at once use the connection, or let its queue have more memory.",
    ),
)


def meaning(said: str) -> Meaning | None:
    """What the server's message and detail mean; None where its SQLSTATE says more."""
    for pattern, kind, remedy in _MEANINGS:
        if re.search(pattern, said):
            return Meaning(kind, remedy)
    return None
