"""The PostgreSQL session behind a client: what it says goes to the client, or is kept."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from batch_exports.local.redshift import wire
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.wire import Message

IDLE, IN_TRANSACTION, FAILED = b"I", b"T", b"E"
"""How a session stands, as ReadyForQuery tells it."""

_READY, _ERROR, _ROW, _DESCRIPTION, _COPY_IN = b"Z", b"E", b"D", b"T", b"G"


@dataclass(frozen=True)
class Place:
    """Where the server is, and how to trust it."""

    host: str
    port: int
    tls: ssl.SSLContext


class Result(NamedTuple):
    """What a statement gave: its columns, and its rows in text form."""

    columns: list[wire.ResultColumn]
    rows: list[list[bytes | None]]


class Backend:
    """One session of PostgreSQL.

    Its messages go to `relay` but while the emulator itself asks something (`execute`). `standing`
    is where the session stood when it last was ready, `failed` whether a statement has failed since
    the client last sent Sync.
    """

    def __init__(self, relay: Callable[[Message], Awaitable[None]]) -> None:
        self.standing = IDLE
        self.failed = False
        self._relay = relay
        self._awaited = 0
        self._silent = False
        self._kept: asyncio.Queue[Message] | None = None
        self._ready = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    async def connect(self, place: Place, parameters: Mapping[str, str]) -> None:
        """Open the session; who the client is, the server finds out from the client itself.

        Raises OSError.
        """
        self._reader, self._writer = await asyncio.open_connection(place.host, place.port)
        self._writer.write(bytes(wire.Startup(wire.SSL_REQUEST, b"")))
        if await self._reader.readexactly(1) != b"S":
            raise ConnectionError("the PostgreSQL server behind the emulator speaks no TLS")
        await self._writer.start_tls(place.tls, server_hostname=place.host)
        self._writer.write(bytes(wire.startup(parameters)))
        self._awaited = 1
        self._pump = asyncio.create_task(self._read())

    def close(self) -> None:
        if self._pump:
            self._pump.cancel()
            self._writer.close()

    async def ended(self) -> None:
        """Wait until the server has ended the session."""
        if self._pump:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self._pump

    async def send(self, message: Message) -> None:
        """Pass on what the client sent."""
        if message.kind in (b"Q", b"S"):
            self._awaited += 1
            self._ready.clear()
        self._writer.write(bytes(message))
        await self._writer.drain()

    async def settle(self) -> None:
        """Wait until the server has answered all that was sent to it.

        What the client began without Sync ends here, and it is not told that the server is ready.
        """
        self._silent = True
        await self.send(Message(b"S"))
        await self._ready.wait()
        self._silent = False

    async def execute(self, statement: str, content: AsyncIterator[bytes] | None = None) -> Result:
        """Run a statement of the emulator's own in this session, which has settled.

        `content` is what a COPY FROM STDIN gets. Raises Refusal with the server's error; an error
        of `content` itself ends the COPY, and is raised.
        """
        kept = self._kept = asyncio.Queue()
        result, failure = Result([], []), None
        try:
            await self.send(wire.query(statement))
            while (message := await kept.get()).kind != _READY:
                if message.kind == _DESCRIPTION:
                    result = Result(wire.columns(message.body), [])
                elif message.kind == _ROW:
                    result.rows.append(wire.row(message.body))
                elif message.kind == _ERROR:
                    failure = failure or wire.refusal(message.body)
                elif message.kind == _COPY_IN and content:
                    failure = await self._feed(content, kept)
                elif not message.kind:
                    raise ConnectionError("the PostgreSQL server behind the emulator is gone")
        finally:
            self._kept = None
        if failure:
            raise failure
        return result

    async def _feed(
        self, content: AsyncIterator[bytes], kept: "asyncio.Queue[Message]"
    ) -> Refusal | None:
        try:
            async for chunk in content:
                if not kept.empty():  # the server has already refused what it got
                    break
                await self.send(Message(b"d", chunk))
        except Refusal as refusal:
            await self.send(Message(b"f", wire.texts("the emulator has refused the data")))
            return refusal
        await self.send(Message(b"c"))
        return None

    async def _read(self) -> None:
        try:
            while True:
                message = await wire.read(self._reader)
                if message.kind == _READY:
                    self.standing = message.body
                    self._awaited -= 1
                elif message.kind == _ERROR:
                    self.failed = True
                if self._kept is not None:
                    self._kept.put_nowait(message)
                elif not (message.kind == _READY and self._silent and not self._awaited):
                    await self._relay(message)
                if not self._awaited:
                    self._ready.set()
        finally:
            if self._kept is not None:
                self._kept.put_nowait(Message(b""))
            self._ready.set()


async def cancel(place: Place, body: bytes) -> None:
    """Pass on a client's request to cancel what a session does. Raises OSError."""
    reader, writer = await asyncio.open_connection(place.host, place.port)
    writer.write(bytes(wire.Startup(wire.CANCEL_REQUEST, body)))
    await writer.drain()
    await reader.read()  # the server closes the connection once it has done so
    writer.close()
