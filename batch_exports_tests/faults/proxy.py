"""A proxy on loopback that fails exactly as a test tells it to."""

import asyncio
import socket
import threading
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Self

from batch_exports_tests.faults.connection import Connection, Peer
from batch_exports_tests.faults.rules import HttpFault, Rule, TcpFault


class FaultProxy:
    """Passes every connection on to `target`, and lets the faults happen that a test adds.

        with FaultProxy(target=("127.0.0.1", s3_port)) as proxy:
            slow_down = proxy.add(HttpFault(request=r"^PUT .*partNumber=2", times=2))
            export(endpoint=proxy.endpoint)
            assert slow_down.hits == 2

    It works in a thread of its own. Connections that do not begin as HTTP, and so all of TLS, are
    passed on unread and can only meet TCP faults.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.requests: list[str] = []
        """Each HTTP request as "METHOD path?query", also those that the server never saw."""
        self._rules: list[Rule] = []
        self._connections: set[Connection] = set()
        # Named as TCP's, or asyncio lets what is small wait for more.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ready = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def add(self, fault: TcpFault | HttpFault) -> Rule:
        """Let it happen from now on, also on open connections; of several the oldest goes first."""
        rule = Rule(fault)
        self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """No more faults; the ends of connections that hang learn that they are lost."""
        self._rules.clear()
        for connection in self._connections.copy():
            self._loop.call_soon_threadsafe(connection.heal)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, sock=self._listener)
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        client = Peer(reader, writer)
        try:
            server = await Peer.connect(self.target)
        except OSError:
            client.reset()
            return
        connection = Connection(client, server, self._rules, self.requests)
        self._connections.add(connection)
        # When the proxy stops it cancels what is still open, and asyncio would call that an error.
        with suppress(asyncio.CancelledError):
            await connection.run()
        self._connections.discard(connection)
