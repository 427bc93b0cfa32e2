"""Where HTTP/1.1 requests begin and end in a stream of bytes, without holding a body in memory."""

import re
from asyncio import StreamReader
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Request:
    """The head of a request, as the client sent it."""

    head: bytes

    @classmethod
    async def read(cls, stream: StreamReader, begun: bytes) -> Self:
        """The request of which the bytes `begun` were read already."""
        return cls(begun + await stream.readuntil(b"\r\n\r\n"))

    @property
    def line(self) -> str:
        """Its "METHOD path?query"."""
        return self.head.split(b" HTTP/", 1)[0].decode("latin-1")

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for leave before it sends the body."""
        return self._header(b"Expect") == b"100-continue"

    def body(self, stream: StreamReader) -> AsyncIterator[bytes]:
        """The body as it arrives, with its framing."""
        # S3's "aws-chunked" is a Content-Encoding: such a body has a length like any other.
        if self._header(b"Transfer-Encoding").endswith(b"chunked"):
            return _chunked(stream)
        return _exactly(stream, int(self._header(b"Content-Length") or 0))

    def _header(self, name: bytes) -> bytes:
        found = re.search(rb"(?im)^" + name + rb":[ \t]*(.*?)[ \t]*\r$", self.head)
        return found[1].lower() if found else b""


async def _exactly(stream: StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await stream.read(min(size, CHUNK))
        if not piece:
            raise EOFError("the client went away amid a request")
        size -= len(piece)
        yield piece


async def _chunked(stream: StreamReader) -> AsyncIterator[bytes]:
    size = None
    while size != 0:
        line = await stream.readuntil(b"\r\n")
        size = int(line.split(b";", 1)[0], 16)
        yield line
        if size:
            async for piece in _exactly(stream, size + len(b"\r\n")):
                yield piece
    while line != b"\r\n":  # trailers, such as S3's checksums; an empty line ends them
        line = await stream.readuntil(b"\r\n")
        yield line
