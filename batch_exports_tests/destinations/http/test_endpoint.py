"""Single requests: what their answers say, that the server is who it says, that no key is shown."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from batch_exports.destinations.http.endpoint import Answer, Connections, Endpoint, pause_of
from batch_exports.destinations.http.forms import FORMS
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.ports import free_ports
from batch_exports_tests.destinations.http.receiver import (
    KEY,
    Fault,
    Receiver,
    answers,
    cut,
    cut_amid,
    silence,
)

DATE = "Sun, 01 Nov 2026 10:00:00 GMT"
EMPTY = b'{"batch":[]}'


@contextmanager
def connected(endpoint: Endpoint, timeout_seconds: float = 10) -> Iterator[Connections]:
    with endpoint.connected(timeout_seconds, 2) as connections:
        yield connections


@pytest.mark.parametrize(
    ("retry_after", "date", "expected"),
    [
        ("7", None, 7.0),
        ("0", DATE, 0.0),
        ("Sun, 01 Nov 2026 10:00:09 GMT", DATE, 9.0),
        ("Sun, 01 Nov 2026 09:00:00 GMT", DATE, 0.0),
        ("soon", DATE, None),
        ("-1", DATE, None),
        ("٣", DATE, None),
        ("", DATE, None),
        (None, None, None),
    ],
)
def test_how_long_a_server_asks_to_wait(
    retry_after: str | None, date: str | None, expected: float | None
) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3"""
    assert pause_of(retry_after, date) == expected


def test_connections_are_kept_alive(receiver: Receiver) -> None:
    with connected(receiver.endpoint()) as connections:
        assert [connections.post(EMPTY).status for _ in range(3)] == [200, 200, 200]
        receiver.faults += [answers(503, b"x" * 10_000), answers(503)]
        assert connections.post(EMPTY) == Answer(503, "x" * 300)
        assert connections.post(EMPTY) == Answer(503, "why")
    assert len(receiver.connections) == 2, "one is left where more was said than is read"


def test_the_key_is_not_shown(start: Callable[..., Receiver]) -> None:
    receiver = start("posthog")
    endpoint = receiver.endpoint("a-secret")
    assert "a-secret" not in repr(endpoint)
    with connected(endpoint) as connections:
        answer = connections.post(b'{"api_key":"a-secret","batch":[]}')
    assert answer == Answer(401, "unknown key ***")


@pytest.mark.parametrize("fault", [cut, cut_amid])
def test_lines_that_break(receiver: Receiver, fault: Fault) -> None:
    receiver.faults.append(fault)
    with connected(receiver.endpoint()) as connections:
        with pytest.raises(Transient, match=receiver.address) as caught:
            connections.post(EMPTY)
        assert KEY not in str(caught.value)
        assert connections.post(EMPTY).is_good


def test_silence(receiver: Receiver) -> None:
    receiver.faults.append(silence)
    with (
        connected(receiver.endpoint(), 0.2) as connections,
        pytest.raises(Transient, match="timed out"),
    ):
        connections.post(EMPTY)


def test_nobody_is_there() -> None:
    [port] = free_ports(1)
    for address in (f"http://127.0.0.1:{port}", "https://nowhere.invalid"):
        with (
            connected(Endpoint(FORMS["segment"], address, KEY)) as connections,
            pytest.raises(Transient, match=address),
        ):
            connections.greet()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_is_verified(
    receiver: Receiver, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    if trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    address = receiver.address.replace("http", "https")
    with connected(Endpoint(FORMS["rudderstack"], address, KEY)) as connections:
        if trusted:
            assert connections.post(EMPTY).is_good
        else:
            with pytest.raises(Terminal, match="is not to be trusted") as caught:
                connections.post(EMPTY)
            assert "certificates" in caught.value.remedy


def test_errors_are_ours(receiver: Receiver) -> None:
    """Redirects are not followed: a key would go where nobody told it to."""
    receiver.faults.append(answers(302, Location="http://127.0.0.1:1/"))
    with connected(receiver.endpoint()) as connections:
        assert connections.post(EMPTY).status == 302
    with (
        connected(Endpoint(FORMS["segment"], "http://[::1", KEY)) as connections,
        pytest.raises(BatchExportError),
    ):
        connections.greet()
