"""One connection through the proxy: its bytes go both ways until it ends or a fault ends it."""

import asyncio
import re
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Self

from batch_exports_tests.faults.requests import CHUNK, Request
from batch_exports_tests.faults.rules import Direction, HttpFault, Rule, Scan, TcpFault

# Leave to send a body is not yet an answer, but may arrive in one piece with it, and even twice.
CONTINUE = re.compile(rb"(?:HTTP/1\.\d 100 .*\r\n(?:.+\r\n)*\r\n)*")


class Cut(Exception):
    """The connection ends here, in the way of a rule: no error, but what was asked for."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.fault)
        self.rule = rule


class Peer:
    """One of the two that talk through the proxy."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: tuple[str, int]) -> Self:
        return cls(*await asyncio.open_connection(*address))

    async def send(self, chunk: bytes) -> None:
        self.writer.write(chunk)
        await self.writer.drain()

    def ignore(self) -> None:
        """Read nothing any more, not even that it went away."""
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    async def close(self) -> None:
        """End the stream in order, once all that was sent is on its way."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """End it with a reset, unless it has ended already."""
        transport = self.writer.transport
        if not transport.is_closing():
            # Lingering for no time at all turns the closing of a socket into a reset.
            linger = struct.pack("ii", 1, 0)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


class Connection:
    """Passes on what client and server say, and meets the faults of the rules in force."""

    def __init__(
        self, client: Peer, server: Peer, rules: Sequence[Rule], requests: list[str]
    ) -> None:
        self.client = client
        self.server = server
        self._rules = rules
        self._requests = requests
        self._scans: dict[Rule, Scan] = {}
        self._lost: dict[Direction, Rule] = {}
        """Where the next thing said is an answer that a rule wants lost."""
        self._healed: asyncio.Event | None = None

    async def run(self) -> None:
        """Until both have said all, or one breaks off, or a fault happens."""
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass_up())
                ways.create_task(self._pass_down())
            await self._close()
        except* Cut as cuts:
            await self._end(next(cut.rule for cut in cuts.exceptions if isinstance(cut, Cut)))
        except* OSError:
            pass  # one end broke off, so the other is told the same
        finally:
            self.client.reset()
            self.server.reset()

    def heal(self) -> None:
        """If this connection hangs, let its ends learn that it is lost."""
        if self._healed:
            self._healed.set()

    async def _pass_down(self) -> None:
        while chunk := await self.server.reader.read(CHUNK):
            await self._pass("down", chunk)
        if rule := self._lost.get("down"):
            raise Cut(rule)
        self.client.writer.write_eof()

    async def _pass_up(self) -> None:
        begun = await self.client.reader.read(1)
        with suppress(EOFError):  # a client may die amid a request; its server is then told
            # HTTP begins with a method, in capitals. Postgres and TLS begin with other bytes.
            await (self._pass_requests(begun) if begun.isupper() else self._pass_bytes(begun))
        self.server.writer.write_eof()

    async def _pass_bytes(self, chunk: bytes) -> None:
        while chunk:
            await self._pass("up", chunk)
            chunk = await self.client.reader.read(CHUNK)

    async def _pass_requests(self, begun: bytes) -> None:
        while begun:
            request = await Request.read(self.client.reader, begun)
            self._requests.append(request.line)
            await self._meet(request)
            await self._pass("up", request.head)
            async for piece in request.body(self.client.reader):
                await self._pass("up", piece)
            begun = await self.client.reader.read(1)

    async def _meet(self, request: Request) -> None:
        """Let the first rule that wants this request have it."""
        rule = next((rule for rule in self._rules if _wants(rule, request)), None)
        if rule is None:
            return
        if rule.fault.do == "reply" and not rule.fault.forward and not request.expects_continue:
            # A client that is still sending would miss the answer.
            async for _ in request.body(self.client.reader):
                pass
        await self._strike(rule, "up")

    async def _pass(self, direction: Direction, chunk: bytes) -> None:
        """Every byte comes through here, and every fault of bytes happens here."""
        to = self.server if direction == "up" else self.client
        if lost := self._lost.get(direction):
            answer = CONTINUE.sub(b"", chunk, count=1)
            await to.send(chunk.removesuffix(answer))
            if answer:
                raise Cut(lost)
            return
        for rule, offset in self._encounters(direction, chunk):
            if rule.fault.do != "delay" and not rule.fault.forward:
                await to.send(chunk[:offset])
            await self._strike(rule, direction)
        await to.send(chunk)

    def _encounters(self, direction: Direction, chunk: bytes) -> Iterator[tuple[Rule, int]]:
        for rule in self._rules:
            if isinstance(rule.fault, TcpFault) and rule.fault.direction == direction:
                scan = self._scans.setdefault(rule, Scan(rule.fault))
                for offset in scan.feed(chunk):
                    if rule.strikes():
                        yield rule, offset

    async def _strike(self, rule: Rule, direction: Direction) -> None:
        """Do what the rule says, as far as it is done now."""
        if rule.fault.do == "delay":
            rule.happened()
            await asyncio.sleep(rule.fault.seconds)
        elif rule.fault.forward:
            self._lost["down" if direction == "up" else "up"] = rule
        else:
            raise Cut(rule)

    async def _end(self, rule: Rule) -> None:
        """The connection's last moments, in the way of the rule; what remains open is reset."""
        rule.happened()
        match rule.fault.do:
            case "close":
                await self._close()
            case "hang":
                await self._hang()
            case "reply":
                assert isinstance(rule.fault, HttpFault)
                with suppress(OSError):
                    await self.client.send(_response(rule.fault))
                await self._close()

    async def _close(self) -> None:
        await asyncio.gather(self.client.close(), self.server.close())

    async def _hang(self) -> None:
        self.client.ignore()
        self.server.ignore()
        self._healed = asyncio.Event()
        await self._healed.wait()


def _wants(rule: Rule, request: Request) -> bool:
    fault = rule.fault
    found = isinstance(fault, HttpFault) and re.search(fault.request, request.line)
    return bool(found) and rule.strikes()


def _response(fault: HttpFault) -> bytes:
    head = (
        f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}\r\n"
        "Content-Type: application/xml\r\n"
        f"Content-Length: {len(fault.body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + fault.body
