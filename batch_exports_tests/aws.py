"""An account of AWS, played by moto: SeaweedFS knows no policies, and has no regions."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

USER = "exporter"


@dataclass(frozen=True)
class Aws:
    """An account with a user whose rights are set at will; `user` and `root` are what clients
    take."""

    endpoint: str
    user: dict[str, Any]
    root: dict[str, Any]

    def allow(self, policy: Mapping[str, Any], user: str = USER) -> None:
        boto3.client("iam", **self.root).put_user_policy(
            UserName=user, PolicyName="documented", PolicyDocument=json.dumps(policy)
        )

    def other_user(self, name: str) -> tuple[str, str]:
        """The keys of another user."""
        return _keys(boto3.client("iam", **self.root), name)

    def enforce(self) -> None:
        """From now on moto looks at signatures and policies."""
        self._command("reset-auth", "0")

    def relax(self) -> None:
        """From now on it does not, and `root` may do everything."""
        self._command("reset-auth", "1000000")

    def forget(self) -> None:
        """moto's state is the process's, and would outlive the server."""
        self.relax()
        self._command("reset", "")

    def _command(self, name: str, body: str) -> None:
        plain = {"Content-Type": "text/plain"}
        urlopen(Request(f"{self.endpoint}/moto-api/{name}", body.encode(), plain)).close()


@contextmanager
def account(bucket: str) -> Iterator[Aws]:
    """An account with that bucket, gone in the end."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    reach = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    root = {**reach, "aws_access_key_id": "root", "aws_secret_access_key": "root"}
    boto3.client("s3", **root).create_bucket(Bucket=bucket)
    key, secret = _keys(boto3.client("iam", **root), USER)
    user = {**reach, "aws_access_key_id": key, "aws_secret_access_key": secret}
    aws = Aws(reach["endpoint_url"], user, root)
    try:
        yield aws
    finally:
        aws.forget()
        server.stop()


def _keys(iam: Any, name: str) -> tuple[str, str]:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
