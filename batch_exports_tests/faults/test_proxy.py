"""The proxy before a small HTTP server, and on a wire of which the test holds both ends."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from batch_exports_tests.faults import FaultProxy, HttpFault, TcpFault

MIB = 2**20


class Echo(BaseHTTPRequestHandler):
    """Answers a request with the length of its body, and remembers that it did."""

    protocol_version = "HTTP/1.1"
    acted: list[str]

    def do_PUT(self) -> None:
        length = str(self._read_body()).encode()
        self.acted.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(length)))
        self.end_headers()
        self.wfile.write(length)

    def do_GET(self) -> None:
        self.do_PUT()

    def _read_body(self) -> int:
        if self.headers["Transfer-Encoding"] != "chunked":
            return len(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        total = 0
        while size := int(self.rfile.readline(), 16):
            total += len(self.rfile.read(size + 2)) - 2
        while self.rfile.readline() != b"\r\n":
            pass
        return total

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """One that takes broken connections for granted."""

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def acted() -> list[str]:
    """The paths of the requests on which the echo server acted."""
    return []


@pytest.fixture
def proxy(acted: list[str]) -> Iterator[FaultProxy]:
    """A proxy before the echo server."""
    handler = type("Handler", (Echo,), {"acted": acted})
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        with FaultProxy(("127.0.0.1", server.server_port)) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    yield connection
    connection.close()


def exchange(
    client: http.client.HTTPConnection, path: str = "/", **request: Any
) -> tuple[int, bytes]:
    client.request("PUT", path, **request)
    response = client.getresponse()
    return response.status, response.read()


def read_to(mark: bytes, end: socket.socket) -> bytes:
    received = b""
    while not received.endswith(mark):
        received += end.recv(1) or pytest.fail(f"{received!r} ended before {mark!r}")
    return received


def read_all(end: socket.socket) -> bytes:
    with end.makefile("rb") as stream:
        return stream.read()


def test_passes_bodies_of_every_framing_over_one_connection(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    pieces = [b"x" * MIB] * 5
    assert exchange(client, "/none") == (200, b"0")
    assert exchange(client, "/sized", body=b"".join(pieces)) == (200, b"5242880")
    assert exchange(client, "/chunked?a=b", body=iter(pieces)) == (200, b"5242880")
    assert exchange(client, "/again", body=b"x") == (200, b"1")
    assert proxy.requests == ["PUT /none", "PUT /sized", "PUT /chunked?a=b", "PUT /again"]


def test_passes_trailers_and_leave_to_continue(proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(
            b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert read_to(b"\r\n\r\n", client).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\n\r\n")
        assert read_to(b"\r\n\r\n3", client).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"GET /b HTTP/1.1\r\n\r\n")
        assert read_to(b"\r\n\r\n0", client).startswith(b"HTTP/1.1 200 ")
    assert proxy.requests == ["PUT /a", "GET /b"]


def test_answers_in_the_place_of_the_server(
    proxy: FaultProxy, client: http.client.HTTPConnection, acted: list[str]
) -> None:
    rule = proxy.add(HttpFault(request=r"^PUT /busy", status=429, body=b"no", skip=1, times=2))
    answers = [exchange(client, "/busy", body=b"x" * MIB) for _ in range(4)]
    assert [status for status, _ in answers] == [200, 429, 429, 200]
    assert answers[1] == (429, b"no")
    assert rule.hits == 2
    assert acted == ["/busy", "/busy"]


def test_answers_so_for_ever(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    proxy.add(HttpFault(request="/busy", times=None))
    assert {exchange(client, "/busy")[0] for _ in range(20)} == {503}
    proxy.heal()
    assert exchange(client, "/busy")[0] == 200


def test_answers_before_a_body_that_awaits_leave(proxy: FaultProxy, acted: list[str]) -> None:
    proxy.add(HttpFault(request="/busy"))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(b"PUT /busy HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        assert b"SlowDown" in read_all(client)
    assert acted == []


@pytest.mark.parametrize("do", ["reset", "close", "reply"])
def test_the_server_acts_and_its_answer_is_lost(
    do: Any, proxy: FaultProxy, client: http.client.HTTPConnection, acted: list[str]
) -> None:
    rule = proxy.add(HttpFault(request="/act", do=do, forward=True, status=500))
    headers = {"Expect": "100-continue"}
    if do == "reply":
        assert exchange(client, "/act", body=b"x", headers=headers)[0] == 500
    else:
        with pytest.raises(ConnectionError):
            exchange(client, "/act", body=b"x", headers=headers)
    rule.wait()
    assert acted == ["/act"]


@pytest.mark.parametrize("do", ["reset", "close"])
def test_breaks_off_before_the_server_sees_the_request(
    do: Any, proxy: FaultProxy, client: http.client.HTTPConnection, acted: list[str]
) -> None:
    proxy.add(HttpFault(request="/act", do=do))
    with pytest.raises(ConnectionError):
        exchange(client, "/act")
    assert acted == []


def test_an_answer_breaks_off_after_some_bytes(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.add(TcpFault(direction="down", match=b"12345", do="close"))
    client.request("PUT", "/", body=b"x" * 12345)
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()


def test_what_hangs_stays_silent_until_the_network_heals(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    rule = proxy.add(HttpFault(request="/", do="hang", times=None))
    client.timeout = 0.2
    client.connect()
    client.request("GET", "/")
    rule.wait()
    with pytest.raises(TimeoutError):
        client.getresponse()
    proxy.heal()
    client.sock.settimeout(5)
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    client.close()
    assert exchange(client)[0] == 200


def test_delays(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    proxy.add(HttpFault(request="/", do="delay", seconds=0.1))
    proxy.add(TcpFault(direction="down", do="delay", seconds=0.1))
    begun = time.monotonic()
    assert exchange(client)[0] == 200
    assert 0.2 <= time.monotonic() - begun < 2


def test_a_server_that_is_gone_resets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with (
        FaultProxy(address) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
        pytest.raises(ConnectionResetError),
    ):
        client.recv(1)


def test_waiting_for_what_never_happens_says_so(proxy: FaultProxy) -> None:
    with pytest.raises(TimeoutError, match="nothing met HttpFault"):
        proxy.add(HttpFault(request="/")).wait(0.01)


class Wire(NamedTuple):
    """A client and a server with the proxy between them, where a test holds both ends."""

    client: socket.socket
    proxy: FaultProxy
    server: socket.socket


@pytest.fixture
def wire() -> Iterator[Wire]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        FaultProxy(listener.getsockname()) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
        listener.accept()[0] as server,
    ):
        server.settimeout(5)
        yield Wire(client, proxy, server)


def test_cuts_at_the_exact_byte(wire: Wire) -> None:
    wire.proxy.add(TcpFault(direction="up", after=100_000, do="close"))
    wire.client.sendall(b"\0" * 99_999)
    wire.client.sendall(b"\1\2")
    assert read_all(wire.server) == b"\0" * 99_999 + b"\1"
    assert read_all(wire.client) == b""


def test_finds_a_pattern_in_two_pieces_and_counts_each_once(wire: Wire) -> None:
    rule = wire.proxy.add(TcpFault(direction="up", match=b"COMMIT", do="close", skip=2))
    wire.client.sendall(b"\0COMMIT;COMMIT;COM")
    assert read_to(b";COM", wire.server) == b"\0COMMIT;COM"
    assert read_to(b";COM", wire.server) == b"MIT;COM"
    assert rule.hits == 0
    wire.client.sendall(b"MIT;")
    assert read_all(wire.server) == b""
    assert rule.hits == 1


def test_a_commit_arrives_and_its_answer_is_lost(wire: Wire) -> None:
    rule = wire.proxy.add(TcpFault(direction="up", match=b"COMMIT", do="reset", forward=True))
    wire.client.sendall(b"\0COMMIT;")
    assert read_to(b";", wire.server) == b"\0COMMIT;"
    assert rule.hits == 1
    wire.server.sendall(b"done")
    with pytest.raises(ConnectionResetError):
        wire.client.recv(1)
    rule.wait()


def test_nobody_learns_of_a_hang(wire: Wire) -> None:
    rule = wire.proxy.add(TcpFault(direction="up", after=2, do="hang"))
    wire.client.sendall(b"\0\1\2")
    assert read_to(b"\1", wire.server) == b"\0\1"
    rule.wait()
    wire.client.close()
    wire.server.settimeout(0.1)
    with pytest.raises(TimeoutError):
        wire.server.recv(1)
    wire.proxy.heal()
    wire.server.settimeout(5)
    with pytest.raises(ConnectionResetError):
        wire.server.recv(1)


def test_ends_of_streams_pass_one_way_at_a_time(wire: Wire) -> None:
    wire.client.sendall(b"\0question")
    wire.client.shutdown(socket.SHUT_WR)
    assert read_all(wire.server) == b"\0question"
    wire.server.sendall(b"answer")
    wire.server.close()
    assert read_all(wire.client) == b"answer"
