"""Uploads on a bad line: all or nothing becomes visible, and nothing stays behind."""

import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import Transient
from batch_exports.local.seaweedfs import Server
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter, client
from batch_exports_tests.destinations.suite import assert_sound
from batch_exports_tests.faults import FaultProxy, HttpFault, TcpFault

MIB = 2**20
INTERNAL_ERROR = b"<Error><Code>InternalError</Code><Message>Try again.</Message></Error>"
# One file of two parts.
NOISE = [f'"{os.urandom(MIB // 2).hex()}"' for _ in range(7)]
BIG = make_rows(range(7), label="big", columns={"properties": NOISE})
# Three files: two that are sent while more rows come, and a last one that is put at the end.
MANY = make_rows(range(25), label="many")
LIMIT = 4_000
BEFORE = make_rows(range(30), label="before")


@pytest.fixture
def proxy(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    # Between attempts boto3 waits by chance, up to seconds.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with FaultProxy(("127.0.0.1", s3_server.ports["s3.port"])) as proxy:
        yield proxy


@pytest.fixture
def destination(s3: S3Adapter, proxy: FaultProxy) -> S3Destination:
    return behind(s3, proxy)


def behind(s3: S3Adapter, proxy: FaultProxy, **settings: Any) -> S3Destination:
    given = {"file_format": "jsonlines", "compression": "none", **settings}
    through = client(**{**s3.connection, "endpoint_url": proxy.endpoint})
    return s3.destination(PROJECTION, **{"client": through, **given})


def deliver(destination: S3Destination, rows: Any = BIG) -> Delivery:
    return destination.write(stream(rows, batch_rows=1), HOUR, "run-1")


@pytest.mark.parametrize(
    "fault",
    [
        HttpFault(request="^PUT .*partNumber=2", times=2),
        HttpFault(request="^POST .*uploads", times=2),
        HttpFault(request="^PUT .*_manifest.json", times=2),
        HttpFault(request="^PUT .*partNumber=2", do="reset"),
        HttpFault(request="^PUT .*partNumber=2", do="reset", forward=True),
        HttpFault(request="^POST .*uploadId=", do="reset", forward=True),
        HttpFault(request="^POST .*uploadId=", status=200, body=INTERNAL_ERROR),
        HttpFault(request="^PUT .*_manifest.json", do="reset", forward=True),
        TcpFault(direction="up", after=3 * MIB, do="reset"),
    ],
    ids=[
        "part slowed down twice",
        "begin slowed down twice",
        "manifest slowed down twice",
        "part reset",
        "part's answer lost",
        "answer of complete lost",
        "complete answered 200 with an error",
        "manifest's answer lost",
        "bytes reset",
    ],
)
def test_a_fault_that_passes_is_not_felt(
    s3: S3Adapter, destination: S3Destination, proxy: FaultProxy, fault: Any
) -> None:
    rule = proxy.add(fault)
    delivery = deliver(destination)
    assert rule.hits == (fault.times or 0)
    assert delivery.rows == 7
    assert s3.read(destination, HOUR) == as_rows(BIG)
    assert_sound(destination, HOUR, 7)
    assert s3.leftovers() == []


@pytest.mark.parametrize("before", ["nothing", "rows"])
@pytest.mark.parametrize(
    "request_",
    [r"^PUT .*-0\.jsonl.*partNumber=1", r"^POST .*-1\.jsonl.*uploads", r"^PUT .*-2\.jsonl$"],
    ids=["a part", "a second file", "the last and small file"],
)
def test_a_fault_that_stays_leaves_all_as_it_was(
    s3: S3Adapter, proxy: FaultProxy, request_: str, before: str
) -> None:
    destination = behind(s3, proxy, max_file_bytes=LIMIT)
    if before == "rows":
        deliver(destination, BEFORE)
    rule = proxy.add(HttpFault(request=request_, times=None))
    with pytest.raises(Transient, match="SlowDown"):
        deliver(destination, MANY)
    assert rule.hits > 1
    assert s3.read(destination, HOUR) == (as_rows(BEFORE) if before == "rows" else [])
    assert s3.leftovers() == []
    proxy.heal()
    assert len(deliver(destination, MANY).files) == 3
    assert s3.read(destination, HOUR) == as_rows(MANY)
    assert s3.leftovers() == []


def test_nothing_is_visible_before_all_is_sent(s3: S3Adapter, proxy: FaultProxy) -> None:
    destination = behind(s3, proxy, max_file_bytes=LIMIT)
    seen = list[list[str]]()
    destination.write(
        stream(MANY, batch_rows=1, then=lambda: seen.append(s3.data_keys(destination, HOUR))),
        HOUR,
        "run-1",
    )
    assert seen == [[]]
    lines = [line for line in proxy.requests if not line.startswith("GET")]
    completes = [
        n for n, line in enumerate(lines) if line.startswith("POST") and "uploadId" in line
    ]
    parts = [n for n, line in enumerate(lines) if "partNumber" in line]
    assert len(completes) == 2
    assert max(parts) < min(completes)
    [manifest] = [n for n, line in enumerate(lines) if "_manifest.json" in line]
    assert max(completes) < manifest


def test_a_hang_ends_with_the_read_timeout(
    s3: S3Adapter, s3_server: Server, proxy: FaultProxy
) -> None:
    through = boto3.client(
        "s3",
        endpoint_url=proxy.endpoint,
        region_name="us-east-1",
        aws_access_key_id=s3_server.admin.access_key_id,
        aws_secret_access_key=s3_server.admin.secret_access_key,
        config=Config(
            read_timeout=0.5,
            connect_timeout=0.5,  # in truth also the one for a request that is being sent
            retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )
    destination = behind(s3, proxy, client=through)
    proxy.add(HttpFault(request="^PUT .*partNumber=2", do="hang", times=None))
    with pytest.raises(Transient, match="does not answer"):
        deliver(destination)
    proxy.heal()
    assert list(s3.unfinished()) == []
    assert s3.read(destination, HOUR) == []
