"""The proxy before S3, with a client that retries."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from batch_exports_tests.faults import FaultProxy, HttpFault, TcpFault

MIB = 2**20
TIMEOUT = 0.5


@pytest.fixture(scope="module")
def s3_port() -> Iterator[int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    server.stop()


@pytest.fixture
def s3_proxy(s3_port: int) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", s3_port)) as proxy:
        yield proxy


@pytest.fixture
def s3(s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # Between attempts boto3 waits by chance, up to seconds, which is not what we test.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_proxy.endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            read_timeout=TIMEOUT,
            connect_timeout=TIMEOUT,  # in truth also the one for a request that is being sent
            s3={"addressing_style": "path"},
        ),
    )
    s3.create_bucket(Bucket="bucket")
    yield s3
    s3.close()


def puts(proxy: FaultProxy) -> int:
    return sum(request.startswith("PUT /bucket/key") for request in proxy.requests)


def size(s3: Any) -> int:
    return int(s3.head_object(Bucket="bucket", Key="key")["ContentLength"])


def test_s3_slows_down_twice_and_then_works(s3_proxy: FaultProxy, s3: Any) -> None:
    slow_down = s3_proxy.add(HttpFault(request="^PUT /bucket/key", times=2))
    s3.put_object(Bucket="bucket", Key="key", Body=b"x" * MIB)
    assert slow_down.hits == 2
    assert puts(s3_proxy) == 3
    assert size(s3) == MIB


def test_s3_upload_is_reset_midway_and_retried(s3_proxy: FaultProxy, s3: Any) -> None:
    reset = s3_proxy.add(TcpFault(direction="up", after=MIB, do="reset"))
    s3.put_object(Bucket="bucket", Key="key", Body=b"y" * (8 * MIB))
    assert reset.hits == 1
    assert puts(s3_proxy) == 2
    assert size(s3) == 8 * MIB


def test_s3_acts_and_its_answer_is_lost(s3_proxy: FaultProxy, s3: Any) -> None:
    lost = s3_proxy.add(HttpFault(request="^PUT /bucket/once", do="reset", forward=True))
    # The retry finds what the first attempt wrote: only with the object there is this a 412.
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key="once", Body=b"z", IfNoneMatch="*")
    assert lost.hits == 1


@pytest.mark.parametrize("length", [1, 8 * MIB], ids=["before the answer", "amid the body"])
def test_s3_hangs_and_the_client_tries_again_in_time(
    length: int, s3_proxy: FaultProxy, s3: Any
) -> None:
    hang = s3_proxy.add(HttpFault(request="^PUT /bucket/key", do="hang"))
    begun = time.monotonic()
    s3.put_object(Bucket="bucket", Key="key", Body=b"x" * length)
    assert hang.hits == 1
    assert TIMEOUT <= time.monotonic() - begun < 5
    assert size(s3) == length
