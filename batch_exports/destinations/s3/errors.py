"""What S3's errors mean to the user: act, or let it be tried again."""

from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from batch_exports.errors import BatchExportError, Terminal, Transient

# Codes of S3's that no retry cures, each with what the user can do.
_TERMINAL = {
    "NoSuchBucket": "Create the bucket, or correct bucket_name.",
    "InvalidAccessKeyId": "Correct the connection's aws_access_key_id.",
    "InvalidClientTokenId": "Correct the connection's aws_access_key_id.",
    "SignatureDoesNotMatch": "Correct the connection's aws_secret_access_key.",
    "AccessDenied": "Allow these actions on the bucket and the prefix: s3:ListBucket, "
    "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, "
    "s3:ListBucketMultipartUploads.",
    "AllAccessDisabled": "Ask AWS support: the account's access to S3 is disabled.",
    "ExpiredToken": "Renew the credentials; with role_arn they renew themselves.",
    "InvalidToken": "Renew the credentials; with role_arn they renew themselves.",
    "AuthorizationHeaderMalformed": "Set the connection's region to the bucket's.",
    "PermanentRedirect": "Set the connection's region to the bucket's.",
    "IllegalLocationConstraintException": "Set the connection's region to the bucket's.",
    "IncorrectEndpoint": "Set the connection's region to the bucket's.",
    "301": "Set the connection's region to the bucket's.",
    "InvalidBucketName": "Correct bucket_name.",
    "InvalidArgument": "Check encryption, kms_key_id and the endpoint's own limits.",
    "InvalidEncryptionAlgorithmError": "Use an encryption that the endpoint offers.",
    "NotImplemented": "The endpoint lacks this: leave encryption out, or use another endpoint.",
    "KMS.NotFoundException": "Correct kms_key_id: the key is not in this account and region.",
    "KMS.DisabledException": "Enable the KMS key.",
    "KMS.InvalidStateException": "The KMS key is pending deletion: choose another.",
    "MalformedPolicyDocument": "Correct the role's policy.",
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "MethodNotAllowed": "The endpoint lacks this operation: use another.",
    "NoSuchKey": "It was deleted after its delivery: materialize the partition again.",
    "InvalidRange": "It was emptied after its delivery: materialize the partition again.",
    "403": "Check the connection's keys, and that they may list the bucket.",
    "404": "Check that the bucket exists.",
}

# Broken lines and overload: the same request may succeed later.
_TRANSIENT = (
    ConnectTimeoutError,
    EndpointConnectionError,
    ResponseStreamingError,
)


_OVERLOADED = ("SlowDown", "InternalError", "RequestTimeout", "Throttling")
# Of a role that is to be assumed, these are about the keys to do so with.
_OF_KEYS = ("InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
_RETRY = "It is tried again."


@contextmanager
def s3_errors(where: str) -> Generator[None, None, None]:
    """Raise botocore's errors as ours, with the place and the remedy, and never a credential."""
    try:
        yield
    except ClientError as error:
        raise _translate(error, where) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Terminal(
            f"There are no AWS credentials for {where}.",
            remedy="Give the connection keys or role_arn, or provide AWS's default chain.",
        ) from error
    except HTTPClientError as error:
        if isinstance(error.kwargs.get("error"), ValueError):
            # Its text, and that of its cause, would show the request's headers.
            raise Terminal(
                f"No request can be made to {where} out of the connection's settings.",
                remedy="Check endpoint_url, and remove line breaks and other control characters "
                "from aws_access_key_id, aws_secret_access_key and aws_session_token.",
            ) from None
        raise Transient(f"{where} does not answer: {error}.", remedy=_RETRY) from error
    except _TRANSIENT as error:
        raise Transient(f"{where} does not answer: {error}.", remedy=_RETRY) from error
    except BotoCoreError as error:
        raise Terminal(f"{where}: {error}.", remedy="Check the connection's settings.") from error


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _translate(error: ClientError, where: str) -> BatchExportError:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message") or code
    text = f"{where}: {error.operation_name} was refused with {code} ({message})."
    if status in (429, 500, 502, 503, 504) or code in _OVERLOADED:
        return Transient(text, remedy=_RETRY)
    if error.operation_name == "AssumeRole" and code not in _OF_KEYS:
        return Terminal(text, remedy="Check role_arn, external_id and the role's trust policy.")
    if code in _TERMINAL:
        return Terminal(text, remedy=_TERMINAL[code])
    if status == 403:
        return Terminal(text, remedy=_TERMINAL["AccessDenied"])
    if code == "NoSuchUpload":
        return Transient(text, remedy="The upload was aborted by others; it is tried again.")
    return Terminal(text, remedy="See the endpoint's documentation of this error.")
