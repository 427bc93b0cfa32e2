"""A receiver for each test, and a place on the real S3 server for what is recorded."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from batch_exports.local.seaweedfs import Server
from batch_exports_tests.destinations.http.place import Place
from batch_exports_tests.destinations.http.receiver import Receiver


@pytest.fixture
def start() -> Iterator[Callable[..., Receiver]]:
    """Starts a receiver: `start("segment")`."""
    with ExitStack() as stack:
        yield lambda *form, **settings: stack.enter_context(closing(Receiver(*form, **settings)))


@pytest.fixture
def receiver(start: Callable[..., Receiver]) -> Receiver:
    return start()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_exports.destinations.http.tries._FIRST_PAUSE", 0.01)


@pytest.fixture(scope="session")
def records_bucket(s3_server: Server) -> str:
    """One bucket for all tests, since making one is slow; each has a prefix of its own."""
    name = f"records-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def place(s3_server: Server, records_bucket: str, receiver: Receiver) -> Place:
    return Place(s3_server, records_bucket, f"{uuid.uuid4().hex[:12]}/", receiver)
