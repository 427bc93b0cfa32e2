"""Messages of PostgreSQL's protocol, version 3, which Redshift speaks too.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import asyncio
import struct
from collections.abc import Mapping
from typing import NamedTuple

from batch_exports.local.redshift.refusal import Refusal

PROTOCOL = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102

_STARTUP_BYTES = 10_000  # as much as PostgreSQL takes


class Message(NamedTuple):
    """One message: the byte that says which, and what follows its length."""

    kind: bytes
    body: bytes = b""

    def __bytes__(self) -> bytes:
        return self.kind + struct.pack("!i", len(self.body) + 4) + self.body


class ResultColumn(NamedTuple):
    """A column of a result: its name, its type's number, and what its arguments are kept as."""

    name: str
    type: int
    modifier: int


class Startup(NamedTuple):
    """The first message of a connection: the protocol or the request, and what follows."""

    code: int
    body: bytes

    def __bytes__(self) -> bytes:
        return struct.pack("!ii", len(self.body) + 8, self.code) + self.body


async def read(reader: asyncio.StreamReader) -> Message:
    """The next message. Raises asyncio.IncompleteReadError at the end."""
    head = await reader.readexactly(5)
    length = struct.unpack("!i", head[1:])[0]
    return Message(head[:1], await reader.readexactly(length - 4))


async def read_startup(reader: asyncio.StreamReader) -> Startup:
    """The first message. Raises asyncio.IncompleteReadError at the end, or when it is none."""
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    if not 8 <= length <= _STARTUP_BYTES:
        raise asyncio.IncompleteReadError(b"", 8)
    return Startup(code, await reader.readexactly(length - 8))


def texts(*values: str) -> bytes:
    """Texts as the protocol has them: each ends with a zero byte."""
    return b"".join(value.encode() + b"\0" for value in values)


def startup(parameters: Mapping[str, str]) -> Startup:
    pairs = b"".join(texts(name, value) for name, value in parameters.items())
    return Startup(PROTOCOL, pairs + b"\0")


def startup_parameters(body: bytes) -> dict[str, str]:
    words = [word.decode(errors="replace") for word in body.split(b"\0")]
    return {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}


def query(statement: str) -> Message:
    return Message(b"Q", texts(statement))


def error(refusal: Refusal) -> Message:
    return Message(b"E", _fields("ERROR", refusal.code, refusal.message, refusal.detail))


def fatal(code: str, message: str) -> Message:
    return Message(b"E", _fields("FATAL", code, message, None))


def information(message: str) -> Message:
    return Message(b"N", _fields("INFO", "00000", message, None))


def refusal(body: bytes) -> Refusal:
    """What an error message says, without where in the server it arose."""
    fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
    return Refusal(fields[b"C"], fields[b"M"], fields.get(b"D"))


def status(name: str, value: str) -> Message:
    return Message(b"S", texts(name, value))


def complete(tag: str) -> Message:
    return Message(b"C", texts(tag))


def row(body: bytes) -> list[bytes | None]:
    """The values of a row, in the form in which they were asked for."""
    values: list[bytes | None] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if length < 0 else body[at : at + length])
        at += max(length, 0)
    return values


def columns(body: bytes) -> list[ResultColumn]:
    """The columns of a result."""
    return [
        ResultColumn(body[start:end].decode(), *struct.unpack_from("!Ixxi", body, end + 7))
        for start, end in _columns(body)
    ]


def with_types(body: bytes, other: Mapping[int, int]) -> bytes:
    """The description of a result whose types bear other numbers."""
    described = bytearray(body)
    for _, end in _columns(body):
        number: int = struct.unpack_from("!I", body, end + 7)[0]
        struct.pack_into("!I", described, end + 7, other.get(number, number))
    return bytes(described)


def _columns(body: bytes) -> list[tuple[int, int]]:
    """Where each column's name starts and ends; 19 bytes about the column follow."""
    found = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        end = body.index(b"\0", at)
        found.append((at, end))
        at = end + 19
    return found


def _fields(severity: str, code: str, message: str, detail: str | None) -> bytes:
    fields = {"S": severity, "V": severity, "C": code, "M": message, "D": detail}
    return texts(*(f"{name}{value}" for name, value in fields.items() if value is not None)) + b"\0"
